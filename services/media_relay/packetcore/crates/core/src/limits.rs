//! Limits on what others may make us do: handshakes per source, packets per publisher, log lines per second.

use crate::types::{Micros, SECOND};
use std::hash::{BuildHasher, RandomState};
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

    fn level_at(&self, now: Micros) -> u64 {
        let elapsed = now.saturating_sub(self.filled_at).min(3600 * SECOND);
        (self.level + elapsed * self.per_second).min(self.capacity)
    }

    /// Takes `tokens`; false (and nothing taken) when there are not so many.
    pub fn take(&mut self, tokens: u64, now: Micros) -> bool {
        self.level = self.level_at(now);
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
///
/// A source has two places in it, found by a hash whose key nobody outside knows. When both are taken it gets the one
/// with more tokens, and those: nobody's limit begins anew because another source came, and what all sources together
/// may begin is bounded by the size of the table.
pub struct SourceLimiter {
    hasher: RandomState,
    slots: Box<[Slot]>,
}

#[derive(Clone, Copy)]
struct Slot {
    source: u64,
    bucket: TokenBucket,
}

impl SourceLimiter {
    const SLOTS: usize = 4096;

    /// A limiter of `per_second` handshakes a source, with a burst of one second's worth.
    pub fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        let nobody = Slot { source: NOBODY, bucket: TokenBucket::new(per_second, per_second, 0) };
        Self { hasher: RandomState::new(), slots: vec![nobody; Self::SLOTS].into_boxed_slice() }
    }

    /// Whether this source may begin another handshake now.
    pub fn allow(&mut self, source: IpAddr, now: Micros) -> bool {
        let source = source_key(source);
        let hash = self.hasher.hash_one(source);
        let places = [hash as usize % Self::SLOTS, (hash >> 32) as usize % Self::SLOTS];
        let known = places.into_iter().find(|place| self.slots[*place].source == source);
        let place = known.unwrap_or_else(|| {
            let [first, second] = places.map(|place| self.slots[place].bucket.level_at(now));
            places[usize::from(second > first)]
        });
        let slot = &mut self.slots[place];
        slot.source = source;
        slot.bucket.take(1, now)
    }
}

/// No source has this key.
const NOBODY: u64 = u64::MAX >> 1;

/// What counts as one source: an IPv4 address, or an IPv6 /64.
pub fn source_key(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        // The first bit tells it from an IPv4 address; all public ones have it clear (RFC 4291 §2.4: 2000::/3).
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64 | 1 << 63,
    }
}

/// Turns a deaf ear for a while to a session that sent too much.
///
/// What is sent is charged once it has been authenticated: whoever forges the address of a session cannot use up what
/// it may send. What comes while the ear is deaf is not even decrypted.
#[derive(Debug, Clone, Copy)]
pub struct Ear {
    bucket: TokenBucket,
    deaf_for: Micros,
    deaf_until: Micros,
}

impl Ear {
    /// An ear for `per_second` with bursts of `burst`, deaf for `deaf_for` after more.
    pub fn new(per_second: u64, burst: u64, deaf_for: Micros, now: Micros) -> Self {
        Self { bucket: TokenBucket::new(per_second, burst, now), deaf_for, deaf_until: 0 }
    }

    /// Whether a packet is worth decrypting.
    pub fn listens(&self, now: Micros) -> bool {
        now >= self.deaf_until
    }

    /// Whether what was authenticated may pass, at a cost of `tokens`.
    pub fn allow(&mut self, tokens: u64, now: Micros) -> bool {
        let allowed = self.bucket.take(tokens, now);
        if !allowed {
            self.deaf_until = now + self.deaf_for;
        }
        allowed
    }
}

/// Holds a publisher to twice the packets its own frame length implies.
///
/// A packet costs the sound it carries, at least 10 ms of it, and sound flows in at twice real time.
#[derive(Debug, Clone, Copy)]
pub struct Policer {
    samples: Ear,
}

impl Policer {
    const SAMPLES_PER_SECOND: u64 = 48_000;
    const MIN_COST: u64 = 480;
    /// Short: a publisher whose device was held up for seconds and then sends all at once is not to lose much more.
    const DEAF: Micros = SECOND / 20;

    /// A policer with a burst of one second of sound.
    pub fn new(now: Micros) -> Self {
        Self { samples: Ear::new(2 * Self::SAMPLES_PER_SECOND, Self::SAMPLES_PER_SECOND, Self::DEAF, now) }
    }

    /// Whether a packet is worth decrypting.
    pub fn listens(&self, now: Micros) -> bool {
        self.samples.listens(now)
    }

    /// Whether an authenticated packet of `samples` (48 kHz) may pass.
    pub fn allow(&mut self, samples: u32, now: Micros) -> bool {
        self.samples.allow(u64::from(samples).max(Self::MIN_COST), now)
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
