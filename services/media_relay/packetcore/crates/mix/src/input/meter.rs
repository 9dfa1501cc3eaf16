//! One member's microphone: what is read from every packet, and what from those that are decoded.

use super::InputReading;
use super::envelope::Envelope;
use super::spectrum::Spectrum;
use crate::codec::{CodecError, FRAME, MAX_PACKET, SpeechDecoder};
use crate::level::{Aim, SpeakerLevel, dbov};
use majlis_core::stage::level_by_size;
use majlis_core::{Micros, SECOND};
use majlis_programme::{OpusPacket, RtpIn};

/// Packets that a decoder needs to find into the sound.
const SETTLING: u32 = 3;
/// Packets that are decoded and measured then, a quarter of a second.
const MEASURED: u32 = 12;
/// Packets with sound in them that are left out then.
const LEFT_OUT: u32 = 45;
/// From here on a sample counts as cut off.
const FULL_SCALE: f32 = 0.97;
/// What one frame changes of the part that is cut off.
const CLIP_WEIGHT: f32 = 0.04;
/// A stretch of losses; the last five count.
const STRETCH: Micros = 2 * SECOND;
const STRETCHES: usize = 5;
/// Numbers missing at once that are no loss: whoever comes back after so long begins anew.
const BREAK: u16 = 250;

/// The meter of one member.
pub(super) struct InputMeter {
    booth: u32,
    envelope: Envelope,
    arrivals: Arrivals,
    decoder: SpeechDecoder,
    pcm: Vec<f32>,
    /// Packets until the next is decoded; none while they are.
    left_out: Option<u32>,
    /// Packets decoded since.
    decoded: u32,
    level: SpeakerLevel,
    spectrum: Spectrum,
    clipped: f32,
}

impl InputMeter {
    pub fn new(booth: u32) -> Result<Self, CodecError> {
        Ok(Self {
            booth,
            envelope: Envelope::default(),
            arrivals: Arrivals::default(),
            decoder: SpeechDecoder::new()?,
            pcm: Vec::with_capacity(MAX_PACKET),
            left_out: Some(0),
            decoded: 0,
            level: SpeakerLevel::default(),
            spectrum: Spectrum::default(),
            clipped: 0.0,
        })
    }

    pub fn booth(&self) -> u32 {
        self.booth
    }

    /// Numbers are missing from here on which nobody lost.
    pub fn pause(&mut self) {
        self.arrivals.next = None;
    }

    /// Takes a packet.
    pub fn hear(&mut self, packet: RtpIn<'_>, now: Micros) {
        let Ok(parsed) = OpusPacket::parse(packet.payload) else { return };
        let by_size = level_by_size(packet.payload.len(), parsed.samples());
        self.envelope.hear(packet.level.unwrap_or(by_size), now);
        let follows = self.arrivals.take(packet.ssrc, packet.sequence, now);
        match self.left_out {
            // Silence is not worth its decoding; whoever speaks sends more of it.
            Some(0) if by_size < 127 => {
                (self.left_out, self.decoded) = (None, 0);
                self.decoder.reset();
            }
            Some(left) => {
                self.left_out = Some(left.saturating_sub(u32::from(by_size < 127)));
                return;
            }
            None => {}
        }
        if !follows {
            self.decoded = self.decoded.min(1);
        }
        self.decode(packet.payload);
    }

    fn decode(&mut self, payload: &[u8]) {
        self.pcm.clear();
        let made = self.decoder.decode(payload, &mut self.pcm);
        self.decoded += 1;
        if made.is_ok() && self.decoded > SETTLING {
            let pcm = std::mem::take(&mut self.pcm);
            let (frames, _) = pcm.as_chunks::<FRAME>();
            frames.iter().for_each(|frame| self.measure(frame));
            self.pcm = pcm;
        }
        if self.decoded >= SETTLING + MEASURED {
            self.left_out = Some(LEFT_OUT);
        }
    }

    fn measure(&mut self, frame: &[f32; FRAME]) {
        let level = dbov(frame);
        if self.level.is_loud(level) {
            self.spectrum.hear(frame);
            let cut = frame.iter().filter(|sample| sample.abs() >= FULL_SCALE).count() as f32 / FRAME as f32;
            self.clipped += CLIP_WEIGHT * (cut - self.clipped);
        }
        self.level.hear(level, Aim::Hold);
    }

    /// What is known by now.
    pub fn read(&mut self, member: u32, now: Micros) -> InputReading {
        let level_dbov = self.level.speech_dbov();
        let (expected, lost) = self.arrivals.totals(now);
        InputReading {
            member,
            booth: self.booth,
            level_dbov,
            clipped: level_dbov.map(|_| self.clipped),
            band_hz: self.spectrum.band_hz(),
            expected,
            lost,
            activity: self.envelope.activity(now),
        }
    }
}

/// Which packets came of those that were numbered.
#[derive(Debug, Clone, Copy, Default)]
struct Arrivals {
    ssrc: u32,
    /// The number that follows the highest that came; none at a beginning.
    next: Option<u16>,
    /// Packets expected and packets that came, by stretches of time.
    counts: [(u32, u32); STRETCHES],
    stretch: u64,
}

impl Arrivals {
    /// Takes a packet's number; says whether it is the one that follows.
    fn take(&mut self, ssrc: u32, sequence: u16, now: Micros) -> bool {
        if ssrc != self.ssrc {
            *self = Self { ssrc, stretch: now / STRETCH, ..Self::default() };
        }
        self.reach(now);
        let ahead = sequence.wrapping_sub(self.next.unwrap_or(sequence));
        let counts = &mut self.counts[self.stretch as usize % STRETCHES];
        if ahead < 0x8000 {
            // The first after a break stands for itself alone.
            counts.0 += if ahead < BREAK { u32::from(ahead) + 1 } else { 1 };
            self.next = Some(sequence.wrapping_add(1));
        }
        // One that was overtaken is expected already.
        counts.1 += 1;
        ahead == 0
    }

    fn reach(&mut self, now: Micros) {
        let stretch = now / STRETCH;
        for passed in (self.stretch + 1..=stretch).rev().take(STRETCHES) {
            self.counts[passed as usize % STRETCHES] = (0, 0);
        }
        self.stretch = self.stretch.max(stretch);
    }

    /// How many were expected, and how many of them did not come.
    fn totals(&mut self, now: Micros) -> (u32, u32) {
        self.reach(now);
        let expected: u32 = self.counts.iter().map(|(expected, _)| expected).sum();
        let came: u32 = self.counts.iter().map(|(_, came)| came).sum();
        (expected, expected.saturating_sub(came))
    }
}
