//! Measures what the work on a programme costs here: encoding at each effort, decoding, mixing, passing.

use crate::{RelayError, sys};
use majlis_mix::{FRAME, Mixer, ProgrammeEncoder, SpeechDecoder, TARGET_DBOV, TICK};
use majlis_programme::{DEFAULT_BITRATE, DEFAULT_COMPLEXITY, DEFAULT_COSTS, EncoderCosts, MixerConfig, Mixing, RtpIn};
use std::collections::BTreeMap;
use std::f32::consts::TAU;

/// Frames of sound that are measured with, over and over: words for three seconds, a pause, and words again.
const TALK: usize = 250;
const PAUSE: std::ops::Range<usize> = WORDS..180;
const WORDS: usize = 150;
/// Frames that a second speaker is ahead of the first.
const SHIFT: usize = 12;
/// Frames before a measurement begins: caches and histories fill.
const WARM: usize = 10;

/// What 20 ms of sound cost, µs of CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkCosts {
    /// Decoding one speaker.
    pub decode: f64,
    /// Everything else about a mixed frame: jitter buffers, levels, limiter.
    pub mix: f64,
    /// A frame of a lone speaker that is passed through.
    pub pass: f64,
    /// Encoding at each complexity, the lowest first.
    pub encode: Vec<(u8, f64)>,
}

impl WorkCosts {
    /// By name: `decode`, `mix`, `pass`, and `encode_10` and its like.
    pub fn named(&self) -> BTreeMap<String, f64> {
        let encode = self.encode.iter().map(|(complexity, cost)| (format!("encode_{complexity}"), *cost));
        let others = [("decode", self.decode), ("mix", self.mix), ("pass", self.pass)];
        others.into_iter().map(|(name, cost)| (name.to_owned(), cost)).chain(encode).collect()
    }

    /// Those of encoding, as the effort of encoders is chosen by them.
    pub fn encoder(&self) -> EncoderCosts {
        let cost = |(complexity, fallback): (u8, u32)| {
            let measured = self.encode.iter().find(|(at, _)| *at == complexity);
            (complexity, measured.map_or(fallback, |(_, cost)| cost.round() as u32))
        };
        DEFAULT_COSTS.map(cost)
    }
}

/// Measures with a speech-like sound for about `seconds` of the calling thread's CPU.
pub fn measure_work(seconds: f64) -> Result<WorkCosts, RelayError> {
    if !(0.01..=30.0).contains(&seconds) {
        return Err(RelayError::Argument("seconds must be 0.01 to 30".to_owned()));
    }
    let share = |part: f64| (seconds * part * 1e9) as u64;
    let sound = talk();
    let packets = spoken(&sound)?;
    let mut encode = Vec::new();
    for (complexity, _) in DEFAULT_COSTS {
        let mut encoder = ProgrammeEncoder::new(DEFAULT_BITRATE, complexity)?;
        let cost = timed(share(0.1), |at| encoder.encode(&sound[at % WORDS]).map(drop).map_err(RelayError::from))?;
        encode.push((complexity, cost));
    }
    let mut decoder = SpeechDecoder::new()?;
    let mut pcm = Vec::with_capacity(FRAME);
    let decode = timed(share(0.1), |at| {
        pcm.clear();
        decoder.decode(&packets[at % WORDS].0, &mut pcm).map(drop).map_err(RelayError::from)
    })?;
    let mixed = Bench::new(&packets[..WORDS], 2)?.measure(WARM, share(0.1))?;
    // libopus may take two voices for music: what is subtracted is what encoding just them costs.
    let both =
        |at: usize| std::array::from_fn(|sample| sound[at % WORDS][sample] + sound[(at + SHIFT) % WORDS][sample]);
    let mut encoder = ProgrammeEncoder::new(DEFAULT_BITRATE, DEFAULT_COMPLEXITY)?;
    let encoded = timed(share(0.1), |at| encoder.encode(&both(at)).map(drop).map_err(RelayError::from))?;
    // Long enough for the mixer to trust the level that is stated, and to find a pause.
    let passed = Bench::new(&packets, 1)?.measure(TALK, share(0.05))?;
    Ok(WorkCosts { decode, mix: (mixed - 2.0 * decode - encoded).max(0.0), pass: passed.min(mixed), encode })
}

/// µs of CPU of one call, the mean over as many as fit into `nanoseconds`; `work` is told which call it is.
fn timed(nanoseconds: u64, mut work: impl FnMut(usize) -> Result<(), RelayError>) -> Result<f64, RelayError> {
    let clock = sys::CpuClock::of_this_thread().ok_or(RelayError::NoAnswer)?;
    let spent = || clock.nanoseconds().unwrap_or(0);
    (0..WARM).try_for_each(&mut work)?;
    let (begin, mut calls) = (spent(), 0);
    loop {
        work(WARM + calls)?;
        calls += 1;
        let elapsed = spent() - begin;
        if elapsed >= nanoseconds {
            return Ok(elapsed as f64 / 1000.0 / calls as f64);
        }
    }
}

/// A mixer and its speakers, who all say the same with a syllable between them.
struct Bench<'a> {
    mixer: Mixer,
    packets: &'a [(Vec<u8>, u8)],
    speakers: usize,
}

impl<'a> Bench<'a> {
    fn new(packets: &'a [(Vec<u8>, u8)], speakers: usize) -> Result<Self, RelayError> {
        let config = MixerConfig {
            stream: 1,
            first_sequence: 0,
            first_timestamp: 0,
            bits_per_second: DEFAULT_BITRATE,
            complexity: DEFAULT_COMPLEXITY,
            thrift: false,
        };
        let mut mixer = Mixer::new(config, 0)?;
        for member in 0..speakers {
            mixer.add_member(member as u32)?;
        }
        Ok(Self { mixer, packets, speakers })
    }

    fn measure(mut self, warm: usize, nanoseconds: u64) -> Result<f64, RelayError> {
        (0..warm).for_each(|tick| self.tick(tick));
        timed(nanoseconds, |at| {
            self.tick(warm + at);
            Ok(())
        })
    }

    fn tick(&mut self, tick: usize) {
        let now = tick as u64 * TICK;
        for speaker in 0..self.speakers {
            let at = (tick + SHIFT * speaker) % self.packets.len();
            let (payload, level) = &self.packets[at];
            let packet = RtpIn {
                ssrc: speaker as u32,
                sequence: tick as u16,
                timestamp: tick as u32 * FRAME as u32,
                level: Some(*level),
                payload,
            };
            Mixing::handle_rtp(&mut self.mixer, speaker as u32, packet, now);
        }
        self.mixer.poll_frame(now, 0);
    }
}

/// What a microphone sends: packets, and the level that it states with each (RFC 6464).
fn spoken(sound: &[[f32; FRAME]]) -> Result<Vec<(Vec<u8>, u8)>, RelayError> {
    let mut encoder = ProgrammeEncoder::new(DEFAULT_BITRATE, 1)?;
    let spoken = |frame: &[f32; FRAME]| {
        let power: f32 = frame.iter().map(|sample| sample * sample).sum::<f32>() / FRAME as f32;
        Ok((encoder.encode(frame)?.to_vec(), (-10.0 * power.log10()).clamp(0.0, 127.0) as u8))
    };
    sound.iter().map(spoken).collect()
}

/// What costs a codec about as much as speech: pulses of a wandering pitch through two formants that move, in syllables,
/// with hissing between them; as loud as the leveller wants it.
fn talk() -> Vec<[f32; FRAME]> {
    let (mut phase, mut noise, mut formants) = (0.0f32, 1u32, [[0.0f32; 2]; 2]);
    let mut frame = |frame: usize| {
        let turns = TAU * 0.02 * frame as f32;
        let syllable = (turns * 2.1).sin();
        let pitch = (118.0 + 22.0 * (turns * 0.7).sin()) / 48_000.0;
        let loud = 0.35 + 0.3 * (syllable + 1.0);
        let poles = [550.0 + 200.0 * (turns * 1.3).sin(), 1500.0 + 600.0 * (turns * 1.7).sin()].map(pole);
        let mut sample = || {
            phase += pitch;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 8) as f32 / (1 << 24) as f32 - 0.5;
            let source = if syllable > -0.6 { pulse + 0.01 * hiss } else { 0.12 * hiss };
            let heard = formants.iter_mut().zip(poles).map(|(state, (near, far))| {
                *state = [source + near * state[0] - far * state[1], state[0]];
                state[0]
            });
            loud * heard.sum::<f32>()
        };
        let pcm: [f32; FRAME] = std::array::from_fn(|_| sample());
        if PAUSE.contains(&frame) { [0.0; FRAME] } else { pcm }
    };
    let mut sound: Vec<[f32; FRAME]> = (0..TALK).map(&mut frame).collect();
    let said = sound[..WORDS].as_flattened();
    let power = said.iter().map(|sample| sample * sample).sum::<f32>() / said.len() as f32;
    let gain = 10f32.powf(TARGET_DBOV / 20.0) / power.sqrt();
    sound.as_flattened_mut().iter_mut().for_each(|sample| *sample *= gain);
    sound
}

/// Coefficients of a resonance of 90 Hz width.
fn pole(hertz: f32) -> (f32, f32) {
    let radius = (-std::f32::consts::PI * 90.0 / 48_000.0).exp();
    (2.0 * radius * (TAU * hertz / 48_000.0).cos(), radius * radius)
}

#[cfg(test)]
mod tests {
    use super::measure_work;

    #[test]
    fn costs_are_told_by_name_and_in_their_order() {
        let costs = measure_work(0.1).expect("libopus works");
        let named = costs.named();
        let names: Vec<&str> = named.keys().map(String::as_str).collect();
        assert_eq!(names, ["decode", "encode_1", "encode_10", "encode_3", "encode_5", "encode_7", "mix", "pass"]);
        assert!(named.iter().all(|(name, cost)| name == "mix" || *cost > 0.0), "{named:?}");
        assert_eq!(costs.encoder().map(|(complexity, _)| complexity), [1, 3, 5, 7, 10]);
        assert!(measure_work(0.0).is_err());
    }
}
