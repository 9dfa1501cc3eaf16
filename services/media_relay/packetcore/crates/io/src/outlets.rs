//! Where the packet thread's results go: datagrams out, and queues to the other threads and to Python.

use crate::batch::SendBatch;
use crate::counters::Counters;
use crate::messages::{Events, MAX_SPEECH, Speech, ToProgramme, ToSender};
use crate::registry::thread_of;
use crate::sys::EventFd;
use majlis_core::Path;
use majlis_core::endpoint::{Event, Sink, StageFact, StageMedia};
use majlis_core::fanout::{self, Transmit};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Messages that wait for a thread that is behind; beyond, they are lost and counted.
const MAX_BACKLOG: usize = 65_536;

/// A ring to another thread with its wake-up, and what did not fit.
pub struct Line<T> {
    ring: rtrb::Producer<T>,
    wake: Arc<EventFd>,
    backlog: VecDeque<T>,
    fresh: bool,
}

impl<T> Line<T> {
    /// A line over `ring`.
    pub fn new(ring: rtrb::Producer<T>, wake: Arc<EventFd>) -> Self {
        Self { ring, wake, backlog: VecDeque::new(), fresh: false }
    }

    /// Puts a message in, behind those that wait; false when it is lost.
    fn put(&mut self, message: T) -> bool {
        self.fresh = true;
        if self.backlog.is_empty() {
            let Err(rtrb::PushError::Full(message)) = self.ring.push(message) else { return true };
            self.backlog.push_back(message);
            return true;
        }
        if self.backlog.len() >= MAX_BACKLOG {
            return false;
        }
        self.backlog.push_back(message);
        true
    }

    /// Moves what waits and wakes the other thread when there is something new for it.
    fn flush(&mut self) {
        while let Some(message) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(message)) = self.ring.push(message) {
                self.backlog.push_front(message);
                break;
            }
        }
        if std::mem::take(&mut self.fresh) {
            self.wake.signal();
        }
    }
}

/// What the packet thread sends to one programme thread.
pub struct ProgrammeLine {
    /// Commands and facts.
    pub line: Line<ToProgramme>,
    /// Microphone packets.
    pub speech: rtrb::Producer<Speech>,
}

/// Everything the packet thread sends to.
pub struct Outlets {
    /// Datagrams.
    pub batch: SendBatch,
    /// Events for Python.
    pub events: Arc<Events>,
    /// One for each sender thread.
    pub senders: Vec<Line<ToSender>>,
    /// One for each programme thread.
    pub programmes: Vec<ProgrammeLine>,
    /// What operators watch.
    pub counters: Arc<Counters>,
    /// Events were put in since the last wake-up.
    pub fresh_events: bool,
}

impl Outlets {
    /// Sends what is ready and wakes everybody who got something.
    pub fn flush(&mut self) {
        self.batch.flush();
        self.senders.iter_mut().for_each(Line::flush);
        self.programmes.iter_mut().for_each(|programme| programme.line.flush());
        if std::mem::take(&mut self.fresh_events) {
            self.events.wake().signal();
        }
    }

    /// Tells the thread that has a stage or a channel.
    pub fn tell_programme(&mut self, handle: u64, message: ToProgramme) {
        let at = thread_of(handle, self.programmes.len());
        let taken = self.programmes[at].line.put(message);
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
    }

    /// Tells all programme threads.
    pub fn tell_programmes(&mut self, message: impl Fn() -> ToProgramme) {
        for programme in &mut self.programmes {
            let taken = programme.line.put(message());
            self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
        }
    }

    /// Tells a sender thread.
    pub fn tell_sender(&mut self, shard: usize, message: ToSender) {
        let taken = self.senders.get_mut(shard).is_some_and(|line| line.put(message));
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
    }
}

impl Transmit for Outlets {
    fn buffer(&mut self, path: &Path) -> &mut [u8] {
        self.batch.buffer(path)
    }

    fn commit(&mut self, path: &Path, len: usize) {
        self.batch.commit(path, len);
    }

    fn flush(&mut self) {
        self.batch.flush();
    }
}

impl Sink for Outlets {
    fn event(&mut self, event: Event) -> bool {
        let half_full = self.events.len() > self.events.capacity() / 2;
        if half_full && matches!(event, Event::Dtls(..)) {
            return false;
        }
        self.fresh_events = true;
        let taken = self.events.put(event).is_ok();
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
        taken
    }

    fn fanout(&mut self, shard: usize, command: fanout::Command) {
        self.tell_sender(shard, ToSender::Command(command));
    }

    fn fact(&mut self, fact: StageFact) {
        let handle = match fact {
            StageFact::Joined(stage, _)
            | StageFact::Left(stage, _)
            | StageFact::Muted(stage, ..)
            | StageFact::Holds(stage, _) => stage.0,
            StageFact::Audience(channel, _) => channel.0,
        };
        self.tell_programme(handle, ToProgramme::Fact(fact));
    }

    fn media(&mut self, media: &StageMedia<'_>) {
        let mut speech = Speech {
            stage: media.stage,
            member: media.member,
            booth: media.booth,
            ssrc: media.ssrc,
            sequence: media.sequence,
            timestamp: media.timestamp,
            level: media.level,
            arrival: media.arrival,
            len: media.payload.len() as u16,
            payload: [0; MAX_SPEECH],
        };
        let Some(place) = speech.payload.get_mut(..media.payload.len()) else { return };
        place.copy_from_slice(media.payload);
        let at = thread_of(media.stage.0, self.programmes.len());
        let ProgrammeLine { line, speech: ring } = &mut self.programmes[at];
        if ring.push(speech).is_err() {
            self.counters.mixer_input_lost.fetch_add(1, Relaxed);
        }
        // The mixer looks each 20 ms by itself; only a ring that fills up is a reason to wake it.
        if ring.slots() * 2 < ring.buffer().capacity() {
            line.fresh = true;
        }
    }
}
