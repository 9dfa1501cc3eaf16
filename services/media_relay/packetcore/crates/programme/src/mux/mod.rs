//! Containers for a programme, sans-IO: Opus packets with their times in, bytes of a file or a stream out.
//!
//! Each muxer writes what a player needs first (`head`), then takes one packet after the other, and keeps only what the
//! container wants together: a page of Ogg, a fragment of MP4. Times are samples at 48 kHz since the recording began,
//! as Opus counts them whatever its bandwidth (RFC 7845 §4).

mod fmp4;
mod ogg;
mod webm;

use std::fmt;

pub use fmp4::Fmp4;
use majlis_core::rtp;
pub use ogg::Ogg;
use thiserror::Error;
pub use webm::WebM;

/// Samples a second of every Opus time.
pub const SAMPLE_RATE: u32 = 48_000;
/// How far a packet may be from where the one before it ended and still count as following it: clocks are no rulers.
const SLACK: u64 = 240;
/// Longest legal packet: 120 ms.
const MAX_SAMPLES: u32 = 5_760;

/// Why a packet is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MuxError {
    /// Not what RFC 6716 §3 calls a packet.
    #[error("this is no Opus packet")]
    NotOpus,
    /// It begins before what was written already ends.
    #[error("the packet is older than what was written")]
    TooOld,
}

/// What a listener must know before the first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// 1 or 2.
    pub channels: u8,
    /// Samples to decode and not to play: the encoder's delay, or the 80 ms a decoder needs that joins a running stream
    /// (RFC 7845 §4.2).
    pub pre_skip: u16,
}

impl Sound {
    /// The identification header of RFC 7845 §5.1, which WebM takes over as it is.
    fn opus_head(self) -> Vec<u8> {
        let mut head = b"OpusHead\x01".to_vec();
        head.push(self.channels);
        head.extend(self.pre_skip.to_le_bytes());
        head.extend(SAMPLE_RATE.to_le_bytes());
        head.extend([0, 0, 0]);
        head
    }
}

/// One container.
pub trait Mux: fmt::Debug + Send + Sync {
    /// What comes before all packets; a player that joins later gets it first as well.
    fn head(&self) -> Vec<u8>;

    /// Takes a packet that begins at a time, and gives the bytes that are whole now, none while a piece is filling.
    ///
    /// A time later than where the last packet ended is a gap, and plays as silence.
    fn packet(&mut self, at: u64, packet: &[u8]) -> Result<Vec<u8>, MuxError>;

    /// What was still waiting; the next packet begins a new piece, which a listener may begin with after the head.
    fn cut(&mut self) -> Vec<u8>;

    /// What was still waiting; the file is complete, and a next packet begins a new piece.
    fn end(&mut self) -> Vec<u8>;
}

/// How long a packet lasts in samples at 48 kHz (RFC 6716 §3.1).
fn samples_of(packet: &[u8]) -> Result<u32, MuxError> {
    rtp::opus_samples(packet).ok_or(MuxError::NotOpus)
}

/// Where the written sound ends, and where the next packet goes.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    end: u64,
}

/// A packet with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    start: u64,
    samples: u32,
    /// Samples without sound before it.
    gap: u64,
}

impl Line {
    /// Where a packet goes; nothing is taken down before all of it is known to be right.
    fn place(&mut self, at: u64, packet: &[u8]) -> Result<Place, MuxError> {
        let samples = samples_of(packet)?;
        if at + SLACK < self.end {
            return Err(MuxError::TooOld);
        }
        let gap = if at > self.end + SLACK { at - self.end } else { 0 };
        let start = self.end + gap;
        self.end = start + u64::from(samples);
        Ok(Place { start, samples, gap })
    }
}
