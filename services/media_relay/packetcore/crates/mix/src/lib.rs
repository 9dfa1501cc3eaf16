//! The programme of a channel, sans-IO: speakers' Opus packets in, one Opus frame each 20 ms out.
//!
//! No socket, no clock, no thread, no randomness: time is an argument ([`Micros`] of any monotonic clock), numbers that
//! must differ between instances (`MixerConfig`) too. The caller's real-time thread runs one loop:
//!
//! ```text
//! sleep until mixer.next_poll()
//! for each packet in the ring:  mixer.handle_rtp(member, RtpIn { … }, now)
//! while let Some(frame) = mixer.poll_frame(now, now_ntp):  hand it on
//! ```
//!
//! A listener's packets are made from frames by `Repacketiser` (20, 40 or 60 ms) and, for lossy listeners, wrapped by
//! `RedHistory`; a relay that gets its frames over the bus plays them out through `Playout`.

#![forbid(unsafe_code)]

mod frame;

pub use frame::{
    Csrcs, FRAME_SAMPLES, FrameError, HEADER_LEN, MAX_CSRCS, MAX_FRAME, MAX_PAYLOAD, Payload, ProgrammeFrame, VERSION,
};

/// Microseconds of a monotonic clock with any origin.
pub type Micros = u64;
