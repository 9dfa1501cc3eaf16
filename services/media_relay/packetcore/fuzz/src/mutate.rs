//! Mutations of inputs, the same for the same seed.

/// Longest input.
const MAX_LEN: usize = 1600;
/// Values at which parsers go wrong.
const INTERESTING: [u8; 10] = [0, 1, 3, 4, 0x7f, 0x80, 0x81, 0xbe, 0xde, 0xff];

/// A source of mutated inputs (xorshift64*).
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// The same seed gives the same inputs.
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(2) | 1 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    /// One of the inputs, changed in one to eight places.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change(&mut input, corpus);
        }
        input.truncate(MAX_LEN);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len());
        match self.below(8) {
            0 => flip(input, at, 1 << self.below(8)),
            1 => set(input, at, INTERESTING[self.below(INTERESTING.len())]),
            2 => set(input, at, self.next() as u8),
            3 => input.truncate(at),
            4 => input.insert(at, self.next() as u8),
            5 => drop(input.drain(at..(at + 1 + self.below(8)).min(input.len()))),
            6 => {
                let piece: Vec<u8> = input[at..].iter().copied().take(1 + self.below(16)).collect();
                input.splice(at..at, piece);
            }
            _ => {
                // The head of this one and the tail of another.
                let other = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
                input.truncate(at);
                input.extend_from_slice(&other[self.below(other.len()).min(other.len())..]);
            }
        }
    }
}

fn flip(input: &mut [u8], at: usize, mask: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= mask;
    }
}

fn set(input: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = value;
    }
}
