//! The programme channels of one relay, sans-IO: mixers and playout buffers in, listeners' packets and exports out.

use crate::agenda::Agenda;
use crate::channel::{Channel, Output};
use crate::frame::ProgrammeFrame;
use crate::grid::{self, Phases};
use crate::mixing::{DEFAULT_COMPLEXITY, MixTotals, Mixing, RtpIn};
use crate::plan::{Members, MixPlan};
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
    /// A channel that was just added is to be a thrifty one.
    Thrift(ChannelId),
    /// The end of a channel.
    Remove(ChannelId),
    /// Whom a home channel mixes, and nobody else; a new one mixes nobody.
    Mix(ChannelId, MixPlan),
    /// Whether frames are wanted outside.
    Export(ChannelId, bool),
    /// Length of listeners' packets.
    PacketLength(ChannelId, PacketLength),
    /// Whether listeners who asked for redundancy get it, as they do at first.
    Redundancy(ChannelId, bool),
    /// The encoder's target, bit/s.
    Bitrate(ChannelId, u32),
}

impl ProgrammeCommand {
    /// The channel that it concerns.
    pub fn channel(&self) -> ChannelId {
        match self {
            Self::Add(id, ..)
            | Self::Thrift(id)
            | Self::Remove(id)
            | Self::Mix(id, _)
            | Self::Export(id, _)
            | Self::PacketLength(id, _)
            | Self::Redundancy(id, _)
            | Self::Bitrate(id, _) => *id,
        }
    }
}

/// Totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgrammeTotals {
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
    /// Frames that are a speaker's own packet.
    pub passed: u64,
    /// Frames that were encoded here.
    pub mixed: u64,
    /// Times that passing took over.
    pub to_passing: u64,
    /// Times that mixing took over.
    pub to_mixing: u64,
}

/// A channel and what is known of its time.
struct Entry<M> {
    channel: Channel<M>,
    /// The first tick of its mixer while it has one.
    tick: Option<Micros>,
    /// When it is put in order, if it is not.
    retry_at: Option<Micros>,
    /// What was counted already: frames that never came, and what its mixers did.
    counted: (u64, MixTotals),
}

impl<M: Mixing> Entry<M> {
    fn new(channel: Channel<M>) -> Self {
        Self { channel, tick: None, retry_at: None, counted: (0, MixTotals::default()) }
    }

    /// Adds what has happened since it was counted last, `frames` among it.
    fn count(&mut self, frames: u64, totals: &mut ProgrammeTotals) {
        let (missing, mix) = (self.channel.missing(), self.channel.totals());
        let (missing_before, before) = std::mem::replace(&mut self.counted, (missing, mix));
        // Whoever begins anew counts from zero.
        let passed = mix.passed.saturating_sub(before.passed);
        totals.missing += missing.saturating_sub(missing_before);
        totals.frames += frames;
        totals.passed += passed;
        totals.mixed += if self.channel.stage().is_some() { frames.saturating_sub(passed) } else { 0 };
        totals.to_passing += mix.to_passing.saturating_sub(before.to_passing);
        totals.to_mixing += mix.to_mixing.saturating_sub(before.to_mixing);
    }
}

/// The channels of one thread, with mixers of one kind. Only those with something due are looked at, one frame of one
/// channel at a time.
pub struct Programme<M> {
    channels: HashMap<ChannelId, Entry<M>>,
    agenda: Agenda<ChannelId>,
    /// Who has more that is due already: entered once it is known how long the work before took, behind all whose time
    /// has come meanwhile.
    behind: Option<ChannelId>,
    phases: Phases,
    /// The latest moment that was told.
    now: Micros,
    /// The channels that each stage feeds.
    fed: HashMap<StageId, Vec<ChannelId>>,
    stages: HashMap<StageId, Members>,
    /// Channels with listeners here; a fact may come before or after the channel's own command.
    audiences: BTreeSet<ChannelId>,
    clock: WallClock,
    complexity: u8,
    /// Most that a frame was late since it was asked last.
    lag: Micros,
    totals: ProgrammeTotals,
}

impl<M: Mixing> Programme<M> {
    /// No channels yet.
    pub fn new(clock: WallClock) -> Self {
        Self {
            channels: HashMap::new(),
            agenda: Agenda::default(),
            behind: None,
            phases: Phases::default(),
            now: 0,
            fed: HashMap::new(),
            stages: HashMap::new(),
            audiences: BTreeSet::new(),
            clock,
            complexity: DEFAULT_COMPLEXITY,
            lag: 0,
            totals: ProgrammeTotals::default(),
        }
    }

    /// Sets the wall clock that frames carry.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Totals.
    pub fn totals(&self) -> ProgrammeTotals {
        self.totals
    }

    /// Most that a frame was late since this was called last.
    pub fn take_lag(&mut self) -> Micros {
        std::mem::take(&mut self.lag)
    }

    /// Running mixers. Like the next one it looks at every channel: a few times a second is often enough.
    pub fn mixers(&self) -> u64 {
        self.channels.values().map(|entry| u64::from(entry.channel.has_mixer())).sum()
    }

    /// Deepest playout buffer, ms.
    pub fn playout_depth_ms(&self) -> u64 {
        self.channels.values().map(|entry| u64::from(entry.channel.playout_depth_ms())).max().unwrap_or(0)
    }

    /// How hard all encoders work, 0 to 10.
    pub fn set_effort(&mut self, complexity: u8) {
        self.complexity = complexity;
        self.channels.values_mut().for_each(|entry| entry.channel.set_effort(complexity));
    }

    /// Applies a command. A panic on the way, as in all that follows, makes the one channel begin anew.
    pub fn handle_command(&mut self, command: ProgrammeCommand, now: Micros, out: &mut impl Output) {
        match command {
            ProgrammeCommand::Add(id, stage, seed) => {
                let mut channel = Channel::new(id, stage, seed);
                channel.set_effort(self.complexity);
                self.channels.insert(id, Entry::new(channel));
                if let Some(stage) = stage {
                    self.fed.entry(stage).or_default().push(id);
                }
                self.refresh(id, now);
            }
            ProgrammeCommand::Thrift(id) => {
                self.with(id, now, Channel::be_thrifty);
                self.refresh(id, now);
            }
            ProgrammeCommand::Remove(id) => self.remove(id),
            ProgrammeCommand::Mix(id, plan) => {
                self.with(id, now, |channel| channel.set_plan(plan));
                self.refresh(id, now);
            }
            ProgrammeCommand::Export(id, wanted) => {
                self.with(id, now, |channel| channel.set_export(wanted));
                self.refresh(id, now);
            }
            ProgrammeCommand::PacketLength(id, length) => {
                self.with(id, now, |channel| channel.set_packet_length(length, now, out));
            }
            ProgrammeCommand::Redundancy(id, wanted) => {
                self.with(id, now, |channel| channel.set_redundancy(wanted));
            }
            ProgrammeCommand::Bitrate(id, bits) => {
                self.with(id, now, |channel| channel.set_bitrate(bits));
            }
        }
    }

    fn remove(&mut self, id: ChannelId) {
        self.agenda.remove(id);
        self.behind.take_if(|behind| *behind == id);
        let Some(entry) = self.channels.remove(&id) else { return };
        entry.tick.into_iter().for_each(|tick| self.phases.leave(tick));
        let Some(stage) = entry.channel.stage() else { return };
        if let Some(fed) = self.fed.get_mut(&stage) {
            fed.retain(|channel| *channel != id);
            if fed.is_empty() {
                self.fed.remove(&stage);
            }
        }
    }

    /// Works on a channel; None when there is none, or when it failed and begins anew.
    fn with<T>(&mut self, id: ChannelId, now: Micros, work: impl FnOnce(&mut Channel<M>) -> T) -> Option<T> {
        self.now = self.now.max(now);
        let entry = self.channels.get_mut(&id)?;
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut entry.channel)));
        if result.is_err() {
            entry.channel.restart();
            self.totals.failed += 1;
        }
        if entry.channel.is_settled() {
            entry.retry_at = None;
        } else {
            entry.retry_at.get_or_insert(self.now + RETRY);
        }
        if !entry.channel.has_mixer() {
            entry.tick.take().into_iter().for_each(|tick| self.phases.leave(tick));
        }
        self.plan(id);
        result.ok()
    }

    /// Enters a channel in the agenda at what it has to do next. One that waits for its turn keeps its place.
    fn plan(&mut self, id: ChannelId) {
        let Some(entry) = self.channels.get(&id) else { return };
        if self.behind == Some(id) || self.agenda.at(id).is_some_and(|at| at <= self.now) {
            return;
        }
        match [entry.channel.next_due(), entry.retry_at].into_iter().flatten().min().map(grid::round_up) {
            Some(due) if due <= self.now && self.behind.is_none() => {
                self.agenda.remove(id);
                self.behind = Some(id);
            }
            Some(due) if due < Micros::MAX => self.agenda.set(id, due.max(self.now)),
            _ => self.agenda.remove(id),
        }
    }

    /// Starts or stops the channel's mixer as its audience asks, and makes its members agree with the stage.
    fn refresh(&mut self, id: ChannelId, now: Micros) {
        let Some(entry) = self.channels.get_mut(&id) else { return };
        let present = self.audiences.contains(&id);
        let tick = *entry.tick.get_or_insert_with(|| self.phases.enter(now));
        let stages = std::mem::take(&mut self.stages);
        self.with(id, now, |channel| {
            channel.set_audience(present, tick);
            let none = Members::default();
            let members = channel.stage().and_then(|stage| stages.get(&stage)).unwrap_or(&none);
            channel.reconcile(members, now);
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
                    members.holder.take_if(|holder| *holder == member);
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
            StageFact::Holds(stage, holder) => {
                if let Some(members) = self.stages.get_mut(&stage) {
                    members.holder = holder;
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

    /// Hands a microphone packet to every mixer of its stage that is to have it: of a member, spoken in that booth.
    pub fn handle_speech(&mut self, stage: StageId, from: (u32, u32), packet: RtpIn<'_>, arrival: Micros) {
        self.for_each_fed(stage, |programme, id| {
            programme.with(id, arrival, |channel| channel.hear(from, packet, arrival));
        });
    }

    /// Takes a frame from outside for a remote channel.
    pub fn handle_push(&mut self, id: ChannelId, frame: ProgrammeFrame, arrival: Micros) {
        self.totals.pushed += 1;
        let taken = self.with(id, arrival, |channel| channel.push(frame, arrival)).unwrap_or(false);
        self.totals.refused += u64::from(!taken);
    }

    /// Does one frame's work of the channel whose turn it is. Returns when to call again: a time that is not after `now`
    /// means at once, None that nothing will be due before something comes in.
    pub fn poll(&mut self, now: Micros, out: &mut impl Output) -> Option<Micros> {
        self.now = self.now.max(now);
        if let Some(id) = self.behind.take() {
            self.agenda.set(id, self.now);
        }
        if let Some(id) = self.agenda.take(self.now) {
            let clock = self.clock;
            let retry = self.channels.get_mut(&id).map(|entry| &mut entry.retry_at);
            if retry.and_then(|at| at.take_if(|at| *at <= self.now)).is_some() {
                self.refresh(id, now);
            } else {
                let due = self.channels.get(&id).and_then(|entry| entry.channel.next_due()).map(grid::round_up);
                self.lag = self.lag.max(self.now.saturating_sub(due.unwrap_or(self.now)));
                let frames = self.with(id, now, |channel| channel.poll(now, &clock, out)).unwrap_or(0);
                if let Some(entry) = self.channels.get_mut(&id) {
                    entry.count(frames, &mut self.totals);
                }
            }
        }
        if self.behind.is_some() { Some(now) } else { self.agenda.next() }
    }

    /// One JSON array element for each channel.
    pub fn dump(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.channels.keys().copied().collect();
        ids.sort_unstable();
        ids.iter().map(|id| self.channels[id].channel.dump()).collect()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod timing_tests;
