//! What threads tell each other, and the bounded queues it goes through.

use crate::sys::EventFd;
use crossbeam_queue::ArrayQueue;
use majlis_core::endpoint::{self, Event, SessionInfo};
use majlis_core::fanout::{self, ProgrammePacket, Sent};
use majlis_core::{ChannelId, Micros, SessionId, StageId};
use majlis_mix::InputReading;
use majlis_programme::{EncoderCosts, ProgrammeCommand, ProgrammeFrame};
use std::io;
use std::sync::mpsc::Sender;

/// Longest microphone packet the mixer is given.
pub const MAX_SPEECH: usize = 1400;

/// What may be said about the effort of encoders.
#[derive(Debug, Clone, Copy)]
pub enum EffortRule {
    /// No more than this complexity.
    Ceiling(u8),
    /// What encoding was measured to cost.
    Costs(EncoderCosts),
}

/// For the packet thread.
pub enum ToPacket {
    /// A command for the endpoint.
    Core(endpoint::Command),
    /// A command to pass on to its channel's programme thread, in order with those for the endpoint.
    Programme(ProgrammeCommand),
    /// How hard encoders may work, for all programme threads.
    Effort(EffortRule),
    /// A listener's shard failed while serving it.
    ListenerFailed(SessionId),
    /// A question.
    Ask(Question),
}

/// Questions to the packet thread; a dropped sender means that there is no answer.
pub enum Question {
    /// One session's numbers.
    Session(SessionId, Sender<Option<SessionInfo>>),
    /// The member numbers of those who speak on a stage, its booths included.
    Speaking(StageId, Sender<Vec<u32>>),
    /// How well those on a stage can be heard; passed on to its programme thread.
    Inputs(StageId, Sender<Vec<InputReading>>),
    /// What a listener was sent; passed on to its shard.
    Sent(usize, SessionId, Sender<Option<Sent>>),
    /// Everything as JSON: members from this thread, the channels as a list's items from each programme thread.
    Dump(Sender<String>),
    /// An answer from each thread once it has done all that was asked before.
    Flush(Sender<()>),
}

/// For a sender thread, from the packet thread.
pub enum ToSender {
    /// A command for its shard.
    Command(fanout::Command),
    /// What a listener was sent.
    Sent(SessionId, Sender<Option<Sent>>),
    /// An answer when everything before is done.
    Flush(Sender<()>),
}

/// For a programme thread, from the packet thread.
pub enum ToProgramme {
    /// A command from Python.
    Command(ProgrammeCommand),
    /// How hard its encoders may work.
    Effort(EffortRule),
    /// What happened on a stage or in an audience.
    Fact(endpoint::StageFact),
    /// How well those on a stage can be heard; it is measured while somebody asks.
    Inputs(StageId, Sender<Vec<InputReading>>),
    /// Its part of the dump.
    Dump(Sender<String>),
    /// An answer when everything before is done.
    Flush(Sender<()>),
}

/// A microphone packet on its way to the mixer.
pub struct Speech {
    /// On which stage.
    pub stage: StageId,
    /// Whose.
    pub member: u32,
    /// In which booth it was spoken.
    pub booth: u32,
    /// RTP SSRC.
    pub ssrc: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// The level that its sender states, -dBov.
    pub level: Option<u8>,
    /// When it arrived.
    pub arrival: Micros,
    /// Used bytes of `payload`.
    pub len: u16,
    /// The Opus packet.
    pub payload: [u8; MAX_SPEECH],
}

/// A bounded queue with a wake-up: what one side pushes, the other side's poll wakes for.
pub struct Mailbox<T> {
    queue: ArrayQueue<T>,
    wake: EventFd,
}

impl<T> Mailbox<T> {
    /// A queue of `capacity`.
    pub fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self { queue: ArrayQueue::new(capacity), wake: EventFd::new()? })
    }

    /// Puts `item` in without waking anybody; gives it back when there is no room.
    pub fn put(&self, item: T) -> Result<(), T> {
        self.queue.push(item)
    }

    /// Puts `item` in and wakes the other side.
    pub fn send(&self, item: T) -> Result<(), T> {
        self.queue.push(item)?;
        self.wake.signal();
        Ok(())
    }

    /// Takes the oldest.
    pub fn take(&self) -> Option<T> {
        self.queue.pop()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// None waits?
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many fit.
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// The wake-up.
    pub fn wake(&self) -> &EventFd {
        &self.wake
    }
}

/// Events for Python. DTLS may fill half of it, so that a storm of handshakes never hides that a session has ended.
pub type Events = Mailbox<Event>;
/// Frames for Python to publish.
pub type Exports = Mailbox<(ChannelId, Vec<u8>)>;
/// Frames that Python received.
pub type Pushes = Mailbox<(ChannelId, ProgrammeFrame, Micros)>;
/// Packets for a sender thread.
pub type PacketRing = rtrb::Producer<ProgrammePacket>;
