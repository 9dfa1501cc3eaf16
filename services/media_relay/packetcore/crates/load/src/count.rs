//! Counts a stream by its sequence numbers, and delays by their share: what arrived, what is lost, late or doubled.

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Packets back to which doubles and stragglers are told apart.
const WINDOW: i64 = 128;

/// Longest quiet within a talk that is no interruption: half a second, NTP 32.32.
const INTERRUPTION: u64 = 1 << 31;

/// One stream's packets.
#[derive(Debug, Clone, Default)]
pub struct StreamCount {
    highest: Option<i64>,
    first: i64,
    /// Bit n: `highest - n` has arrived.
    seen: u128,
    /// When the last packet came, NTP 32.32.
    last: Option<u64>,
    /// What the sequence numbers say.
    pub totals: Totals,
}

/// Sums over a stream, or over many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Different packets that arrived.
    pub received: u64,
    /// Packets the sequence numbers promised.
    pub expected: u64,
    /// Packets that arrived after a later one.
    pub late: u64,
    /// Packets that arrived again.
    pub duplicates: u64,
    /// Places where one or more packets were missing when the next came.
    pub gaps: u64,
    /// Times nothing came for more than half a second within a talk.
    pub interruptions: u64,
}

impl Totals {
    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Adds another stream's.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.expected += other.expected;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.gaps += other.gaps;
        self.interruptions += other.interruptions;
    }
}

impl StreamCount {
    /// Notes a packet that came at `arrival` (NTP 32.32); `marker` says that it begins a talk.
    pub fn note(&mut self, sequence: u16, marker: bool, arrival: u64) {
        let quiet = self.last.replace(arrival).is_some_and(|last| arrival.saturating_sub(last) > INTERRUPTION);
        self.totals.interruptions += u64::from(quiet && !marker);
        let Some(highest) = self.highest else {
            self.first = i64::from(sequence);
            self.highest = Some(self.first);
            self.seen = 1;
            self.totals.received += 1;
            self.totals.expected += 1;
            return;
        };
        let step = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        if step > 0 {
            self.seen = if step < WINDOW { self.seen << step | 1 } else { 1 };
            self.highest = Some(highest + step);
            self.totals.expected += step as u64;
            self.totals.received += 1;
            self.totals.gaps += u64::from(step > 1);
            return;
        }
        let bit = if -step < WINDOW { 1u128 << -step } else { 0 };
        let before_start = highest + step < self.first;
        if self.seen & bit != 0 {
            self.totals.duplicates += 1;
        } else {
            self.totals.late += 1;
            self.totals.received += u64::from(!before_start && bit != 0);
            self.seen |= bit;
        }
    }

    /// Starts counting anew with the next packet, which continues the sequence.
    pub fn begin_window(&mut self) {
        self.totals = Totals::default();
        if let Some(highest) = self.highest {
            self.first = highest + 1;
        }
    }
}

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Totals", 7)?;
        fields.serialize_field("received", &self.received)?;
        fields.serialize_field("expected", &self.expected)?;
        fields.serialize_field("lost", &self.lost())?;
        fields.serialize_field("late", &self.late)?;
        fields.serialize_field("duplicates", &self.duplicates)?;
        fields.serialize_field("gaps", &self.gaps)?;
        fields.serialize_field("interruptions", &self.interruptions)?;
        fields.end()
    }
}

/// Bins of 0.1 ms up to 3 s; the last holds everything above.
const BINS: usize = 30_000;

/// A distribution of delays.
#[derive(Debug, Clone)]
pub struct Delays {
    bins: Vec<u32>,
    count: u64,
    max: f64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { bins: vec![0; BINS], count: 0, max: 0.0 }
    }
}

impl Delays {
    /// Notes a delay; one below zero (two clocks) counts as zero.
    pub fn note(&mut self, milliseconds: f64) {
        let bin = ((milliseconds * 10.0).max(0.0) as usize).min(BINS - 1);
        self.bins[bin] += 1;
        self.count += 1;
        self.max = self.max.max(milliseconds);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest, ms.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The delay that `share` of all stay below, ms, to 0.1 ms.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut sum = 0;
        self.bins.iter().enumerate().find_map(|(bin, count)| {
            sum += u64::from(*count);
            (sum >= wanted).then_some((bin + 1) as f64 / 10.0)
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bins.fill(0);
        self.count = 0;
        self.max = 0.0;
    }
}
