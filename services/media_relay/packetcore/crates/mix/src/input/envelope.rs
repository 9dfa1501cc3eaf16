//! How loud somebody was in each 20 ms of the last while, on one time line for everybody.

use majlis_core::Micros;
use std::collections::VecDeque;

/// One step, µs.
const STEP: Micros = 20_000;
/// Steps that are kept (40 s).
const KEPT: usize = 2000;
/// Steps told as one (100 ms).
const TOLD: usize = 5;
/// A packet at least this loud is speech, -dBov.
const SPEECH: u8 = 50;
/// What nothing measures, -dBov.
const NOTHING: u8 = 127;

/// The levels of one member, -dBov.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    levels: VecDeque<u8>,
    /// The step after the last of them.
    end: u64,
}

impl Envelope {
    /// Takes a packet's level.
    pub fn hear(&mut self, level: u8, now: Micros) {
        let step = now / STEP;
        self.reach(step + 1);
        if let Some(last) = self.levels.back_mut() {
            *last = (*last).min(level);
        }
    }

    /// The time line goes on to before that step.
    fn reach(&mut self, end: u64) {
        let missing = end.saturating_sub(self.end).min(KEPT as u64);
        self.levels.extend(std::iter::repeat_n(NOTHING, missing as usize));
        let over = self.levels.len().saturating_sub(KEPT);
        self.levels.drain(..over);
        self.end = self.end.max(end);
    }

    /// Whether they spoke in each 100 ms up to `now`, oldest first, as `1` and `0`; the same moments for everybody.
    pub fn activity(&mut self, now: Micros) -> String {
        let whole = now / STEP / TOLD as u64 * TOLD as u64;
        self.reach(whole);
        let after = (self.end - whole) as usize;
        let (until, mut told) = (self.levels.len().saturating_sub(after), String::new());
        let levels: Vec<u8> = self.levels.iter().take(until).copied().collect();
        for steps in levels.rchunks_exact(TOLD).rev() {
            told.push(if steps.iter().any(|level| *level <= SPEECH) { '1' } else { '0' });
        }
        told
    }
}
