//! Look-ahead limiter: 5 ms of delay buys a gain that is already down when the peak comes, so no sample ever clips.

use std::collections::VecDeque;

/// Delay it adds, samples at 48 kHz (5 ms).
pub const LOOK_AHEAD: usize = 240;
/// Largest magnitude that leaves it: 6 dB below full scale, since at 32 kbit/s Opus was measured to overshoot the peaks
/// of ten voices by more than 4 dB.
pub const CEILING: f32 = 0.5;
/// Share of the missing gain regained per sample: a time constant of 80 ms.
const RELEASE: f32 = 1.0 / (0.080 * 48_000.0);

/// Sample-by-sample limiter for one mono stream.
pub struct Limiter {
    delayed: VecDeque<f32>,
    /// Candidates for the smallest gain wanted within the window, increasing, with their index.
    minima: VecDeque<(u64, f32)>,
    /// The last window of held gains; their mean is the gain applied, so it moves without a step.
    held: VecDeque<f32>,
    held_sum: f64,
    envelope: f32,
    index: u64,
}

impl Limiter {
    /// A limiter at rest, its delay line silent.
    pub fn new() -> Self {
        Self {
            delayed: VecDeque::from(vec![0.0; LOOK_AHEAD]),
            minima: VecDeque::with_capacity(LOOK_AHEAD + 1),
            held: VecDeque::from(vec![1.0; LOOK_AHEAD]),
            held_sum: LOOK_AHEAD as f64,
            envelope: 1.0,
            index: 0,
        }
    }

    /// Limits `samples` in place; the output lags [`LOOK_AHEAD`] samples behind.
    pub fn process(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let gain = self.next_gain(*sample);
            self.delayed.push_back(*sample);
            let late = self.delayed.pop_front().unwrap_or(0.0);
            *sample = (late * gain).clamp(-CEILING, CEILING);
        }
    }

    fn next_gain(&mut self, sample: f32) -> f32 {
        let wanted = if sample.abs() > CEILING { CEILING / sample.abs() } else { 1.0 };
        while self.minima.back().is_some_and(|(_, gain)| *gain >= wanted) {
            self.minima.pop_back();
        }
        self.minima.push_back((self.index, wanted));
        while self.minima.front().is_some_and(|(at, _)| at + (LOOK_AHEAD as u64) < self.index) {
            self.minima.pop_front();
        }
        let smallest = self.minima.front().map_or(1.0, |(_, gain)| *gain);
        self.index += 1;
        self.envelope = smallest.min(self.envelope + (1.0 - self.envelope) * RELEASE);
        self.held.push_back(self.envelope);
        self.held_sum += f64::from(self.envelope) - f64::from(self.held.pop_front().unwrap_or(1.0));
        (self.held_sum / LOOK_AHEAD as f64) as f32
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}
