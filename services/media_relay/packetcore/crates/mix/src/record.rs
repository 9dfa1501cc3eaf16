//! What a speaker's connection and coder did lately: losses of the last five seconds, bit rate of the last one.

/// Ticks in a second.
const SECOND: usize = 50;
/// Seconds of losses that count.
const SECONDS: usize = 5;
/// Ticks before a bit rate is worth something.
const KNOWN_AFTER: usize = 10;

/// A sliding record, one step a tick.
#[derive(Debug, Clone)]
pub struct Record {
    losses: [u16; SECONDS],
    bytes: [u16; SECOND],
    ticks: usize,
}

impl Default for Record {
    fn default() -> Self {
        Self { losses: [0; SECONDS], bytes: [0; SECOND], ticks: 0 }
    }
}

impl Record {
    /// The next tick begins.
    pub fn tick(&mut self) {
        self.ticks += 1;
        let (slot, second) = (self.ticks % SECOND, self.ticks / SECOND % SECONDS);
        self.bytes[slot] = 0;
        if slot == 0 {
            self.losses[second] = 0;
        }
    }

    /// A packet of so many bytes was taken.
    pub fn took(&mut self, bytes: usize) {
        let slot = &mut self.bytes[self.ticks % SECOND];
        *slot = slot.saturating_add(bytes.min(usize::from(u16::MAX)) as u16);
    }

    /// Sound was missing in this tick.
    pub fn lost(&mut self) {
        let second = &mut self.losses[self.ticks / SECOND % SECONDS];
        *second = second.saturating_add(1);
    }

    /// Ticks of the last five seconds in which sound was missing.
    pub fn losses(&self) -> u32 {
        self.losses.iter().map(|count| u32::from(*count)).sum()
    }

    /// Mean bit rate of the last second, bit/s; none at the beginning.
    pub fn bit_rate(&self) -> Option<u32> {
        let known = self.ticks.min(SECOND);
        let bytes: u32 = self.bytes.iter().map(|bytes| u32::from(*bytes)).sum();
        (known >= KNOWN_AFTER).then(|| bytes * 8 * SECOND as u32 / known as u32)
    }
}
