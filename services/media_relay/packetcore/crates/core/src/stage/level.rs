//! How loud somebody is, smoothed so that words and not syllables decide.

use crate::types::{Micros, SECOND};

/// Nothing heard for this long counts as silence (Opus DTX sends one packet each 400 ms).
const STALE_AFTER: Micros = 300_000;
/// Speaking begins above this and ends below the other one, in dB above -127 dBov.
const SPEAKING_ABOVE: i32 = 127 - 50;
const SILENT_BELOW: i32 = 127 - 60;
/// Speaking goes on through pauses shorter than this.
const HANG: Micros = 400_000;

/// One member's level.
#[derive(Debug, Clone, Default)]
pub struct LevelMeter {
    /// dB above -127 dBov, times 16.
    smooth: i32,
    heard_at: Option<Micros>,
    loud_at: Option<Micros>,
    speaking: bool,
}

impl LevelMeter {
    /// Takes the level of one packet, -dBov 0..=127.
    pub fn hear(&mut self, level: u8, now: Micros) {
        let loudness = (127 - i32::from(level.min(127))) * 16;
        let step = loudness - self.smooth;
        // Fast up (about 40 ms), slow down (about 400 ms): a speaker does not vanish between words.
        self.smooth += if step > 0 { step / 2 } else { step / 20 };
        self.heard_at = Some(now);
        if self.smooth / 16 >= SPEAKING_ABOVE {
            self.speaking = true;
            self.loud_at = Some(now);
        } else if self.smooth / 16 >= SILENT_BELOW && self.speaking {
            self.loud_at = Some(now);
        }
    }

    /// Forgets what was heard: the member was muted.
    pub fn silence(&mut self) {
        *self = Self::default();
    }

    /// Loudness in dB above silence; 0 when nothing was heard lately.
    pub fn loudness(&self, now: Micros) -> i32 {
        match self.heard_at {
            Some(at) if now.saturating_sub(at) < STALE_AFTER => self.smooth / 16,
            _ => 0,
        }
    }

    /// The same as RFC 6464 says it, -dBov.
    pub fn level(&self, now: Micros) -> u8 {
        (127 - self.loudness(now)).clamp(0, 127) as u8
    }

    /// Whether they are speaking, short pauses included.
    pub fn is_speaking(&self, now: Micros) -> bool {
        self.speaking && self.loud_at.is_some_and(|at| now.saturating_sub(at) < HANG)
    }

    /// How long they have been silent.
    pub fn silent_for(&self, now: Micros) -> Micros {
        self.loud_at.map_or(60 * SECOND, |at| now.saturating_sub(at))
    }
}

/// The level of a packet whose sender does not say it: sound makes Opus packets larger than silence does.
pub fn level_by_size(payload: usize, samples: u32) -> u8 {
    let bytes_per_20_ms = payload * 960 / samples.max(120) as usize;
    if bytes_per_20_ms >= 20 { 30 } else { 127 }
}
