//! Limits on what others may make us do: handshakes per source, packets per publisher, log lines per second.

use crate::types::{Micros, SECOND};
use std::net::IpAddr;

/// A token bucket in integer arithmetic; starts full.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    per_second: u64,
    capacity: u64,
    /// Tokens times [`SECOND`], so that slow rates lose nothing to rounding.
    level: u64,
    filled_at: Micros,
}

impl TokenBucket {
    /// `per_second` tokens flow in, at most `capacity` stay.
    pub fn new(per_second: u64, capacity: u64, now: Micros) -> Self {
        Self { per_second, capacity: capacity * SECOND, level: capacity * SECOND, filled_at: now }
    }

    /// Takes `tokens`; false (and nothing taken) when there are not so many.
    pub fn take(&mut self, tokens: u64, now: Micros) -> bool {
        let elapsed = now.saturating_sub(self.filled_at).min(3600 * SECOND);
        self.level = (self.level + elapsed * self.per_second).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
        let cost = tokens * SECOND;
        if self.level < cost {
            return false;
        }
        self.level -= cost;
        true
    }
}

/// Limits DTLS handshakes by source (an IPv4 address, an IPv6 /64) in a table of fixed size.
pub struct SourceLimiter {
    per_second: u64,
    slots: Vec<Option<(u64, TokenBucket)>>,
}

impl SourceLimiter {
    const SLOTS: usize = 4096;

    /// A limiter of `per_second` handshakes a source, with a burst of one second's worth.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: u64::from(per_second), slots: vec![None; Self::SLOTS] }
    }

    /// Whether this source may begin another handshake now. Two sources that share a slot push each other out, which
    /// errs on the side of letting in: a full table must not lock strangers out.
    pub fn allow(&mut self, source: IpAddr, now: Micros) -> bool {
        let key = source_key(source);
        let slot = &mut self.slots[(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % Self::SLOTS];
        match slot {
            Some((known, bucket)) if *known == key => bucket.take(1, now),
            _ => {
                let mut bucket = TokenBucket::new(self.per_second, self.per_second, now);
                let allowed = bucket.take(1, now);
                *slot = Some((key, bucket));
                allowed
            }
        }
    }
}

fn source_key(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64 | 1 << 63,
    }
}

/// Holds a publisher to twice the packets its own frame length implies.
///
/// A packet costs the sound it carries, at least 10 ms of it, and sound flows in at twice real time.
#[derive(Debug, Clone, Copy)]
pub struct Policer {
    samples: TokenBucket,
}

impl Policer {
    const SAMPLES_PER_SECOND: u64 = 48_000;
    const MIN_COST: u64 = 480;

    /// A policer with a burst of one second of sound.
    pub fn new(now: Micros) -> Self {
        Self { samples: TokenBucket::new(2 * Self::SAMPLES_PER_SECOND, Self::SAMPLES_PER_SECOND, now) }
    }

    /// Whether a packet of `samples` (48 kHz) may pass.
    pub fn allow(&mut self, samples: u32, now: Micros) -> bool {
        self.samples.take(u64::from(samples).max(Self::MIN_COST), now)
    }
}

/// Lets a few log lines a second through and counts the rest.
#[derive(Debug)]
pub struct Throttle {
    bucket: TokenBucket,
    suppressed: u64,
}

impl Throttle {
    /// At most `per_second` lines.
    pub fn new(per_second: u32, now: Micros) -> Self {
        Self { bucket: TokenBucket::new(u64::from(per_second), u64::from(per_second), now), suppressed: 0 }
    }

    /// Some(lines suppressed since the last one let through) when a line may be written now.
    pub fn allow(&mut self, now: Micros) -> Option<u64> {
        if self.bucket.take(1, now) {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed += 1;
        None
    }
}
