//! The packet core without I/O: no socket, no clock, no thread, no randomness, no unsafe code.
//!
//! Three machines, each owned by one thread of the caller; time is an argument everywhere ([`Micros`] of any monotonic
//! clock), and **what one call causes has been told to the sink when the call returns**.
//!
//! 1. [`endpoint::Endpoint`] takes every datagram of the media port: tells protocols apart ([`demux`]), answers checks
//!    ([`stun`], [`ice`]), hands DTLS up, opens SRTP ([`srtp`]), forwards speech on a [`stage`], reads reports ([`rtcp`]).
//! 2. [`fanout::Shard`] holds a share of the audience and seals each programme packet for each listener; one
//!    [`rewrite::Rewriter`] a listener makes whatever happens above one continuous stream.
//! 3. The programme itself (channels, playout) is crate `programme`, its mixer crate `mix`; crate `io` runs all three on real sockets and threads.
//!
//! Who sends what under which key is decided by types: a [`srtp::SealKey`] lives in exactly one place, a session's role,
//! or the shard that serves it, and each index it gives out is used once ([`srtp::PacketIndex`]).
//!
//! [`framing`] carries the same datagrams over TCP.
//!
//! Bad input is counted and dropped ([`endpoint::DropReason`]), never an error to the caller and never a panic; a panic
//! all the same ends one session, is reported, and the thread goes on.

#![forbid(unsafe_code)]

pub mod demux;
pub mod endpoint;
pub mod fanout;
pub mod framing;
pub mod ice;
pub mod limits;
pub mod pacer;
pub mod replay;
pub mod rewrite;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stage;
pub mod stun;
mod types;

pub use types::{ChannelId, MAX_DATAGRAM, MTU, Micros, Path, SECOND, SessionId, StageId, WallClock};
