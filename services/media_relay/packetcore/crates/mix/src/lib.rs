//! The programme of a channel, sans-IO: speakers' Opus packets in, one Opus frame each 20 ms out (60 ms where it is thrifty).
//!
//! No socket, no clock, no thread, no randomness: time is an argument ([`majlis_core::Micros`]), numbers that
//! must differ between instances ([`majlis_programme::MixerConfig`]) too. The caller's real-time thread runs one loop:
//!
//! ```text
//! sleep until mixer.next_poll()
//! for each packet in the ring:  mixer.handle_rtp(member, RtpIn { … }, arrival)
//! while let Some(frame) = mixer.poll_frame(now, now_ntp):  hand it on
//! ```
//!
//! What becomes of the frames is the matter of crate `programme`.

#![forbid(unsafe_code)]

mod bed;
mod codec;
mod desk;
mod input;
mod jitter;
mod level;
mod limiter;
mod mixer;
mod mixing;
mod parcel;
mod parts;
mod pass;
mod recent;
mod record;
mod speaker;
mod talk;
mod timescale;
mod trust;
mod ways;

pub use codec::{BIT_RATES, CodecError, ENCODER_LAG, FRAME, ProgrammeEncoder, SpeechDecoder};
pub use input::{InputReading, Inputs};
pub use jitter::Inserted;
pub use level::TARGET_DBOV;
pub use limiter::{CEILING, LOOK_AHEAD, Limiter};
pub use mixer::{Mixer, TICK};
pub use mixing::SpeakerReport;
pub use parcel::LONG_FRAME;
pub use speaker::SpeakerCounters;
