//! A sender thread's share of the audience: listeners by channel, and the packets on their way to them.

use super::{Command, Listener, ProgrammePacket, Sent, Transmit};
use crate::types::{ChannelId, Micros, SessionId, WallClock};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Listeners served between two looks at the clock: four `sendmmsg` batches.
pub const GROUP: usize = 256;
/// Pace between groups of one packet: about 340,000 packets a second, below which receivers' buffers keep up.
const GROUP_INTERVAL: Micros = 750;
/// A packet's sends are spread over at most this much of the 20 ms interval.
const MAX_SPREAD: Micros = 15_000;
/// Packets of one channel waiting for their turn. A programme thread that was held up gives out up to ten at once.
const MAX_WAITING: usize = 12;
/// A packet whose turn has not come by then, µs, is left out when a newer one waits: this thread is overloaded, and sound that
/// is late for all is worse than sound that lacks a little.
const MAX_AGE: Micros = 100_000;

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
    /// Places that listeners were given: what coming, going and changing channels costs.
    pub placed: u64,
}

#[derive(Default)]
struct Audience {
    /// None: left while a packet was on its way; whoever comes next gets the place, or it is closed when none is.
    listeners: Vec<Option<Listener>>,
    holes: Vec<usize>,
    /// Packets on their way, the oldest first.
    waiting: VecDeque<Job>,
}

struct Job {
    packet: Box<ProgrammePacket>,
    cursor: usize,
    due: Micros,
    interval: Micros,
}

impl Audience {
    fn len(&self) -> usize {
        self.listeners.len() - self.holes.len()
    }

    /// The oldest packet that nobody has got yet.
    fn oldest_unstarted(&self) -> Option<usize> {
        (0..self.waiting.len()).find(|at| self.waiting[*at].cursor == 0)
    }

    /// The packet to go on with. What has waited too long for its turn is given back by `stale` instead.
    fn next_job(&mut self, now: Micros, mut stale: impl FnMut(Job, usize)) -> Option<Job> {
        loop {
            let job = self.waiting.pop_front()?;
            let is_stale = job.cursor == 0 && now.saturating_sub(job.due) > MAX_AGE && !self.waiting.is_empty();
            if !is_stale {
                return Some(job);
            }
            stale(job, self.len());
        }
    }
}

/// One sender thread's listeners.
pub struct Shard {
    audiences: HashMap<ChannelId, Audience>,
    places: HashMap<SessionId, (ChannelId, usize)>,
    /// When each channel with packets on their way is due. An entry that its channel does not bear out is out of date.
    agenda: BinaryHeap<Reverse<(Micros, ChannelId)>>,
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
            agenda: BinaryHeap::new(),
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

    /// Applies a command. A panic on the way ends the session it concerns.
    pub fn handle_command(&mut self, command: Command, now: Micros) {
        let session = command.session();
        if catch_unwind(AssertUnwindSafe(|| self.apply(command, now))).is_err()
            && let Some(session) = session
        {
            self.failed.push(session);
            // It stands where it stood, or nowhere.
            drop(catch_unwind(AssertUnwindSafe(|| self.take(session))));
        }
    }

    fn apply(&mut self, command: Command, now: Micros) {
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
        let at = audience.holes.pop().unwrap_or(audience.listeners.len());
        self.places.insert(listener.session, (channel, at));
        self.counters.placed += 1;
        match audience.listeners.get_mut(at) {
            Some(hole) => *hole = Some(listener),
            None => audience.listeners.push(Some(listener)),
        }
    }

    fn take(&mut self, session: SessionId) -> Option<Listener> {
        let (channel, at) = self.places.remove(&session)?;
        let audience = self.audiences.get_mut(&channel)?;
        let listener = audience.listeners.get_mut(at)?.take()?;
        audience.holes.push(at);
        self.close_holes(channel);
        Some(listener)
    }

    /// Closes holes when no packet is on its way: a listener moved behind a cursor would miss that packet. Each is closed
    /// by the last listener, so that a leave costs the same in a hall as in a small room.
    fn close_holes(&mut self, channel: ChannelId) {
        let Some(audience) = self.audiences.get_mut(&channel) else { return };
        if audience.holes.is_empty() || !audience.waiting.is_empty() {
            return;
        }
        // From the back, so that the last place is never a hole that is still to be closed.
        audience.holes.sort_unstable();
        while let Some(at) = audience.holes.pop() {
            audience.listeners.swap_remove(at);
            if let Some(Some(moved)) = audience.listeners.get(at) {
                self.places.insert(moved.session, (channel, at));
                self.counters.placed += 1;
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
        if audience.waiting.len() >= MAX_WAITING
            && let Some(job) = audience.oldest_unstarted().and_then(|at| audience.waiting.remove(at))
        {
            self.counters.overload_drops += audience.len() as u64;
            self.spare.push(job.packet);
            let first = audience.waiting.front().map(|job| Reverse((job.due, packet.channel)));
            self.agenda.extend(first);
        }
        let mut copy = self.spare.pop().unwrap_or_else(|| Box::new(ProgrammePacket::new(packet.channel)));
        (*copy).clone_from(packet);
        let groups = audience.listeners.len().div_ceil(GROUP).max(1) as u64;
        if audience.waiting.is_empty() {
            self.agenda.push(Reverse((now, packet.channel)));
        }
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
        self.agenda.pop();
        self.send_group(channel, now, out);
        if let Some(due) = self.front_due(channel) {
            self.agenda.push(Reverse((due, channel)));
        }
        self.next_due().map(|(due, _)| due)
    }

    fn front_due(&self, channel: ChannelId) -> Option<Micros> {
        self.audiences.get(&channel)?.waiting.front().map(|job| job.due)
    }

    fn next_due(&mut self) -> Option<(Micros, ChannelId)> {
        while let Some(Reverse((due, channel))) = self.agenda.peek().copied() {
            if self.front_due(channel) == Some(due) {
                return Some((due, channel));
            }
            self.agenda.pop();
        }
        None
    }

    fn send_group(&mut self, channel: ChannelId, now: Micros, out: &mut impl Transmit) {
        let Some(audience) = self.audiences.get_mut(&channel) else { return };
        let (spare, counters) = (&mut self.spare, &mut self.counters);
        let job = audience.next_job(now, |stale, listeners| {
            counters.overload_drops += listeners as u64;
            spare.push(stale.packet);
        });
        let Some(mut job) = job else { return };
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
                audience.holes.push(job.cursor + done);
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
