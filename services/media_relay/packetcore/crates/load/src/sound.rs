//! What a speaker says: a tone, or a WAV or Ogg Opus file, as 20 ms Opus packets, over and over.

use anyhow::{Context, Result, bail, ensure};
pub use majlis_speech::PACKET;
use majlis_speech::{level, ogg_packets};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

const RATE: f64 = 48_000.0;

/// Where the sound comes from.
pub enum Sound {
    /// Samples at 48 kHz and an encoder.
    Samples {
        /// The samples.
        samples: Vec<f32>,
        /// The encoder.
        encoder: Box<opus::Encoder>,
        /// Where it is.
        at: usize,
    },
    /// Packets as a file has them.
    Packets {
        /// The packets, with their levels.
        packets: Vec<(Vec<u8>, u8)>,
        /// Where it is.
        at: usize,
    },
}

/// One packet to send.
pub struct Spoken {
    /// The Opus packet.
    pub payload: Vec<u8>,
    /// Its duration, samples.
    pub samples: usize,
    /// Its level, -dBov.
    pub level: u8,
    /// The file starts over with it.
    pub first: bool,
}

impl Sound {
    /// A sine of one second, repeated; whole hertz are seamless.
    pub fn tone(hertz: f32, amplitude: f32) -> Result<Self> {
        let step = f64::from(hertz) * std::f64::consts::TAU / RATE;
        let samples = (0..RATE as usize).map(|n| amplitude * (step * n as f64).sin() as f32).collect();
        Self::samples(samples)
    }

    /// A chirp at the beginning of each second.
    pub fn chirps() -> Result<Self> {
        Self::samples(crate::chirps::second())
    }

    /// A file, by what it holds.
    pub fn file(path: &Path) -> Result<Self> {
        let mut magic = [0; 4];
        std::io::Read::read_exact(&mut File::open(path).with_context(|| path.display().to_string())?, &mut magic)?;
        match &magic {
            b"RIFF" => Self::samples(read_wav(path)?),
            b"OggS" => {
                Ok(Self::Packets { packets: with_levels(ogg_packets(BufReader::new(File::open(path)?))?)?, at: 0 })
            }
            _ => bail!("{} is neither WAV nor Ogg", path.display()),
        }
    }

    fn samples(samples: Vec<f32>) -> Result<Self> {
        ensure!(samples.len() >= PACKET, "the sound is shorter than a packet");
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?;
        encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(5)?;
        Ok(Self::Samples { samples, encoder: Box::new(encoder), at: 0 })
    }

    /// The next packet; never ends.
    pub fn say(&mut self) -> Result<Spoken> {
        match self {
            Self::Samples { samples, encoder, at } => {
                let pcm: Vec<f32> = (0..PACKET).map(|n| samples[(*at + n) % samples.len()]).collect();
                let first = *at == 0;
                *at = (*at + PACKET) % samples.len();
                let payload = encoder.encode_vec_float(&pcm, 1275)?;
                Ok(Spoken { payload, samples: PACKET, level: level(&pcm), first })
            }
            Self::Packets { packets, at } => {
                let (payload, level) = packets[*at].clone();
                let first = *at == 0;
                *at = (*at + 1) % packets.len();
                let samples = opus::packet::get_nb_samples(&payload, 48_000)?;
                Ok(Spoken { payload, samples, level, first })
            }
        }
    }
}

/// Each packet with how loud it is.
fn with_levels(packets: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, u8)>> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono)?;
    let measured = |packet: Vec<u8>| {
        let mut room = [0.0; 5760];
        let samples = decoder.decode_float(&packet, &mut room, false)?;
        Ok((packet, level(&room[..samples])))
    };
    packets.into_iter().map(measured).collect()
}

/// Any WAV as 48 kHz mono: channels averaged, other rates resampled by linear interpolation.
fn read_wav(path: &Path) -> Result<Vec<f32>> {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
    let interleaved: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            reader.samples::<i32>().map(|sample| Ok(sample? as f32 * scale)).collect::<Result<_, hound::Error>>()?
        }
    };
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f32> =
        interleaved.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    ensure!(!mono.is_empty(), "{} holds no sound", path.display());
    if spec.sample_rate == 48_000 {
        return Ok(mono);
    }
    let ratio = f64::from(spec.sample_rate) / RATE;
    let len = (mono.len() as f64 / ratio) as usize;
    Ok((0..len)
        .map(|n| {
            let at = n as f64 * ratio;
            let (index, share) = (at as usize, at.fract() as f32);
            let next = mono[(index + 1).min(mono.len() - 1)];
            mono[index] * (1.0 - share) + next * share
        })
        .collect())
}
