//! A sender thread's share of the audience: listeners by channel, and the packets on their way to them.

use super::{Command, Listener, ProgrammePacket, Sent, Transmit};
use crate::types::{ChannelId, Micros, SessionId, WallClock};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Listeners served between two looks at the clock: four `sendmmsg` batches.
pub const GROUP: usize = 256;
/// Pace between groups of one packet: about 340,000 packets a second, below which receivers' buffers keep up.
const GROUP_INTERVAL: Micros = 750;
/// A packet's sends are spread over at most this much of the 20 ms interval.
const MAX_SPREAD: Micros = 15_000;
/// Packets of one channel waiting for their turn. A programme thread that was held up gives out up to ten at once; more
/// means that this thread is overloaded, and old sound is useless.
const MAX_WAITING: usize = 12;

/// What a shard counts; totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardCounters {
    /// RTP packets built for listeners.
    pub packets: u64,
    /// Sender reports built.
    pub reports: u64,
    /// Packets not built because the thread was overloaded, one per listener.
    pub overload_drops: u64,
    /// Packets that could not be sealed.
    pub seal_errors: u64,
}

#[derive(Default)]
struct Audience {
    /// None: left while a packet was on its way; the place is closed when none is.
    listeners: Vec<Option<Listener>>,
    holes: usize,
    /// Packets on their way, the oldest first.
    waiting: VecDeque<Job>,
}

struct Job {
    packet: Box<ProgrammePacket>,
    cursor: usize,
    due: Micros,
    interval: Micros,
}

/// One sender thread's listeners.
pub struct Shard {
    audiences: HashMap<ChannelId, Audience>,
    places: HashMap<SessionId, (ChannelId, usize)>,
    #[expect(clippy::vec_box, reason = "a packet is 2.7 KB and moves between queues by its box")]
    spare: Vec<Box<ProgrammePacket>>,
    clock: WallClock,
    cname: String,
    scratch: Vec<u8>,
    counters: ShardCounters,
    failed: Vec<SessionId>,
}

/// The channel of listeners whose channel was removed; no packet ever has it.
const NOWHERE: ChannelId = ChannelId(u64::MAX);

impl Shard {
    /// An empty shard; `cname` names the relay in reports.
    pub fn new(clock: WallClock, cname: &str) -> Self {
        Self {
            audiences: HashMap::new(),
            places: HashMap::new(),
            spare: Vec::new(),
            clock,
            cname: cname.to_owned(),
            scratch: Vec::with_capacity(256),
            counters: ShardCounters::default(),
            failed: Vec::new(),
        }
    }

    /// Sets the wall clock that reports carry.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Totals so far.
    pub fn counters(&self) -> ShardCounters {
        self.counters
    }

    /// Listeners here.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// No listeners here?
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Sessions whose processing panicked since the last call; they are gone from here.
    pub fn take_failed(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.failed)
    }

    /// What one listener was sent.
    pub fn sent(&self, session: SessionId) -> Option<Sent> {
        let (channel, at) = self.places.get(&session)?;
        Some(self.audiences.get(channel)?.listeners.get(*at)?.as_ref()?.sent())
    }

    /// Applies a command.
    pub fn handle_command(&mut self, command: Command, now: Micros) {
        match command {
            Command::Attach { session, channel, format, start } => {
                self.insert(channel, Listener::new(session, format, start))
            }
            Command::Key(session, key) => {
                let refused = self.listener(session).is_some_and(|listener| listener.set_key(*key, now).is_err());
                self.counters.seal_errors += u64::from(refused);
            }
            Command::Path(session, path) => self.with(session, |listener| listener.set_path(path)),
            Command::Switch(session, channel) => self.switch(session, channel),
            Command::Pause(session, paused) => self.with(session, |listener| listener.set_paused(paused)),
            Command::Red(session, depth) => self.with(session, |listener| listener.set_red(depth)),
            Command::Remove(session) => drop(self.take(session)),
            Command::RemoveChannel(channel) => self.remove_channel(channel),
        }
    }

    fn switch(&mut self, session: SessionId, channel: ChannelId) {
        if self.places.get(&session).is_some_and(|(before, _)| *before == channel) {
            return;
        }
        if let Some(mut listener) = self.take(session) {
            // Even back on an earlier channel, what was sent there meanwhile is not loss.
            listener.leave_source();
            self.insert(channel, listener);
        }
    }

    fn listener(&mut self, session: SessionId) -> Option<&mut Listener> {
        let (channel, at) = self.places.get(&session)?;
        self.audiences.get_mut(channel)?.listeners.get_mut(*at)?.as_mut()
    }

    fn with(&mut self, session: SessionId, change: impl FnOnce(&mut Listener)) {
        if let Some(listener) = self.listener(session) {
            change(listener);
        }
    }

    fn insert(&mut self, channel: ChannelId, listener: Listener) {
        let audience = self.audiences.entry(channel).or_default();
        self.places.insert(listener.session, (channel, audience.listeners.len()));
        audience.listeners.push(Some(listener));
    }

    fn take(&mut self, session: SessionId) -> Option<Listener> {
        let (channel, at) = self.places.remove(&session)?;
        let audience = self.audiences.get_mut(&channel)?;
        let listener = audience.listeners.get_mut(at)?.take();
        audience.holes += 1;
        self.close_holes(channel);
        listener
    }

    /// Closes holes when no packet is on its way: a listener moved behind a cursor would miss that packet.
    fn close_holes(&mut self, channel: ChannelId) {
        let Some(audience) = self.audiences.get_mut(&channel) else { return };
        if audience.holes == 0 || !audience.waiting.is_empty() {
            return;
        }
        audience.holes = 0;
        audience.listeners.retain(Option::is_some);
        for (at, listener) in audience.listeners.iter().enumerate() {
            if let Some(listener) = listener {
                self.places.insert(listener.session, (channel, at));
            }
        }
        if audience.listeners.is_empty() {
            self.audiences.remove(&channel);
        } else if audience.listeners.capacity() > 4 * audience.listeners.len() {
            audience.listeners.shrink_to(2 * audience.listeners.len());
        }
    }

    fn remove_channel(&mut self, channel: ChannelId) {
        let Some(audience) = self.audiences.remove(&channel) else { return };
        self.spare.extend(audience.waiting.into_iter().map(|job| job.packet));
        for listener in audience.listeners.into_iter().flatten() {
            self.insert(NOWHERE, listener);
        }
    }

    /// Takes a packet to be sent to all listeners of its channel, beginning now.
    pub fn handle_packet(&mut self, packet: &ProgrammePacket, now: Micros) {
        let Some(audience) = self.audiences.get_mut(&packet.channel) else { return };
        if audience.waiting.len() >= MAX_WAITING {
            self.counters.overload_drops += audience.listeners.len() as u64;
            return;
        }
        let mut copy = self.spare.pop().unwrap_or_else(|| Box::new(ProgrammePacket::new(packet.channel)));
        (*copy).clone_from(packet);
        let groups = audience.listeners.len().div_ceil(GROUP).max(1) as u64;
        audience.waiting.push_back(Job {
            packet: copy,
            cursor: 0,
            due: now,
            interval: GROUP_INTERVAL.min(MAX_SPREAD / groups),
        });
    }

    /// Sends one group of the packet that is due first. Returns when to call again: a time not after `now` means at
    /// once, None when nothing is on its way.
    pub fn poll(&mut self, now: Micros, out: &mut impl Transmit) -> Option<Micros> {
        let (due, channel) = self.next_due()?;
        if due > now {
            return Some(due);
        }
        self.send_group(channel, now, out);
        self.next_due().map(|(due, _)| due)
    }

    fn next_due(&self) -> Option<(Micros, ChannelId)> {
        let fronts =
            self.audiences.iter().filter_map(|(channel, audience)| Some((audience.waiting.front()?.due, *channel)));
        fronts.min()
    }

    fn send_group(&mut self, channel: ChannelId, now: Micros, out: &mut impl Transmit) {
        let Some(audience) = self.audiences.get_mut(&channel) else { return };
        let Some(mut job) = audience.waiting.pop_front() else { return };
        let end = (job.cursor + GROUP).min(audience.listeners.len());
        while job.cursor < end {
            let group = &mut audience.listeners[job.cursor..end];
            let mut done = 0;
            let mut sender = Sender {
                now,
                clock: &self.clock,
                cname: &self.cname,
                scratch: &mut self.scratch,
                counters: &mut self.counters,
            };
            // A panic ends one session, not the thread and everybody's sound.
            let result = catch_unwind(AssertUnwindSafe(|| sender.send_all(group, &job.packet, &mut done, out)));
            if result.is_err()
                && let Some(culprit) = group[done].take()
            {
                self.places.remove(&culprit.session);
                self.failed.push(culprit.session);
                audience.holes += 1;
            }
            job.cursor += done + usize::from(result.is_err());
        }
        if job.cursor < audience.listeners.len() {
            job.due += job.interval;
            audience.waiting.push_front(job);
        } else {
            self.spare.push(job.packet);
            self.close_holes(channel);
        }
    }
}

/// What is needed to serve listeners, borrowed for one group.
struct Sender<'a> {
    now: Micros,
    clock: &'a WallClock,
    cname: &'a str,
    scratch: &'a mut Vec<u8>,
    counters: &'a mut ShardCounters,
}

impl Sender<'_> {
    fn send_all(
        &mut self,
        group: &mut [Option<Listener>],
        packet: &ProgrammePacket,
        done: &mut usize,
        out: &mut impl Transmit,
    ) {
        for listener in group {
            if let Some(listener) = listener {
                self.send_one(listener, packet, out);
            }
            *done += 1;
        }
    }

    fn send_one(&mut self, listener: &mut Listener, packet: &ProgrammePacket, out: &mut impl Transmit) {
        let Some(path) = listener.destination() else { return };
        match listener.build(packet, self.now, out.buffer(&path)) {
            Some(len) => {
                out.commit(&path, len);
                self.counters.packets += 1;
            }
            None => self.counters.seal_errors += 1,
        }
        if listener.report(self.now, self.clock, self.cname, self.scratch) {
            out.copy(&path, self.scratch);
            self.counters.reports += 1;
        }
    }
}
