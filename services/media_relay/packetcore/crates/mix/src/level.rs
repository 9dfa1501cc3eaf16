//! Levels: how loud a frame is, whether that is someone speaking, and the gain that brings speakers to one loudness.

/// Loudness every speaker is brought to, dBov of active speech.
pub const TARGET_DBOV: f32 = -20.0;
/// What silence measures, dBov.
pub const SILENCE_DBOV: f32 = -127.0;
/// Gain is kept within these, dB: more would lift a room's noise to a speaker's level.
const GAIN_RANGE_DB: (f32, f32) = (-18.0, 24.0);
/// Below this nothing counts as speech, dBov.
const QUIETEST_SPEECH: f32 = -58.0;
/// Speech stands this far above a speaker's own noise, dB.
const ABOVE_NOISE: f32 = 8.0;
/// A noise floor is never believed to be louder than this, dBov: a held note is not noise.
const LOUDEST_NOISE: f32 = -54.0;
/// Frames that still count as speaking after the last loud one (300 ms).
const HANGOVER_FRAMES: u8 = 15;
/// Frames that are not loud after which another who speaks may be heard alone (60 ms).
const BETWEEN_WORDS: u32 = 3;
/// Gain of a speaker between words, so that ten open microphones do not add up their rooms (-20 dB).
const GATED: f32 = 0.1;
/// Part of the way to [`GATED`] a closing gate goes in one frame.
const GATE_STEP: f32 = 0.25;
/// A gate counts as closed below this (-14 dB): nobody hears what is left of a room's noise go.
const CLOSED: f32 = 0.2;
/// Loud frames after which the estimate of a speaker's loudness is worth something (0.5 s of speech).
const KNOWN_AFTER: u32 = 25;
/// First frames of a speaker, in which the gain may hurry (2 s of speech).
const SETTLING_FRAMES: u32 = 100;

/// Root mean square of `samples` in dB relative to overload, never below [`SILENCE_DBOV`].
pub fn dbov(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32;
    if power <= 1e-12 { SILENCE_DBOV } else { 10.0 * power.log10() }
}

/// Where a speaker's gain goes while he is loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// To what brings him to the common loudness.
    Loudness,
    /// To 0 dB: he alone speaks, and might be passed through.
    Unity,
    /// Nowhere: nothing of him goes through the mix.
    Hold,
}

/// A dBov value as RFC 6464 writes it: 0 (loudest) to 127.
pub fn rfc6464(dbov: f32) -> u8 {
    (-dbov).clamp(0.0, 127.0).round() as u8
}

/// A gain that moves from one value to the other over the first `over` samples of a frame and then stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// Gain before the first sample.
    pub from: f32,
    /// Gain after `over` samples.
    pub to: f32,
    /// Samples the move takes.
    pub over: usize,
}

impl Ramp {
    /// The same move in that many samples.
    pub fn within(self, over: usize) -> Self {
        Self { over, ..self }
    }

    /// Adds `samples` times the ramp to `mix`.
    pub fn add(&self, samples: &[f32], mix: &mut [f32]) {
        let step = (self.to - self.from) / self.over.max(1) as f32;
        for (index, (sample, sum)) in samples.iter().zip(mix).enumerate() {
            let gain = if index < self.over { self.from + step * index as f32 } else { self.to };
            *sum += sample * gain;
        }
    }
}

/// One speaker's loudness over time.
#[derive(Debug, Clone)]
pub struct SpeakerLevel {
    floor: f32,
    speech: f32,
    gain_db: f32,
    gate: f32,
    applied: f32,
    hangover: u8,
    spoken: u32,
    level: f32,
    /// Frames that were not loud, in a row.
    calm: u32,
    /// The gate opened with this frame.
    opening: bool,
}

impl Default for SpeakerLevel {
    fn default() -> Self {
        Self {
            floor: -70.0,
            speech: TARGET_DBOV,
            gain_db: 0.0,
            gate: GATED,
            applied: 0.0,
            hangover: 0,
            spoken: 0,
            level: SILENCE_DBOV,
            calm: 0,
            opening: false,
        }
    }
}

impl SpeakerLevel {
    /// Takes the level of the next frame, dBov before any gain.
    pub fn hear(&mut self, level: f32, aim: Aim) {
        self.level = level;
        let loud = self.is_loud(level);
        self.follow_noise(level);
        if loud {
            self.hangover = HANGOVER_FRAMES;
            self.calm = 0;
            self.follow_speech(level, aim);
        } else {
            self.hangover = self.hangover.saturating_sub(1);
            self.calm = self.calm.saturating_add(1);
        }
        self.opening = self.speaking() && self.gate < 1.0;
        self.gate = if self.speaking() { 1.0 } else { self.gate + (GATED - self.gate) * GATE_STEP };
    }

    /// The gain that the frame heard last gets in the mix.
    pub fn ramp(&mut self) -> Ramp {
        let from = self.applied;
        self.applied = self.gate * 10f32.powf(self.gain_db / 20.0);
        Ramp { from, to: self.applied, over: if self.opening || from == 0.0 { 240 } else { 960 } }
    }

    /// The last frame of his that is mixed: it fades.
    pub fn fade(&mut self) -> Ramp {
        Ramp { from: std::mem::take(&mut self.applied), to: 0.0, over: 960 }
    }

    /// His own packets are heard from now on.
    pub fn pass(&mut self) {
        self.gain_db = 0.0;
        self.applied = 1.0;
    }

    /// He was listened to and not heard: his first word comes at the common loudness.
    pub fn prepare(&mut self) {
        self.gain_db = self.wanted_db().unwrap_or(self.gain_db);
    }

    /// Nothing of him is heard any more.
    pub fn leave(&mut self) {
        self.applied = 0.0;
    }

    /// Whether a frame of that level is speech.
    pub fn is_loud(&self, level: f32) -> bool {
        level > QUIETEST_SPEECH.max(self.floor + ABOVE_NOISE)
    }

    /// Speaking now, or a moment ago.
    pub fn speaking(&self) -> bool {
        self.hangover > 0
    }

    /// Speaking now: not just in the moment after the last word in which the next may come.
    pub fn is_active(&self) -> bool {
        self.speaking() && self.calm < BETWEEN_WORDS
    }

    /// Heard exactly as he came.
    pub fn is_unity(&self) -> bool {
        self.gain_db == 0.0 && self.applied == 1.0
    }

    /// Frames since the last loud one.
    pub fn calm_frames(&self) -> u32 {
        self.calm
    }

    /// Between words and as quiet as that gets.
    pub fn is_closed(&self) -> bool {
        !self.speaking() && self.gate < CLOSED
    }

    /// Level of the last frame with its gain, dBov.
    pub fn heard_dbov(&self) -> f32 {
        (self.level + self.gain_db + 20.0 * self.gate.log10()).max(SILENCE_DBOV)
    }

    /// Level of the last frame as it came, dBov.
    pub fn dbov(&self) -> f32 {
        self.level
    }

    /// Mean level of what was speech, dBov; none before he spoke for a while.
    pub fn speech_dbov(&self) -> Option<f32> {
        (self.spoken >= KNOWN_AFTER).then_some(self.speech)
    }

    /// Gain now in force, dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Gain that would bring him to the common loudness, dB; none before he spoke for a while.
    pub fn wanted_db(&self) -> Option<f32> {
        (self.spoken >= KNOWN_AFTER).then(|| self.wanted())
    }

    fn wanted(&self) -> f32 {
        (TARGET_DBOV - self.speech).clamp(GAIN_RANGE_DB.0, GAIN_RANGE_DB.1)
    }

    /// The noise under the speech: falls at once, rises 1 dB a second.
    fn follow_noise(&mut self, level: f32) {
        self.floor = if level < self.floor {
            self.floor + 0.3 * (level.max(-90.0) - self.floor)
        } else {
            (self.floor + 0.02).min(LOUDEST_NOISE)
        };
    }

    /// Mean power of the loud frames only, so that pauses neither lower the estimate nor pump the gain.
    fn follow_speech(&mut self, level: f32, aim: Aim) {
        self.spoken = self.spoken.saturating_add(1);
        let weight = (1.0 / self.spoken as f32).max(0.02);
        let power = (1.0 - weight) * 10f32.powf(self.speech / 10.0) + weight * 10f32.powf(level / 10.0);
        self.speech = 10.0 * power.log10();
        let settling = self.spoken <= SETTLING_FRAMES;
        let (to, (down, up)) = match aim {
            Aim::Loudness => (self.wanted(), if settling { (-1.0, 0.5) } else { (-0.4, 0.1) }),
            // He was heard at 0 dB a moment ago, and soon will be again.
            Aim::Unity => (0.0, if settling { (-1.0, 0.5) } else { (-0.4, 0.4) }),
            Aim::Hold => return,
        };
        self.gain_db += (to - self.gain_db).clamp(down, up);
    }
}
