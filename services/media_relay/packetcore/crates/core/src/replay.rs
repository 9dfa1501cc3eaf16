//! A sliding window over packet indices: each index is accepted once, and what is too old to know is refused.

/// Indices behind the newest one that are still told apart.
pub const WINDOW: u64 = 128;

/// The window; used for packets received (RFC 3711 §3.3.2) and, so that no index is sealed twice, for packets sent.
#[derive(Debug, Clone, Default)]
pub struct ReplayWindow {
    /// The newest index plus one; 0 before the first.
    next: u64,
    /// Bit n is set when index `next - 1 - n` was accepted.
    mask: u128,
}

impl ReplayWindow {
    /// A window that takes nothing up to `highest`, for all of it may have been accepted.
    pub fn after(highest: u64) -> Self {
        Self { next: highest + 1, mask: u128::MAX }
    }

    /// The newest accepted index.
    pub fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Whether `index` would be accepted.
    pub fn is_new(&self, index: u64) -> bool {
        if index >= self.next {
            return true;
        }
        let age = self.next - 1 - index;
        age < WINDOW && self.mask & (1 << age) == 0
    }

    /// Accepts `index`; false (and no change) when it was accepted before or is too old.
    pub fn accept(&mut self, index: u64) -> bool {
        if !self.is_new(index) {
            return false;
        }
        if index < self.next {
            self.mask |= 1 << (self.next - 1 - index);
            return true;
        }
        let step = index + 1 - self.next;
        self.mask = if step < WINDOW { self.mask << step } else { 0 } | 1;
        self.next = index + 1;
        true
    }
}
