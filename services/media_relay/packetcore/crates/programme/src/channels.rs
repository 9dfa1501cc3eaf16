//! The programme channels of one relay, sans-IO: mixers and playout buffers in, listeners' packets and exports out.

use crate::channel::{Channel, Output};
use crate::frame::ProgrammeFrame;
use crate::mixing::{DEFAULT_COMPLEXITY, Mixing, RtpIn};
use crate::repacketise::PacketLength;
use majlis_core::endpoint::StageFact;
use majlis_core::{ChannelId, Micros, StageId, WallClock};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A channel that failed, or lacks a member or its mixer, is put in order after this long: one frame.
const RETRY: Micros = 20_000;

/// What Python asks of the channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgrammeCommand {
    /// A channel fed by a stage here, or, without one, by pushed frames. The number is random: it begins the names of
    /// the channel's mixer instances.
    Add(ChannelId, Option<StageId>, u32),
    /// The end of a channel.
    Remove(ChannelId),
    /// Which members a home channel mixes, and nobody else; a new one mixes nobody.
    Sources(ChannelId, Vec<u32>),
    /// Whether frames are wanted outside.
    Export(ChannelId, bool),
    /// Length of listeners' packets.
    PacketLength(ChannelId, PacketLength),
    /// The encoder's target, bit/s.
    Bitrate(ChannelId, u32),
}

/// Totals and gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgrammeCounters {
    /// Frames mixed or played out.
    pub frames: u64,
    /// Frames pushed.
    pub pushed: u64,
    /// Frames refused.
    pub refused: u64,
    /// Frames missing upstream.
    pub missing: u64,
    /// Channels that panicked and began anew.
    pub failed: u64,
    /// Running mixers.
    pub mixers: u64,
    /// Frames that are a speaker's own packet, of the channels there are.
    pub passed: u64,
    /// Times that passing took over in them.
    pub to_passing: u64,
    /// Times that mixing took over in them.
    pub to_mixing: u64,
    /// Deepest playout buffer, ms.
    pub depth_ms: u64,
}

/// Who is on a stage, with who is muted.
#[derive(Debug, Default)]
struct Members {
    all: BTreeSet<u32>,
    muted: BTreeSet<u32>,
}

/// All channels, with mixers of one kind.
pub struct Programme<M> {
    channels: HashMap<ChannelId, Channel<M>>,
    /// The channels that each stage feeds.
    fed: HashMap<StageId, Vec<ChannelId>>,
    /// When channels that are not in order are tried again.
    retry_at: Option<Micros>,
    stages: HashMap<StageId, Members>,
    /// Channels with listeners here; a fact may come before or after the channel's own command.
    audiences: BTreeSet<ChannelId>,
    clock: WallClock,
    complexity: u8,
    counters: ProgrammeCounters,
}

impl<M: Mixing> Programme<M> {
    /// No channels yet.
    pub fn new(clock: WallClock) -> Self {
        Self {
            channels: HashMap::new(),
            fed: HashMap::new(),
            retry_at: None,
            stages: HashMap::new(),
            audiences: BTreeSet::new(),
            clock,
            complexity: DEFAULT_COMPLEXITY,
            counters: ProgrammeCounters::default(),
        }
    }

    /// Sets the wall clock that frames carry.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Totals and gauges.
    pub fn counters(&self) -> ProgrammeCounters {
        let mut counters = self.counters;
        for channel in self.channels.values() {
            counters.mixers += u64::from(channel.has_mixer());
            counters.depth_ms = counters.depth_ms.max(u64::from(channel.playout_depth_ms()));
            counters.missing += channel.missing();
            let totals = channel.totals();
            counters.passed += totals.passed;
            counters.to_passing += totals.to_passing;
            counters.to_mixing += totals.to_mixing;
        }
        counters
    }

    /// How hard all encoders work, 0 to 10.
    pub fn set_effort(&mut self, complexity: u8) {
        self.complexity = complexity;
        self.channels.values_mut().for_each(|channel| channel.set_effort(complexity));
    }

    /// Applies a command. A panic on the way, as in all that follows, makes the one channel begin anew.
    pub fn handle_command(&mut self, command: ProgrammeCommand, now: Micros, out: &mut impl Output) {
        match command {
            ProgrammeCommand::Add(id, stage, seed) => {
                let mut channel = Channel::new(id, stage, seed);
                channel.set_effort(self.complexity);
                self.channels.insert(id, channel);
                if let Some(stage) = stage {
                    self.fed.entry(stage).or_default().push(id);
                }
                self.refresh(id, now);
            }
            ProgrammeCommand::Remove(id) => self.remove(id),
            ProgrammeCommand::Sources(id, members) => {
                self.with(id, now, |channel| channel.set_sources(members));
                self.refresh(id, now);
            }
            ProgrammeCommand::Export(id, wanted) => {
                self.with(id, now, |channel| channel.set_export(wanted));
                self.refresh(id, now);
            }
            ProgrammeCommand::PacketLength(id, length) => {
                self.with(id, now, |channel| channel.set_packet_length(length, now, out));
            }
            ProgrammeCommand::Bitrate(id, bits) => {
                self.with(id, now, |channel| channel.set_bitrate(bits));
            }
        }
    }

    fn remove(&mut self, id: ChannelId) {
        let Some(stage) = self.channels.remove(&id).and_then(|channel| channel.stage()) else { return };
        if let Some(fed) = self.fed.get_mut(&stage) {
            fed.retain(|channel| *channel != id);
            if fed.is_empty() {
                self.fed.remove(&stage);
            }
        }
    }

    /// Works on a channel; None when there is none, or when it failed and begins anew.
    fn with<T>(&mut self, id: ChannelId, now: Micros, work: impl FnOnce(&mut Channel<M>) -> T) -> Option<T> {
        let channel = self.channels.get_mut(&id)?;
        let result = catch_unwind(AssertUnwindSafe(|| work(channel)));
        if result.is_err() {
            channel.restart();
            self.counters.failed += 1;
        }
        if !channel.is_settled() {
            self.retry_at.get_or_insert(now + RETRY);
        }
        result.ok()
    }

    /// Starts or stops the channel's mixer as its audience asks, and makes its members agree with the stage.
    fn refresh(&mut self, id: ChannelId, now: Micros) {
        let present = self.audiences.contains(&id);
        let stages = std::mem::take(&mut self.stages);
        self.with(id, now, |channel| {
            channel.set_audience(present, now);
            let none = Members::default();
            let members = channel.stage().and_then(|stage| stages.get(&stage)).unwrap_or(&none);
            channel.reconcile(&members.all, &members.muted);
        });
        self.stages = stages;
    }

    /// Takes what happened on a stage or in an audience.
    pub fn handle_fact(&mut self, fact: StageFact, now: Micros) {
        match fact {
            StageFact::Joined(stage, member) => {
                let members = self.stages.entry(stage).or_default();
                members.all.insert(member);
                // A new session is not muted, whatever the one before it was.
                members.muted.remove(&member);
                self.refresh_stage(stage, now);
            }
            StageFact::Left(stage, member) => {
                if let Some(members) = self.stages.get_mut(&stage) {
                    members.all.remove(&member);
                    members.muted.remove(&member);
                    if members.all.is_empty() {
                        self.stages.remove(&stage);
                    }
                }
                self.refresh_stage(stage, now);
            }
            StageFact::Muted(stage, member, muted) => {
                let members = self.stages.entry(stage).or_default();
                if muted {
                    members.muted.insert(member);
                } else {
                    members.muted.remove(&member);
                }
                self.refresh_stage(stage, now);
            }
            StageFact::Audience(channel, present) => {
                if present {
                    self.audiences.insert(channel);
                } else {
                    self.audiences.remove(&channel);
                }
                self.refresh(channel, now);
            }
        }
    }

    fn refresh_stage(&mut self, stage: StageId, now: Micros) {
        self.for_each_fed(stage, |programme, id| programme.refresh(id, now));
    }

    /// Nothing adds or removes channels meanwhile, so that their list may be lent.
    fn for_each_fed(&mut self, stage: StageId, mut work: impl FnMut(&mut Self, ChannelId)) {
        let Some(ids) = self.fed.get_mut(&stage).map(std::mem::take) else { return };
        ids.iter().for_each(|id| work(self, *id));
        self.fed.insert(stage, ids);
    }

    /// Hands a microphone packet to every mixer of its stage.
    pub fn handle_speech(&mut self, stage: StageId, member: u32, packet: RtpIn<'_>, arrival: Micros) {
        self.for_each_fed(stage, |programme, id| {
            programme.with(id, arrival, |channel| channel.hear(member, packet, arrival));
        });
    }

    /// Takes a frame from outside for a remote channel.
    pub fn handle_push(&mut self, id: ChannelId, frame: ProgrammeFrame, arrival: Micros) {
        self.counters.pushed += 1;
        let taken = self.with(id, arrival, |channel| channel.push(frame, arrival)).unwrap_or(false);
        self.counters.refused += u64::from(!taken);
    }

    /// Does everything that is due; returns when to call again.
    pub fn poll(&mut self, now: Micros, out: &mut impl Output) -> Option<Micros> {
        self.retry(now);
        let mut next = None;
        for channel in self.channels.values_mut() {
            let result = catch_unwind(AssertUnwindSafe(|| channel.poll(now, &self.clock, out)));
            match result {
                Ok(frames) => self.counters.frames += frames,
                Err(_) => {
                    channel.restart();
                    self.counters.failed += 1;
                    self.retry_at.get_or_insert(now + RETRY);
                }
            }
            next = [next, channel.next_due()].into_iter().flatten().min();
        }
        [next, self.retry_at].into_iter().flatten().min()
    }

    /// Puts in order what is not.
    fn retry(&mut self, now: Micros) {
        if self.retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.retry_at = None;
        let unsettled = self.channels.iter().filter(|(_, channel)| !channel.is_settled());
        let unsettled: Vec<ChannelId> = unsettled.map(|(id, _)| *id).collect();
        for id in unsettled {
            self.refresh(id, now);
        }
    }

    /// One JSON array element for each channel.
    pub fn dump(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.channels.keys().copied().collect();
        ids.sort_unstable();
        ids.iter().map(|id| self.channels[id].dump()).collect()
    }
}

#[cfg(test)]
mod tests;
