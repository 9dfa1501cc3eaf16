//! Whether the level that a sender states (RFC 6464) may be believed: by decoding now and then what he says.

/// Loud frames that must have been compared before a sender is believed (2 s of speech).
const LEARNING: u32 = 100;
/// Loud frames of a later check (half a second).
const CHECKING: u32 = 25;
/// Frames taken at a believed sender's word before the next check, at least and at most (3 and 7 s): nobody can know when.
const UNCHECKED: (u32, u32) = (150, 350);
/// Quiet frames that end a later check (a tenth of a second): one who says nothing is to cost next to nothing.
const LOOKING: u32 = 5;
/// First frames of a check, which the decoder needs to find into the sound.
const SETTLING: u32 = 5;
/// Most that stated and decoded level may differ by on average, dB.
const MOST_BIAS: f32 = 3.0;
/// Most that single frames may differ by, on average, dB: senders measure a few milliseconds apart from what they code.
const MOST_SPREAD: f32 = 8.0;
/// Only frames louder than this are compared, dBov.
const LOUD: f32 = -50.0;

/// What is known of one sender's statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Frames are compared; so many loud ones are needed.
    Open(u32),
    /// Believed for so many frames more.
    Believed(u32),
    /// Never again.
    Refused,
}

/// One sender's honesty.
#[derive(Debug, Clone)]
pub struct Trust {
    verdict: Verdict,
    /// A check of one who was believed: he goes on being believed meanwhile.
    again: bool,
    /// Where the next number that nobody can know comes from.
    random: u64,
    settling: u32,
    /// Frames that were as quiet as he said.
    quiet: u32,
    compared: u32,
    bias: f32,
    spread: f32,
}

impl Trust {
    /// Nothing is known of a sender; the seed is secret.
    pub fn new(seed: u64) -> Self {
        Self {
            verdict: Verdict::Open(LEARNING),
            again: false,
            random: seed,
            settling: 0,
            quiet: 0,
            compared: 0,
            bias: 0.0,
            spread: 0.0,
        }
    }

    /// Whether a stated level may stand for a decoded one.
    pub fn believes(&self) -> bool {
        matches!(self.verdict, Verdict::Believed(_)) || self.again && self.verdict != Verdict::Refused
    }

    /// Whether his packets must be decoded though nobody hears the result.
    pub fn wants_sound(&self) -> bool {
        !matches!(self.verdict, Verdict::Believed(_))
    }

    /// A frame was taken at his word, without decoding it: whether it was passed or he says that he is silent.
    pub fn took(&mut self) {
        if let Verdict::Believed(left) = &mut self.verdict {
            *left -= 1;
            if *left == 0 {
                let verdict = Verdict::Open(CHECKING);
                *self = Self { verdict, again: true, settling: SETTLING, ..Self::new(self.random) };
            }
        }
    }

    /// A frame was decoded whose sender stated a level, or none.
    pub fn compare(&mut self, stated: Option<f32>, decoded: f32) {
        let Verdict::Open(needed) = self.verdict else { return };
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        let Some(stated) = stated else { return };
        if decoded < LOUD && stated < LOUD {
            self.quiet += 1;
            if self.again && self.compared == 0 && self.quiet == LOOKING {
                self.believe();
            }
            return;
        }
        self.compared += 1;
        self.bias += stated - decoded;
        self.spread += (stated - decoded).abs();
        if self.compared < needed {
            return;
        }
        let frames = self.compared as f32;
        let honest = (self.bias / frames).abs() <= MOST_BIAS && self.spread / frames <= MOST_SPREAD;
        if honest {
            self.believe();
        } else {
            *self = Self { verdict: Verdict::Refused, ..Self::new(self.random) };
        }
    }

    fn believe(&mut self) {
        // Xorshift* (Vigna): what it gave last is never told to anybody.
        let mut next = self.random.max(1);
        next ^= next >> 12;
        next ^= next << 25;
        next ^= next >> 27;
        let (least, most) = UNCHECKED;
        let frames = least + (next.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32 % (most - least + 1);
        *self = Self { verdict: Verdict::Believed(frames), ..Self::new(next) };
    }
}

#[cfg(test)]
mod tests {
    use super::{CHECKING, LEARNING, LOOKING, SETTLING, Trust, UNCHECKED};

    fn believed() -> Trust {
        let mut trust = Trust::new(7);
        (0..LEARNING).for_each(|_| trust.compare(Some(-20.0), -20.0));
        assert!(trust.believes() && !trust.wants_sound());
        trust
    }

    /// Frames until the next check.
    fn until_checked(trust: &mut Trust) -> u32 {
        let frames = (1..=UNCHECKED.1).find(|_| {
            trust.took();
            trust.wants_sound()
        });
        assert!(trust.believes());
        frames.expect("a check")
    }

    #[test]
    fn who_is_believed_is_checked_when_he_cannot_know_it_and_all_goes_on_meanwhile() {
        let mut trust = believed();
        let mut waits = Vec::new();
        for _ in 0..20 {
            waits.push(until_checked(&mut trust));
            (0..SETTLING + CHECKING).for_each(|_| trust.compare(Some(-20.0), -21.0));
            assert!(trust.believes() && !trust.wants_sound());
        }
        assert!(waits.iter().all(|wait| (UNCHECKED.0..=UNCHECKED.1).contains(wait)), "{waits:?}");
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 10, "{waits:?}");
    }

    #[test]
    fn who_speaks_and_says_silence_is_found_out_though_nothing_of_him_is_passed() {
        let mut trust = believed();
        until_checked(&mut trust);
        (0..SETTLING + 1).for_each(|_| trust.compare(Some(-127.0), -25.0));
        for _ in 1..CHECKING {
            // Pauses between words do not end a check that found something.
            (0..LOOKING).for_each(|_| trust.compare(Some(-127.0), -90.0));
            trust.compare(Some(-127.0), -25.0);
        }
        assert!(!trust.believes() && trust.wants_sound());
    }

    #[test]
    fn a_silent_microphone_is_decoded_for_a_tenth_of_a_second_at_a_time() {
        let mut trust = believed();
        until_checked(&mut trust);
        (0..SETTLING + LOOKING).for_each(|_| {
            assert!(trust.wants_sound());
            trust.compare(Some(-127.0), -90.0);
        });
        assert!(trust.believes() && !trust.wants_sound());
    }
}
