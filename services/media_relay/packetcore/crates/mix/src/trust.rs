//! Whether the level that a sender states (RFC 6464) may be believed: by decoding now and then what he says.

/// Loud frames that must have been compared before a sender is believed (2 s of speech).
const LEARNING: u32 = 100;
/// Loud frames of a later check (half a second).
const CHECKING: u32 = 25;
/// Frames passed between two checks (30 s).
const CHECK_EVERY: u32 = 1500;
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
    /// Believed for so many frames.
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
    settling: u32,
    compared: u32,
    bias: f32,
    spread: f32,
}

impl Default for Trust {
    fn default() -> Self {
        Self { verdict: Verdict::Open(LEARNING), again: false, settling: 0, compared: 0, bias: 0.0, spread: 0.0 }
    }
}

impl Trust {
    /// Whether a stated level may stand for a decoded one.
    pub fn believes(&self) -> bool {
        matches!(self.verdict, Verdict::Believed(_)) || self.again && self.verdict != Verdict::Refused
    }

    /// Whether his packets must be decoded though nobody hears the result.
    pub fn wants_sound(&self) -> bool {
        !matches!(self.verdict, Verdict::Believed(_))
    }

    /// A frame was passed.
    pub fn passed(&mut self) {
        if let Verdict::Believed(frames) = &mut self.verdict {
            *frames += 1;
            if *frames >= CHECK_EVERY {
                *self = Self { verdict: Verdict::Open(CHECKING), again: true, settling: SETTLING, ..Self::default() };
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
        let after = if honest { Verdict::Believed(0) } else { Verdict::Refused };
        *self = Self { verdict: after, ..Self::default() };
    }
}
