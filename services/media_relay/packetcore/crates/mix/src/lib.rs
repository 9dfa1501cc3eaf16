//! The programme of a channel, sans-IO: speakers' Opus packets in, one Opus frame each 20 ms out.
//!
//! No socket, no clock, no thread, no randomness: time is an argument ([`Micros`] of any monotonic clock), numbers that
//! must differ between instances ([`MixerConfig`]) too. The caller's real-time thread runs one loop:
//!
//! ```text
//! sleep until mixer.next_poll()
//! for each packet in the ring:  mixer.handle_rtp(member, RtpIn { … }, arrival)
//! while let Some(frame) = mixer.poll_frame(now, now_ntp):  hand it on
//! ```
//!
//! A listener's packets are made from frames by [`Repacketiser`] (20, 40 or 60 ms) and, for lossy listeners, wrapped by
//! [`RedHistory`]; a relay that gets its frames over the bus plays them out through [`Playout`].

#![forbid(unsafe_code)]

mod codec;
mod delay;
mod frame;
mod jitter;
mod level;
mod limiter;
mod mixer;
mod opus_packet;
mod playout;
mod red;
mod repacketise;
mod speaker;
mod timescale;

pub use codec::{BIT_RATES, CodecError, SpeechDecoder};
pub use frame::{
    Csrcs, FRAME_SAMPLES, FrameError, HEADER_LEN, MAX_CSRCS, MAX_FRAME, MAX_PAYLOAD, Payload, ProgrammeFrame, VERSION,
};
pub use jitter::{Inserted, RtpIn};
pub use level::TARGET_DBOV;
pub use limiter::{CEILING, LOOK_AHEAD, Limiter};
pub use mixer::{DEFAULT_BITRATE, Mixer, MixerConfig, SpeakerReport, TICK};
pub use opus_packet::{MAX_FRAMES, OpusError, OpusPacket};
pub use playout::{Playout, PlayoutCounters, Pushed};
pub use red::{MAX_BLOCKS, MAX_DEPTH, RedBlock, RedError, RedHistory, parse_red};
pub use repacketise::{MAX_JOINED, MAX_PACKET_PAYLOAD, MediaPacket, PacketLength, Repacketiser};
pub use speaker::SpeakerCounters;

/// Microseconds of a monotonic clock with any origin.
pub type Micros = u64;
