//! Channels keep each other's failures off, and mix those they were told to.

use super::*;
use crate::frame::{Csrcs, Payload};
use crate::mixing::{MixTotals, MixerConfig};
use crate::plan::{Bed, Part};
use majlis_core::fanout::ProgrammePacket;
use std::collections::BTreeMap;

const SECOND: Micros = 1_000_000;
const ONE: ChannelId = ChannelId(1);
const TWO: ChannelId = ChannelId(2);
const STAGE: StageId = StageId(3);

/// Counts packets by channel; fails at those of one channel.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) heard: HashMap<ChannelId, u32>,
    poisoned: Option<ChannelId>,
    /// Of each packet: its place in the stream, and whether there is a form of it that repeats earlier ones.
    repeats: Vec<(u64, bool)>,
}

impl Output for Ears {
    fn packet(&mut self, packet: &ProgrammePacket) {
        assert_ne!(Some(packet.channel), self.poisoned, "injected failure");
        self.repeats.push((packet.sequence, packet.red.iter().any(|body| !body.as_slice().is_empty())));
        *self.heard.entry(packet.channel).or_default() += 1;
    }

    fn export(&mut self, _: ChannelId, _: Vec<u8>) {}

    fn held(&mut self, _: u64, _: Micros) {}
}

pub(super) fn frame(sequence: u32) -> ProgrammeFrame {
    ProgrammeFrame {
        start_of_talk: sequence == 0,
        end_of_talk: false,
        level: 20,
        stream: 9,
        sequence,
        timestamp: sequence * 960,
        capture_ntp: 0,
        csrcs: Csrcs::from_loudest([5]),
        payload: Payload::new(&[0x78; 40]).expect("short enough"),
    }
}

/// Mixes nothing, and names its members, and from when on the floor is heard in full.
struct Roll(BTreeSet<u32>, Option<Micros>);

impl Mixing for Roll {
    fn begin(_: MixerConfig, _: Micros) -> Option<Self> {
        Some(Self(BTreeSet::new(), None))
    }

    fn arrange(&mut self, parts: &BTreeMap<u32, Part>, bed: Bed) -> bool {
        self.0 = parts.keys().copied().collect();
        self.1 = bed.whole_from;
        true
    }

    fn set_muted(&mut self, _: u32, _: bool) {}

    fn set_bitrate(&mut self, _: u32) {}

    fn handle_rtp(&mut self, member: u32, _: RtpIn<'_>, _: Micros) {
        let _ = member;
    }

    fn next_poll(&self) -> Micros {
        Micros::MAX
    }

    fn poll_frame(&mut self, _: Micros, _: u64) -> Option<ProgrammeFrame> {
        None
    }

    fn set_effort(&mut self, _: u8) {}

    fn totals(&self) -> MixTotals {
        MixTotals::default()
    }

    fn dump_way(&self) -> String {
        format!(r#""whole_from":"{:?}""#, self.1)
    }

    fn dump(&self) -> Vec<String> {
        self.0.iter().map(|member| format!(r#"{{"member":{member}}}"#)).collect()
    }
}

fn home_channels(ids: &[ChannelId], ears: &mut Ears) -> Programme<Roll> {
    let mut programme = Programme::new(WallClock::default());
    for id in ids {
        programme.handle_command(ProgrammeCommand::Add(*id, Some(STAGE), 7), 0, ears);
        programme.handle_fact(StageFact::Audience(*id, true), 0);
    }
    programme
}

fn mixed(programme: &Programme<Roll>) -> Vec<Vec<u32>> {
    let members = |text: &String| {
        let parts = text.split(r#"{"member":"#).skip(1);
        parts.map(|part| part.split('}').next().and_then(|number| number.parse().ok()).expect("a number")).collect()
    };
    programme.dump().iter().map(members).collect()
}

fn remote_channels(ears: &mut Ears) -> Programme<Roll> {
    let mut programme = Programme::new(WallClock::default());
    for id in [ONE, TWO] {
        programme.handle_command(ProgrammeCommand::Add(id, None, 7), 0, ears);
        programme.handle_fact(StageFact::Audience(id, true), 0);
    }
    programme
}

/// Everything that is due at a moment; when something is due next.
pub(super) fn poll_all<M: Mixing>(programme: &mut Programme<M>, now: Micros, ears: &mut Ears) -> Option<Micros> {
    for _ in 0..10_000 {
        let due = programme.poll(now, ears);
        if due.is_none_or(|due| due > now) {
            return due;
        }
    }
    panic!("what is due does not end");
}

fn play(programme: &mut Programme<Roll>, ears: &mut Ears, frames: std::ops::Range<u32>, at: Micros) {
    for sequence in frames {
        programme.handle_push(ONE, frame(sequence), at);
        programme.handle_push(TWO, frame(sequence), at);
    }
    poll_all(programme, at + SECOND, ears);
}

#[test]
fn a_command_that_fails_costs_its_channel_a_moment_and_the_others_nothing() {
    let mut ears = Ears::default();
    let mut programme = remote_channels(&mut ears);
    programme.handle_command(ProgrammeCommand::PacketLength(ONE, PacketLength::Ms60), 0, &mut ears);
    for (sequence, at) in [(0, 0), (1, 20_000)] {
        programme.handle_push(ONE, frame(sequence), at);
        programme.handle_push(TWO, frame(sequence), at);
        poll_all(&mut programme, at, &mut ears);
    }
    ears.poisoned = Some(ONE);
    programme.handle_command(ProgrammeCommand::PacketLength(ONE, PacketLength::Ms20), 20_001, &mut ears);
    ears.poisoned = None;
    assert_eq!((programme.totals().failed, ears.heard.get(&ONE)), (1, None));
    play(&mut programme, &mut ears, 2..5, 40_000);
    assert_eq!((ears.heard[&ONE], ears.heard[&TWO]), (3, 5));
}

#[test]
fn a_channel_that_fails_each_time_takes_nothing_from_the_others() {
    let mut ears = Ears { poisoned: Some(ONE), ..Ears::default() };
    let mut programme = remote_channels(&mut ears);
    for turn in 0..10 {
        play(&mut programme, &mut ears, turn * 3..turn * 3 + 3, Micros::from(turn) * 60_000);
    }
    assert!(programme.totals().failed >= 2);
    assert_eq!(ears.heard[&TWO], 30);
}

#[test]
fn a_mixer_that_failed_is_replaced_within_a_frame_without_anybody_asking() {
    let mut ears = Ears::default();
    let mut programme = home_channels(&[ONE], &mut ears);
    programme.handle_command(ProgrammeCommand::Mix(ONE, MixPlan::of([5])), 0, &mut ears);
    programme.handle_fact(StageFact::Joined(STAGE, 5), 0);
    assert_eq!(programme.with::<()>(ONE, SECOND, |_| panic!("injected failure")), None);
    assert_eq!((programme.mixers(), programme.totals().failed), (0, 1));
    let due = programme.poll(SECOND, &mut ears).expect("something is to be put in order");
    assert!(due <= SECOND + RETRY);
    programme.poll(due, &mut ears);
    assert_eq!((programme.mixers(), mixed(&programme)), (1, vec![vec![5]]));
}

#[test]
fn a_new_channel_mixes_nobody_until_it_is_told_whom() {
    let mut ears = Ears::default();
    let mut programme = home_channels(&[ONE], &mut ears);
    programme.handle_fact(StageFact::Joined(STAGE, 5), 0);
    assert_eq!(mixed(&programme), [vec![0; 0]]);
    programme.handle_command(ProgrammeCommand::Mix(ONE, MixPlan::of([5, 6])), 0, &mut ears);
    assert_eq!(mixed(&programme), [vec![5]]);
    programme.handle_fact(StageFact::Joined(STAGE, 6), 0);
    programme.handle_fact(StageFact::Joined(STAGE, 7), 0);
    assert_eq!(mixed(&programme), [vec![5, 6]]);
    programme.handle_command(ProgrammeCommand::Mix(ONE, MixPlan::of([])), 0, &mut ears);
    assert_eq!(mixed(&programme), [vec![0; 0]]);
}

#[test]
fn channels_of_one_stage_mix_each_whom_it_was_told() {
    let mut ears = Ears::default();
    let mut programme = home_channels(&[ONE, TWO], &mut ears);
    programme.handle_command(ProgrammeCommand::Mix(ONE, MixPlan::of([5])), 0, &mut ears);
    programme.handle_command(ProgrammeCommand::Mix(TWO, MixPlan::of([6])), 0, &mut ears);
    for member in [5, 6] {
        programme.handle_fact(StageFact::Joined(STAGE, member), 0);
    }
    assert_eq!(mixed(&programme), [vec![5], vec![6]]);
}

#[test]
fn the_booths_time_runs_while_who_interprets_is_muted_and_begins_anew_after_the_next_word() {
    let mut ears = Ears::default();
    let mut programme = home_channels(&[ONE], &mut ears);
    let plan = MixPlan { under: BTreeSet::from([6]), alone_after: Some(2 * SECOND), ..MixPlan::of([5]) };
    programme.handle_command(ProgrammeCommand::Mix(ONE, plan), 0, &mut ears);
    programme.handle_fact(StageFact::Joined(STAGE, 5), SECOND);
    let whole_from = |programme: &Programme<Roll>, at: Option<Micros>| {
        assert!(programme.dump()[0].contains(&format!(r#""whole_from":"{at:?}""#)), "{}", programme.dump()[0]);
    };
    whole_from(&programme, None);
    programme.handle_fact(StageFact::Muted(STAGE, 5, true), 3 * SECOND);
    programme.handle_fact(StageFact::Joined(STAGE, 6), 4 * SECOND);
    whole_from(&programme, Some(5 * SECOND));
    programme.handle_fact(StageFact::Muted(STAGE, 5, false), 6 * SECOND);
    whole_from(&programme, None);
    programme.handle_fact(StageFact::Left(STAGE, 5), 7 * SECOND);
    whole_from(&programme, Some(9 * SECOND));
}

#[test]
fn a_stage_feeds_its_channels_until_they_are_removed() {
    let mut ears = Ears::default();
    let mut programme = home_channels(&[ONE, TWO], &mut ears);
    programme.handle_command(ProgrammeCommand::Mix(TWO, MixPlan::of([5])), 0, &mut ears);
    programme.handle_command(ProgrammeCommand::Remove(ONE), 0, &mut ears);
    programme.handle_fact(StageFact::Joined(STAGE, 5), 0);
    assert_eq!(mixed(&programme), [vec![5]]);
    programme.handle_command(ProgrammeCommand::Remove(TWO), 0, &mut ears);
    assert!(programme.fed.is_empty() && programme.dump().is_empty());
}

#[test]
fn redundancy_goes_and_comes_back_and_no_packet_is_missing() {
    let mut ears = Ears::default();
    let mut programme = Programme::<Roll>::new(WallClock::default());
    programme.handle_command(ProgrammeCommand::Add(ONE, None, 7), 0, &mut ears);
    programme.handle_fact(StageFact::Audience(ONE, true), 0);
    for (turn, wanted) in [(0, true), (1, false), (2, true)] {
        programme.handle_command(ProgrammeCommand::Redundancy(ONE, wanted), Micros::from(turn) * 60_000, &mut ears);
        play(&mut programme, &mut ears, turn * 3..turn * 3 + 3, Micros::from(turn) * 60_000);
    }
    let with = [true, true, true, false, false, false, true, true, true];
    assert_eq!(ears.repeats, (0..9).zip(with).collect::<Vec<_>>());
}
