//! Plays a remote channel's frames evenly: they come over the bus in bursts and leave 20 ms apart, never out of order.

use crate::delay::{Care, DelayEstimator};
use crate::frame::ProgrammeFrame;
use majlis_core::Micros;
use std::collections::VecDeque;

/// Shortest and longest wait beyond the fastest frame, samples (0 and 60 ms).
const LIMITS: (i64, i64) = (0, 2880);
/// Most frames that wait (640 ms): a burst after a stall, no more.
const MAX_WAITING: usize = 32;
/// A frame later than this after its time is stale and dropped, samples (200 ms).
const STALE: i64 = 9600;
/// Nothing but refused frames for this long means that the path or the counters moved: time is measured anew, samples
/// (300 ms). A burst after a stall comes faster.
const REFUSED: i64 = 14_400;
/// Streams left behind are remembered: their stragglers are not another change.
const REMEMBERED: usize = 4;
/// The wait falls by no more than this at a frame, samples (0.5 ms), and rises at once.
const FALL: i64 = 24;

/// What became of a frame handed to [`Playout::push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its time.
    Kept,
    /// It came before.
    Duplicate,
    /// A newer frame has been played, or its time is long past.
    Late,
    /// It belongs to a mixer that was replaced.
    Retired,
}

/// Totals of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutCounters {
    /// Frames played.
    pub played: u64,
    /// Frames that never came, by sequence.
    pub missing: u64,
    /// Frames refused as late.
    pub late: u64,
    /// Frames refused as duplicates.
    pub duplicates: u64,
    /// Frames of replaced mixers.
    pub retired: u64,
    /// Times the waiting room was full and the oldest frame was dropped.
    pub overflows: u64,
}

/// A frame and when it leaves; frames of a replaced mixer keep their turn before those of the new one.
#[derive(Clone, Copy)]
struct Waiting {
    order: (u32, i64),
    due: i64,
    arrival: i64,
    frame: ProgrammeFrame,
}

/// The playout buffer of one remote channel.
pub struct Playout {
    waiting: VecDeque<Waiting>,
    delay: DelayEstimator,
    wait: i64,
    stream: Option<u32>,
    /// Streams so far.
    epoch: u32,
    retired: VecDeque<u32>,
    newest: Option<(u32, i64)>,
    played: Option<ProgrammeFrame>,
    /// How long the frame played last had waited, samples.
    held: i64,
    /// When the first of the frames refused in a row came.
    refused_since: Option<i64>,
    /// Totals.
    pub counters: PlayoutCounters,
}

impl Default for Playout {
    fn default() -> Self {
        Self {
            waiting: VecDeque::with_capacity(MAX_WAITING + 1),
            delay: DelayEstimator::new(LIMITS, Care::PROGRAMME),
            wait: 0,
            stream: None,
            epoch: 0,
            retired: VecDeque::with_capacity(REMEMBERED + 1),
            newest: None,
            played: None,
            held: 0,
            refused_since: None,
            counters: PlayoutCounters::default(),
        }
    }
}

impl Playout {
    /// Takes a frame that arrived at `now`.
    pub fn push(&mut self, frame: ProgrammeFrame, now: Micros) -> Pushed {
        let outcome = self.place(frame, samples(now));
        match outcome {
            Pushed::Kept => {}
            Pushed::Duplicate => self.counters.duplicates += 1,
            Pushed::Late => self.counters.late += 1,
            Pushed::Retired => self.counters.retired += 1,
        }
        outcome
    }

    fn place(&mut self, frame: ProgrammeFrame, now: i64) -> Pushed {
        if self.retired.contains(&frame.stream) {
            return Pushed::Retired;
        }
        if self.stream != Some(frame.stream) {
            self.change_stream(frame.stream);
        }
        if let Some(played) = self.played.filter(|played| played.stream == frame.stream) {
            match played.sequence.wrapping_sub(frame.sequence) as i32 {
                0 => return Pushed::Duplicate,
                behind if behind > 0 && self.is_refused(now) => return Pushed::Late,
                _ => {}
            }
        }
        let timestamp = self.unwrap(frame.timestamp);
        let order = (self.epoch, timestamp);
        let at = self.waiting.partition_point(|other| other.order < order);
        if self.waiting.get(at).is_some_and(|other| other.order == order) {
            return Pushed::Duplicate;
        }
        let late = self.delay.observe(now, timestamp);
        self.adapt(late);
        if now - self.due(timestamp) > STALE && self.is_refused(now) {
            return Pushed::Late;
        }
        if self.delay.base().is_none() {
            self.delay.observe(now, timestamp);
        }
        self.waiting.insert(at, Waiting { order, due: self.due(timestamp), arrival: now, frame });
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_front();
            self.counters.overflows += 1;
        }
        Pushed::Kept
    }

    /// Notes a frame refused; false when they come for so long that everything must be measured anew.
    fn is_refused(&mut self, now: i64) -> bool {
        let since = *self.refused_since.get_or_insert(now);
        if now - since < REFUSED {
            return true;
        }
        self.refused_since = None;
        self.delay.rebase();
        self.played = None;
        false
    }

    fn change_stream(&mut self, stream: u32) {
        if let Some(old) = self.stream.replace(stream) {
            self.retired.push_back(old);
            if self.retired.len() > REMEMBERED {
                self.retired.pop_front();
            }
        }
        self.epoch += 1;
        self.delay.rebase();
        self.newest = None;
        self.refused_since = None;
    }

    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let unwrapped = match self.newest {
            Some((wrapped, whole)) => whole + i64::from(timestamp.wrapping_sub(wrapped) as i32),
            None => i64::from(timestamp),
        };
        if self.newest.is_none_or(|(_, newest)| unwrapped > newest) {
            self.newest = Some((timestamp, unwrapped));
        }
        unwrapped
    }

    /// A late frame lengthens the wait at once, so that the next one like it is in time; calm shortens it slowly.
    fn adapt(&mut self, late: i64) {
        let needed = self.delay.target().max(if late > self.wait { late } else { 0 }).min(LIMITS.1);
        self.wait = needed.max(self.wait - FALL);
    }

    fn due(&self, timestamp: i64) -> i64 {
        timestamp + self.delay.base().unwrap_or(0) + self.wait
    }

    /// When [`Playout::poll`] has something, if anything waits.
    pub fn next_due(&self) -> Option<Micros> {
        self.waiting.front().map(|first| micros(first.due))
    }

    /// The next frame whose time has come; call it until it gives none.
    pub fn poll(&mut self, now: Micros) -> Option<ProgrammeFrame> {
        if self.waiting.front()?.due > samples(now) {
            return None;
        }
        let Waiting { frame, arrival, .. } = self.waiting.pop_front()?;
        self.held = samples(now) - arrival;
        if let Some(before) = self.played.filter(|before| before.stream == frame.stream) {
            self.counters.missing += u64::from(frame.sequence.wrapping_sub(before.sequence).saturating_sub(1));
        }
        self.refused_since = None;
        self.counters.played += 1;
        self.played = Some(frame);
        Some(frame)
    }

    /// How long the frame that [`Playout::poll`] gave last was held here.
    pub fn held(&self) -> Micros {
        micros(self.held)
    }

    /// How long frames wait beyond the fastest one, ms.
    pub fn depth_ms(&self) -> u32 {
        (self.wait / 48) as u32
    }
}

fn samples(at: Micros) -> i64 {
    (u128::from(at) * 48 / 1000) as i64
}

fn micros(samples: i64) -> Micros {
    (samples.max(0) as u128 * 1000).div_ceil(48) as Micros
}
