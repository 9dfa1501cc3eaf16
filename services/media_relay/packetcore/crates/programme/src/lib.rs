//! What every consumer of a programme needs, sans-IO: no socket, no clock, no thread, no randomness.
//!
//! - A [`ProgrammeFrame`] is 20 ms of one channel, or 60 ms of a thrifty one, in the form in which it travels between relays, gateways and whoever
//!   else wants it.
//! - [`Programme`] has the channels of one relay: each is fed by a mixer ([`Mixing`]; crate `mix` has it), or by frames
//!   from outside that a [`Playout`] plays evenly. A new channel mixes nobody until it is told whom.
//! - Listeners' packets are made from frames by a [`Repacketiser`] (20, 40 or 60 ms; 120 ms of a thrifty channel), and wrapped by [`RedHistory`].
//! - [`mux`] writes frames' Opus packets into files and streams that players know.

#![forbid(unsafe_code)]

mod agenda;
mod channel;
mod channels;
pub mod delay;
mod effort;
mod frame;
mod grid;
mod mixing;
pub mod mux;
mod opus_packet;
mod plan;
mod playout;
mod red;
mod repacketise;

pub use channel::Output;
pub use channels::{Programme, ProgrammeCommand, ProgrammeTotals};
pub use effort::{DEFAULT_COSTS, Effort, EncoderCosts, Load};
pub use frame::{
    Csrcs, FRAME_SAMPLES, FrameError, HEADER_LEN, MAX_CSRCS, MAX_FRAME, MAX_PAYLOAD, Payload, ProgrammeFrame,
    THRIFT_SAMPLES, VERSION,
};
pub use mixing::{DEFAULT_BITRATE, DEFAULT_COMPLEXITY, MixTotals, MixerConfig, Mixing, RtpIn, THRIFT_BITRATE};
pub use opus_packet::{MAX_FRAMES, OpusError, OpusPacket, pack};
pub use plan::{Bed, Members, MixPlan, Part};
pub use playout::{Playout, PlayoutCounters, Pushed};
pub use red::{MAX_BLOCKS, MAX_DEPTH, RedBlock, RedError, RedHistory, parse_red};
pub use repacketise::{MAX_JOINED, MAX_PACKET_PAYLOAD, MediaPacket, PacketLength, Repacketiser};
