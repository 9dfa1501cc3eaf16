//! The programme channels of one relay, sans-IO: mixers and playout buffers in, listeners' packets and exports out.

use crate::channel::{Channel, Output};
use majlis_core::endpoint::StageFact;
use majlis_core::{ChannelId, Micros, StageId, WallClock};
use majlis_mix::{PacketLength, ProgrammeFrame, RtpIn};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What Python asks of the channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgrammeCommand {
    /// A channel fed by a stage here, or, without one, by pushed frames. The number is random: it begins the names of
    /// the channel's mixer instances.
    Add(ChannelId, Option<StageId>, u32),
    /// The end of a channel.
    Remove(ChannelId),
    /// Which members a home channel mixes; None: everyone.
    Sources(ChannelId, Option<Vec<u32>>),
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
    /// Deepest playout buffer, ms.
    pub depth_ms: u64,
}

/// Who is on a stage, with who is muted.
#[derive(Debug, Default)]
struct Members {
    all: BTreeSet<u32>,
    muted: BTreeSet<u32>,
}

/// All channels.
pub struct Programme {
    channels: HashMap<ChannelId, Channel>,
    stages: HashMap<StageId, Members>,
    /// Channels with listeners here; a fact may come before or after the channel's own command.
    audiences: BTreeSet<ChannelId>,
    clock: WallClock,
    counters: ProgrammeCounters,
}

impl Programme {
    /// No channels yet.
    pub fn new(clock: WallClock) -> Self {
        Self {
            channels: HashMap::new(),
            stages: HashMap::new(),
            audiences: BTreeSet::new(),
            clock,
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
        }
        counters
    }

    /// Applies a command.
    pub fn handle_command(&mut self, command: ProgrammeCommand, now: Micros, out: &mut impl Output) {
        match command {
            ProgrammeCommand::Add(id, stage, seed) => {
                self.channels.insert(id, Channel::new(id, stage, seed));
                self.refresh(id, now);
            }
            ProgrammeCommand::Remove(id) => drop(self.channels.remove(&id)),
            ProgrammeCommand::Sources(id, members) => {
                self.with(id, |channel| channel.set_sources(members));
                self.refresh(id, now);
            }
            ProgrammeCommand::Export(id, wanted) => {
                self.with(id, |channel| channel.set_export(wanted));
                self.refresh(id, now);
            }
            ProgrammeCommand::PacketLength(id, length) => {
                self.with(id, |channel| channel.set_packet_length(length, now, out));
            }
            ProgrammeCommand::Bitrate(id, bits) => self.with(id, |channel| channel.set_bitrate(bits)),
        }
    }

    fn with(&mut self, id: ChannelId, change: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(&id) {
            change(channel);
        }
    }

    /// Starts or stops the channel's mixer as its audience asks, and makes its members agree with the stage.
    fn refresh(&mut self, id: ChannelId, now: Micros) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.set_audience(self.audiences.contains(&id), now);
        let none = Members::default();
        let members = channel.stage().and_then(|stage| self.stages.get(&stage)).unwrap_or(&none);
        channel.reconcile(&members.all, &members.muted);
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
        let of_stage: Vec<ChannelId> =
            self.channels.iter().filter(|(_, channel)| channel.stage() == Some(stage)).map(|(id, _)| *id).collect();
        for id in of_stage {
            self.refresh(id, now);
        }
    }

    /// Hands a microphone packet to every mixer of its stage.
    pub fn handle_speech(&mut self, stage: StageId, member: u32, packet: RtpIn<'_>, arrival: Micros) {
        for channel in self.channels.values_mut().filter(|channel| channel.stage() == Some(stage)) {
            let result = catch_unwind(AssertUnwindSafe(|| channel.hear(member, packet, arrival)));
            if result.is_err() {
                channel.restart();
                self.counters.failed += 1;
            }
        }
    }

    /// Takes a frame from outside for a remote channel.
    pub fn handle_push(&mut self, id: ChannelId, frame: ProgrammeFrame, arrival: Micros) {
        self.counters.pushed += 1;
        let taken = self.channels.get_mut(&id).is_some_and(|channel| channel.push(frame, arrival));
        self.counters.refused += u64::from(!taken);
    }

    /// Does everything that is due; returns when to call again.
    pub fn poll(&mut self, now: Micros, out: &mut impl Output) -> Option<Micros> {
        let mut next = None;
        let clock = self.clock;
        let mut failed = Vec::new();
        for (id, channel) in &mut self.channels {
            let result = catch_unwind(AssertUnwindSafe(|| channel.poll(now, &clock, out)));
            match result {
                Ok(frames) => self.counters.frames += frames,
                Err(_) => {
                    channel.restart();
                    self.counters.failed += 1;
                    failed.push(*id);
                }
            }
            next = [next, channel.next_due()].into_iter().flatten().min();
        }
        for id in failed {
            self.refresh(id, now);
        }
        next
    }

    /// One JSON array element for each channel.
    pub fn dump(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.channels.keys().copied().collect();
        ids.sort_unstable();
        ids.iter().map(|id| self.channels[id].dump()).collect()
    }
}
