//! The packet core without I/O.

#![forbid(unsafe_code)]

pub mod demux;
pub mod endpoint;
pub mod fanout;
pub mod ice;
pub mod limits;
pub mod replay;
pub mod rewrite;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stage;
pub mod stun;
mod types;

pub use types::{ChannelId, MTU, Micros, Path, SECOND, SessionId, StageId, WallClock};
