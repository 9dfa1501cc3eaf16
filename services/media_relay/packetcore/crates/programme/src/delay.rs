//! Measures how unevenly packets arrive and says how long to hold them back: the target of an adaptive buffer.

use std::collections::VecDeque;

/// Width of a histogram bin, samples at 48 kHz (2.5 ms).
const BIN: i64 = 120;
/// Bins: delays above 500 ms count as the last one.
const BINS: usize = 200;
/// The fastest packet of this long is the zero point, samples (4 s, kept in eight slices).
const SLICE: i64 = 24_000;
const SLICES: i64 = 8;

/// How careful a target is.
#[derive(Debug, Clone, Copy)]
pub struct Care {
    /// Share of packets that must arrive in time.
    pub quantile: f32,
    /// Weight a packet keeps after the next one.
    pub memory: f32,
}

impl Care {
    /// For people who answer each other: about a hundred packets matter, and one in forty may be concealed.
    pub const TALK: Self = Self { quantile: 0.975, memory: 0.99 };
    /// For a programme between relays: five hundred packets (10 s) matter, and hardly any may be late.
    pub const PROGRAMME: Self = Self { quantile: 0.995, memory: 0.998 };
}

/// Arrival statistics of one sender; times and timestamps are samples at 48 kHz.
#[derive(Debug, Clone)]
pub struct DelayEstimator {
    slices: VecDeque<(i64, i64)>,
    histogram: Box<[f32; BINS]>,
    weight: f32,
    limits: (i64, i64),
    care: Care,
}

impl DelayEstimator {
    /// An estimator whose target stays within `limits` (lowest, highest).
    pub fn new(limits: (i64, i64), care: Care) -> Self {
        Self { slices: VecDeque::new(), histogram: Box::new([0.0; BINS]), weight: 0.0, limits, care }
    }

    /// Notes a packet with `timestamp` that came at `arrival`; returns how much later it was than the fastest.
    pub fn observe(&mut self, arrival: i64, timestamp: i64) -> i64 {
        let offset = arrival - timestamp;
        match self.slices.back_mut() {
            Some((start, least)) if arrival - *start < SLICE => *least = offset.min(*least),
            _ => self.slices.push_back((arrival, offset)),
        }
        // By age, not by number: after a long silence an old zero point would carry hours of clock drift.
        while self.slices.front().is_some_and(|(start, _)| arrival - start > SLICE * SLICES) {
            self.slices.pop_front();
        }
        let late = offset - self.base().unwrap_or(offset);
        for bin in self.histogram.iter_mut() {
            *bin *= self.care.memory;
        }
        self.histogram[((late / BIN) as usize).min(BINS - 1)] += 1.0;
        self.weight = self.weight * self.care.memory + 1.0;
        late
    }

    /// Arrival minus timestamp of the fastest recent packet; none before the first.
    pub fn base(&self) -> Option<i64> {
        self.slices.iter().map(|(_, least)| *least).min()
    }

    /// How long after the fastest packet to play, samples.
    pub fn target(&self) -> i64 {
        let mut left = self.weight * (1.0 - self.care.quantile);
        let mut bin = BINS - 1;
        while bin > 0 && self.histogram[bin] <= left {
            left -= self.histogram[bin];
            bin -= 1;
        }
        let edge = if bin == 0 { 0 } else { (bin as i64 + 1) * BIN };
        edge.clamp(self.limits.0, self.limits.1)
    }

    /// Forgets the zero point but keeps what is known about jitter: the sender's timestamps jumped.
    pub fn rebase(&mut self) {
        self.slices.clear();
    }
}
