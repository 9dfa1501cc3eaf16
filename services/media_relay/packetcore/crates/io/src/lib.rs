//! The packet core's sockets, threads and system calls.

pub mod batch;
pub mod calibrate;
mod checks;
pub mod counters;
mod dump;
mod listening;
mod messages;
mod outlets;
mod packet_thread;
mod panics;
mod programme_thread;
mod random;
mod registry;
mod relay;
mod sender_thread;
pub mod socket;
pub mod sys;
mod tcp_connections;
mod tcp_poll;
mod tcp_ring;
mod tcp_socket;
mod tcp_thread;
mod tcp_write;
mod threads;
mod work;

pub use calibrate::self_calibrate;
pub use majlis_mix::InputReading;
pub use random::stream_start;
pub use relay::{Relay, RelayConfig, SessionReport, TcpConfig};
pub use work::{WorkCosts, measure_work};

use thiserror::Error;

/// Why a call was refused.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A value out of range.
    #[error("{0}")]
    Argument(String),
    /// No such session, or it was removed.
    #[error("session {0} is unknown")]
    UnknownSession(u64),
    /// No such stage, or it was removed.
    #[error("stage {0} is unknown")]
    UnknownStage(u64),
    /// No such channel, or it was removed.
    #[error("channel {0} is unknown")]
    UnknownChannel(u64),
    /// A home channel where a remote one is needed, or the other way round.
    #[error("channel {channel} is not {}", if *remote { "fed by push_programme" } else { "a home channel" })]
    WrongChannel {
        /// Which.
        channel: u64,
        /// A remote one was needed.
        remote: bool,
    },
    /// Keys come once: a second set could seal a packet twice.
    #[error("session {0} has its keys already")]
    KeyedTwice(u64),
    /// Stage or audience is decided once.
    #[error("session {session} is {role} already")]
    HasRole {
        /// Which.
        session: u64,
        /// What it is.
        role: &'static str,
    },
    /// The call is for the other kind of session.
    #[error("session {session} is not {role}")]
    LacksRole {
        /// Which.
        session: u64,
        /// What it should be.
        role: &'static str,
    },
    /// Keys that do not fit the profile.
    #[error("{0}")]
    Srtp(#[from] majlis_core::srtp::SrtpError),
    /// Bytes that are no programme frame.
    #[error("{0}")]
    Frame(#[from] majlis_programme::FrameError),
    /// libopus refuses.
    #[error("{0}")]
    Codec(#[from] majlis_mix::CodecError),
    /// Started before.
    #[error("the core was started before")]
    StartedTwice,
    /// Not started, or closed.
    #[error("the core is not running")]
    NotRunning,
    /// The packet threads did not answer in time.
    #[error("the packet threads do not answer")]
    NoAnswer,
}
