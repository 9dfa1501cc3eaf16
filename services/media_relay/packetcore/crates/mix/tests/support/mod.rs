//! What the tests share: speakers that encode tones, a seeded network between them and the mixer, and a listener's ear.
#![allow(dead_code)]
use majlis_mix::{Mixer, SpeechDecoder, TICK};
use majlis_programme::{MixerConfig, ProgrammeFrame, RtpIn};
use std::f32::consts::TAU;

pub const RATE: usize = 48_000;

/// A small seeded generator (SplitMix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A speaker's own encoder and packet counters.
pub struct Voice {
    encoder: opus::Encoder,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub frame: usize,
    /// States its level, so many dB louder than it is.
    pub states: Option<f32>,
    sample: usize,
    sound: Box<dyn FnMut(usize) -> f32>,
}

/// A packet on its way.
#[derive(Clone)]
pub struct Sent {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub level: Option<u8>,
    pub payload: Vec<u8>,
}

impl Sent {
    pub fn rtp(&self) -> RtpIn<'_> {
        RtpIn {
            ssrc: self.ssrc,
            sequence: self.sequence,
            timestamp: self.timestamp,
            level: self.level,
            payload: &self.payload,
        }
    }
}

impl Voice {
    pub fn new(ssrc: u32, sound: impl FnMut(usize) -> f32 + 'static) -> Self {
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(64_000)).unwrap();
        Self {
            encoder,
            ssrc,
            sequence: 65_530,
            timestamp: u32::MAX - 9_000,
            frame: 960,
            states: None,
            sample: 0,
            sound: Box::new(sound),
        }
    }

    pub fn tone(ssrc: u32, hertz: f32, amplitude: f32) -> Self {
        Self::new(ssrc, move |n| amplitude * (TAU * hertz * n as f32 / RATE as f32).sin())
    }

    /// Low-delay speech coding with in-band FEC for `loss` percent.
    pub fn with_fec(mut self, loss: i32) -> Self {
        self.encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        self.encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
        self.encoder.set_inband_fec(true).unwrap();
        self.encoder.set_packet_loss_perc(loss).unwrap();
        self.encoder.set_signal(opus::Signal::Voice).unwrap();
        self
    }

    /// As a browser sends: 32 kbit/s for speech, stating its level.
    pub fn browser(ssrc: u32, sound: impl FnMut(usize) -> f32 + 'static) -> Self {
        Self::new(ssrc, sound).coded(opus::Application::Voip, |encoder| {
            encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
        })
    }

    /// Another encoder, which states its level.
    pub fn coded(mut self, application: opus::Application, set: impl FnOnce(&mut opus::Encoder)) -> Self {
        self.encoder = opus::Encoder::new(48_000, opus::Channels::Mono, application).unwrap();
        set(&mut self.encoder);
        self.states = Some(0.0);
        self
    }

    pub fn say(&mut self) -> Sent {
        let pcm: Vec<f32> = (0..self.frame).map(|n| (self.sound)(self.sample + n)).collect();
        let payload = self.encoder.encode_vec_float(&pcm, 1275).unwrap();
        let level = self.states.map(|more| (-(rms_db(&pcm) + more)).round().clamp(0.0, 127.0) as u8);
        let sent = Sent { ssrc: self.ssrc, sequence: self.sequence, timestamp: self.timestamp, level, payload };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.frame as u32);
        self.sample += self.frame;
        sent
    }

    /// Lets time pass without sending.
    pub fn rest(&mut self, samples: usize) {
        self.timestamp = self.timestamp.wrapping_add(samples as u32);
        self.sample += samples;
    }
}

pub fn mixer(members: impl IntoIterator<Item = u32>) -> Mixer {
    let config = MixerConfig {
        stream: 9,
        first_sequence: u32::MAX - 5,
        first_timestamp: u32::MAX - 5000,
        bits_per_second: 32_000,
        complexity: 10,
        thrift: false,
    };
    let mut mixer = Mixer::new(config, 0).unwrap();
    for member in members {
        mixer.add_member(member).unwrap();
    }
    mixer
}

/// A listener who hears every frame, and silence where none came.
pub struct Ear {
    decoder: SpeechDecoder,
    pub heard: Vec<f32>,
    resting: bool,
    pub concealed: usize,
}

impl Ear {
    pub fn new() -> Self {
        Self { decoder: SpeechDecoder::new().unwrap(), heard: Vec::new(), resting: true, concealed: 0 }
    }

    pub fn hear(&mut self, frame: Option<&ProgrammeFrame>) {
        match frame {
            Some(frame) => {
                self.resting = frame.end_of_talk;
                self.decoder.decode(frame.payload.as_slice(), &mut self.heard).unwrap();
            }
            None => {
                self.concealed += usize::from(!self.resting);
                self.decoder.conceal(960, &mut self.heard).unwrap();
            }
        }
    }
}

/// A packet handed to the mixer: arrival (µs), member, packet.
pub type Arrival = (u64, u32, Sent);

/// Runs the mixer over arrivals (any order) for `ticks` ticks; one entry per tick.
pub fn run(mixer: &mut Mixer, mut arrivals: Vec<Arrival>, ticks: u64) -> Vec<Option<ProgrammeFrame>> {
    arrivals.sort_by_key(|(at, _, _)| *at);
    let mut waiting = arrivals.into_iter().peekable();
    let first = mixer.next_poll();
    (0..ticks)
        .map(|tick| {
            let now = first + tick * TICK;
            while let Some((at, member, sent)) = waiting.next_if(|(at, _, _)| *at <= now) {
                mixer.handle_rtp(member, sent.rtp(), at);
            }
            mixer.poll_frame(now, now << 12)
        })
        .collect()
}

/// Packets of one speaker sent each `frame` from `start` µs on, over a perfect network.
pub fn steady(voice: &mut Voice, member: u32, start: u64, packets: usize) -> Vec<Arrival> {
    let step = voice.frame as u64 * 1_000_000 / 48_000;
    (0..packets).map(|n| (start + n as u64 * step, member, voice.say())).collect()
}

/// Packets of one speaker in threes, as one packet each (RFC 6716 §3.2) where all are of one configuration.
pub fn in_threes(packets: Vec<Arrival>) -> Vec<Arrival> {
    let mut sequence = 0u16;
    let mut numbered = |(at, member, sent): Arrival| {
        sequence = sequence.wrapping_add(1);
        (at, member, Sent { sequence, ..sent })
    };
    let mut wrapped = Vec::new();
    for three in packets.chunks_exact(3) {
        let payloads: Vec<&[u8]> = three.iter().map(|(_, _, sent)| &sent.payload[..]).collect();
        let (at, member, last) = three[2].clone();
        let mut payload = vec![0; 1500];
        if let Ok(len) = opus::Repacketizer::new().unwrap().combine(&payloads, &mut payload) {
            payload.truncate(len);
            wrapped.push(numbered((at, member, Sent { timestamp: three[0].2.timestamp, payload, ..last })));
        } else {
            wrapped.extend(three.iter().map(|(_, _, sent)| numbered((at, member, sent.clone()))));
        }
    }
    wrapped
}

pub fn hear_all(frames: &[Option<ProgrammeFrame>]) -> Vec<f32> {
    let mut ear = Ear::new();
    frames.iter().for_each(|frame| ear.hear(frame.as_ref()));
    ear.heard
}

/// Amplitude of one frequency in `samples` (Goertzel, Hann window), dB.
pub fn tone_db(samples: &[f32], hertz: f32) -> f32 {
    let len = samples.len() as f32;
    let (mut re, mut im, mut sum) = (0.0f64, 0.0f64, 0.0f64);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * n as f32 / len).cos();
        let angle = f64::from(hertz) * std::f64::consts::TAU * n as f64 / RATE as f64;
        re += f64::from(window * sample) * angle.cos();
        im += f64::from(window * sample) * angle.sin();
        sum += f64::from(window);
    }
    (20.0 * (2.0 * (re * re + im * im).sqrt() / sum).max(1e-9).log10()) as f32
}

pub fn rms_db(samples: &[f32]) -> f32 {
    10.0 * (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).max(1e-12).log10()
}

/// Speech-like sound: a gliding buzz with syllables and pauses, at about `amplitude`.
pub fn speech(seed: u64, amplitude: f32) -> impl FnMut(usize) -> f32 {
    let mut noise = Seeded(seed);
    let (base, mut phase) = (90.0 + (seed % 7) as f32 * 25.0, 0.0f32);
    move |n| {
        let time = n as f32 / RATE as f32;
        phase = (phase + base * (1.0 + 0.15 * (TAU * 0.7 * time).sin()) / RATE as f32).fract();
        let buzz: f32 = (1..12).map(|k| (TAU * phase * k as f32).sin() / k as f32).sum();
        let syllable = (TAU * 2.3 * time + seed as f32).sin().max(0.0).sqrt();
        amplitude * (buzz * syllable * 0.7 + 0.002 * (noise.share() as f32 - 0.5))
    }
}
