//! Fan-out of programme packets to listeners, sans-IO: one [`Shard`] per sender thread owns its listeners' keys.
//!
//! Contract: apply [`Command`]s and packets as they come, then call [`Shard::poll`] until it returns a time that has not
//! come yet (or none), flush the transmitter, and sleep until that time or new input.

mod listener;
mod packet;
mod shard;

pub use listener::{Listener, ListenerFormat, Sent, StreamStart};
pub use packet::{Body, MAX_BODY, MAX_RED, ProgrammePacket};
pub use shard::{GROUP, Shard, ShardCounters};

use crate::srtp::SealKey;
use crate::types::{ChannelId, Path, SessionId};

/// What a shard is told; in order, from one thread.
pub enum Command {
    /// A new listener of a channel.
    Attach {
        /// Whose.
        session: SessionId,
        /// Which channel.
        channel: ChannelId,
        /// What was negotiated.
        format: ListenerFormat,
        /// Where its stream begins.
        start: StreamStart,
    },
    /// The listener's sending key; it lives here from now on.
    Key(SessionId, Box<SealKey>),
    /// Media goes to this path from now on.
    Path(SessionId, Path),
    /// Another channel, same stream.
    Switch(SessionId, ChannelId),
    /// Nothing is sent while paused.
    Pause(SessionId, bool),
    /// How many earlier packets each payload repeats from now on, at most [`MAX_RED`]; 0: none, no RED.
    Red(SessionId, u8),
    /// The listener is gone.
    Remove(SessionId),
    /// The channel is gone; its listeners stay without one.
    RemoveChannel(ChannelId),
}

impl Command {
    /// The one session it concerns.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Attach { session, .. }
            | Self::Key(session, _)
            | Self::Path(session, _)
            | Self::Switch(session, _)
            | Self::Pause(session, _)
            | Self::Red(session, _)
            | Self::Remove(session) => Some(*session),
            Self::RemoveChannel(_) => None,
        }
    }
}

/// Where sealed datagrams go: a batch for `sendmmsg`, or a list in tests.
pub trait Transmit {
    /// A buffer of [`crate::MTU`] bytes for a datagram to `path`; [`Transmit::commit`] follows, or the buffer is reused.
    fn buffer(&mut self, path: &Path) -> &mut [u8];
    /// The datagram of `len` bytes in the buffer last asked for is complete.
    fn commit(&mut self, path: &Path, len: usize);
    /// Everything committed goes out now.
    fn flush(&mut self);

    /// Copies a finished datagram.
    fn copy(&mut self, path: &Path, datagram: &[u8]) {
        if let Some(place) = self.buffer(path).get_mut(..datagram.len()) {
            place.copy_from_slice(datagram);
            self.commit(path, datagram.len());
        }
    }
}
