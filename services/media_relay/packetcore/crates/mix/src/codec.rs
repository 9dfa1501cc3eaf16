//! libopus as the mixer uses it: 48 kHz mono decoders for speakers and one encoder for the programme.

use crate::limiter::LOOK_AHEAD;
use crate::parcel::LONG_FRAME;
use majlis_programme::{FRAME_SAMPLES, MAX_PAYLOAD};
use thiserror::Error;

/// Sample rate of everything the mixer touches, Hz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in one mixer frame.
pub const FRAME: usize = FRAME_SAMPLES as usize;
/// Longest packet a speaker may send: 120 ms.
pub const MAX_PACKET: usize = 5760;
/// Smallest step of concealment libopus takes: 2.5 ms.
pub const CONCEAL_STEP: usize = 120;
/// Samples by which what a listener decodes lags behind what is encoded, at every mode (libopus tells it; a test holds it).
pub const ENCODER_LAG: usize = 312;
/// Samples by which what a listener hears of a mixed frame lags behind what was pulled for it. A passed packet has no such
/// lag: it leaves that much later, so that both ways of making a frame lie on one time line.
pub const LAG: i64 = (LOOK_AHEAD + ENCODER_LAG) as i64;
/// Legal programme bit rates, bit/s; above, a frame could outgrow its limit of 400 bytes.
pub const BIT_RATES: std::ops::RangeInclusive<u32> = 6_000..=128_000;

/// Bit rate of the one frame that is coded without its past, at least, bit/s: with fewer bits it would be much softer.
const ALONE: i32 = 32_000;

/// The two kinds of coding of Opus, whose decoders know nothing of each other (RFC 6716 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// SILK, alone or with CELT above it: linear prediction.
    Speech,
    /// CELT: transform coding.
    Transform,
}

impl Coding {
    /// Of a packet that begins with that byte (RFC 6716 §3.1).
    pub fn of(toc: u8) -> Self {
        if toc >> 3 < 16 { Self::Speech } else { Self::Transform }
    }
}

/// libopus refused; the message is its own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// A call into libopus failed.
    #[error("Opus: {0}")]
    Opus(String),
    /// A bit rate outside [`BIT_RATES`].
    #[error("bit rate {0} is outside 6000 to 128000 bit/s")]
    BitRate(u32),
}

impl From<opus::Error> for CodecError {
    fn from(error: opus::Error) -> Self {
        Self::Opus(error.to_string())
    }
}

/// One speaker's decoder; all methods append to a vector of samples in -1.0..=1.0.
pub struct SpeechDecoder {
    inner: opus::Decoder,
    scratch: Box<[f32; MAX_PACKET]>,
}

impl SpeechDecoder {
    /// A decoder without history.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self { inner: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?, scratch: Box::new([0.0; MAX_PACKET]) })
    }

    /// Forgets the past: the next packet comes from another encoder.
    pub fn reset(&mut self) {
        // Only an invalid decoder pointer makes this fail, which the safe wrapper cannot hold.
        let _ = self.inner.reset_state();
    }

    /// Decodes a packet.
    pub fn decode(&mut self, packet: &[u8], out: &mut impl Extend<f32>) -> Result<usize, CodecError> {
        let samples = self.inner.decode_float(packet, &mut self.scratch[..], false)?;
        out.extend(self.scratch[..samples].iter().copied());
        Ok(samples)
    }

    /// Rebuilds the `samples` lost just before `next` from its in-band FEC, or conceals them when it carries none.
    pub fn recover(&mut self, next: &[u8], samples: usize, out: &mut impl Extend<f32>) -> Result<(), CodecError> {
        self.fill(next, samples, out)
    }

    /// Conceals `samples` (rounded up to 2.5 ms by the caller).
    pub fn conceal(&mut self, samples: usize, out: &mut impl Extend<f32>) -> Result<(), CodecError> {
        self.fill(&[], samples, out)
    }

    fn fill(&mut self, packet: &[u8], samples: usize, out: &mut impl Extend<f32>) -> Result<(), CodecError> {
        let room = &mut self.scratch[..samples];
        let made = self.inner.decode_float(packet, room, !packet.is_empty())?;
        out.extend(self.scratch[..made].iter().copied());
        Ok(())
    }
}

/// The programme's encoder: mono, 20 ms, VBR that no frame is held to: speech takes the target, what rings takes more.
pub struct ProgrammeEncoder {
    inner: opus::Encoder,
    scratch: [u8; MAX_PAYLOAD],
}

impl ProgrammeEncoder {
    /// An encoder at `bits_per_second` that works as hard as `complexity` (0 to 10) says.
    pub fn new(bits_per_second: u32, complexity: u8) -> Result<Self, CodecError> {
        let mut inner = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip)?;
        inner.set_vbr(true)?;
        // Sound that was coded once already is what suffers most where each frame must fit; speech is coded in as many bits.
        inner.set_vbr_constraint(false)?;
        // The mixer decides what silence is, and listeners' loss is RED's work.
        inner.set_dtx(false)?;
        inner.set_inband_fec(false)?;
        let mut encoder = Self { inner, scratch: [0; MAX_PAYLOAD] };
        encoder.set_complexity(complexity);
        encoder.set_bitrate(bits_per_second)?;
        Ok(encoder)
    }

    /// Codes speech in wide band and holds each frame to the bit rate: what is saved is what it is for. Only so is a frame of
    /// 60 ms one frame (RFC 6716 §2.1.4).
    pub fn be_thrifty(&mut self) -> Result<(), CodecError> {
        self.inner.set_vbr_constraint(true)?;
        self.inner.set_max_bandwidth(opus::Bandwidth::Wideband)?;
        self.prefer(Some(Coding::Speech));
        Ok(())
    }

    /// Encodes one frame of 60 ms; never more than [`MAX_PAYLOAD`] bytes.
    pub fn encode_long(&mut self, pcm: &[f32; LONG_FRAME]) -> Result<&[u8], CodecError> {
        let len = self.inner.encode_float(pcm, &mut self.scratch)?;
        Ok(&self.scratch[..len])
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        // Only an invalid encoder pointer makes this fail, which the safe wrapper cannot hold.
        let _ = self.inner.reset_state();
    }

    /// Encodes a frame that needs nothing of the frames before it: the listener's decoder heard another encoder.
    pub fn encode_alone(&mut self, pcm: &[f32; FRAME]) -> Result<&[u8], CodecError> {
        let bits = self.inner.get_bitrate()?;
        if let opus::Bitrate::Bits(usual) = bits {
            self.inner.set_bitrate(opus::Bitrate::Bits(usual.max(ALONE)))?;
        }
        self.inner.set_prediction_disabled(true)?;
        let len = self.inner.encode_float(pcm, &mut self.scratch)?;
        self.inner.set_prediction_disabled(false)?;
        self.inner.set_bitrate(bits)?;
        Ok(&self.scratch[..len])
    }

    /// Chooses the kind of coding where the bit rate leaves a choice.
    pub fn prefer(&mut self, coding: Option<Coding>) {
        let signal = match coding {
            None => opus::Signal::Auto,
            Some(Coding::Speech) => opus::Signal::Voice,
            Some(Coding::Transform) => opus::Signal::Music,
        };
        // libopus refuses only what is no signal.
        let _ = self.inner.set_signal(signal);
    }

    /// Takes effect with the next frame; above 10 counts as 10.
    pub fn set_complexity(&mut self, complexity: u8) {
        // libopus refuses only what is out of range.
        let _ = self.inner.set_complexity(i32::from(complexity.min(10)));
    }

    /// Takes effect with the next frame.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        if !BIT_RATES.contains(&bits_per_second) {
            return Err(CodecError::BitRate(bits_per_second));
        }
        self.inner.set_bitrate(opus::Bitrate::Bits(bits_per_second as i32))?;
        Ok(())
    }

    /// Encodes one 20 ms frame; never more than [`MAX_PAYLOAD`] bytes.
    pub fn encode(&mut self, pcm: &[f32; FRAME]) -> Result<&[u8], CodecError> {
        let len = self.inner.encode_float(pcm, &mut self.scratch)?;
        Ok(&self.scratch[..len])
    }
}
