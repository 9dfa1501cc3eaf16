//! People talking, for benchmarks and tests: recordings, and what a browser's microphone sends of them.
//!
//! A recording is encoded once; any number of speakers replay its packets, each from a place of its own. What a browser
//! says beside the sound is in them too: the level of each packet (RFC 6464), and no packets in silence (Opus DTX).

#![forbid(unsafe_code)]

mod recordings;
mod track;
mod turns;

pub use recordings::{Voice, ogg_packets};
pub use track::{Packet, Track, level};
pub use turns::{at_microphone, conversation};

use thiserror::Error;

/// Samples in a packet: 20 ms at 48 kHz.
pub const PACKET: usize = 960;

/// A recording cannot be used.
#[derive(Debug, Error)]
pub enum SpeechError {
    /// libopus refused.
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    /// The container is damaged.
    #[error("Ogg: {0}")]
    Ogg(#[from] ogg::OggReadError),
    /// There is no sound in it that could be used.
    #[error("{0}")]
    Unfit(&'static str),
}
