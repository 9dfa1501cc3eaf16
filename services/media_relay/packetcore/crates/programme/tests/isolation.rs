//! No packet goes into a mix that it is not for, whatever came before: over a thousand schedules of people who come, go,
//! move between floor and booths, hand over and are mixed by plans that contradict where they are.

use majlis_core::endpoint::StageFact;
use majlis_core::fanout::ProgrammePacket;
use majlis_core::stage::FLOOR;
use majlis_core::{ChannelId, Micros, StageId, WallClock};
use majlis_programme::{
    Bed, MixPlan, MixTotals, MixerConfig, Mixing, Output, Part, Programme, ProgrammeCommand, ProgrammeFrame, RtpIn,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

const STAGE: StageId = StageId(7);
const MEMBERS: u64 = 6;
const BOOTHS: u64 = 3;

thread_local! {
    /// What reached a mixer: its number, the member, and what the packet says of itself.
    static HEARD: RefCell<Vec<(u32, u32, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// Notes what it is given; its number is the first thing it learns.
struct Ear {
    stream: u32,
    parts: BTreeMap<u32, Part>,
}

impl Mixing for Ear {
    fn begin(config: MixerConfig, _: Micros) -> Option<Self> {
        Some(Self { stream: config.stream, parts: BTreeMap::new() })
    }

    fn arrange(&mut self, parts: &BTreeMap<u32, Part>, _: Bed) -> bool {
        self.parts = parts.clone();
        true
    }

    fn set_muted(&mut self, _: u32, _: bool) {}

    fn set_bitrate(&mut self, _: u32) {}

    fn set_effort(&mut self, _: u8) {}

    fn totals(&self) -> MixTotals {
        MixTotals::default()
    }

    fn handle_rtp(&mut self, member: u32, packet: RtpIn<'_>, _: Micros) {
        if self.parts.contains_key(&member) {
            HEARD.with_borrow_mut(|heard| heard.push((self.stream, member, packet.payload.to_vec())));
        }
    }

    fn next_poll(&self) -> Micros {
        Micros::MAX
    }

    fn poll_frame(&mut self, _: Micros, _: u64) -> Option<ProgrammeFrame> {
        None
    }

    fn dump(&self) -> Vec<String> {
        Vec::new()
    }

    fn dump_way(&self) -> String {
        String::new()
    }
}

struct Nowhere;

impl Output for Nowhere {
    fn packet(&mut self, _: &ProgrammePacket) {}

    fn export(&mut self, _: ChannelId, _: Vec<u8>) {}

    fn held(&mut self, _: u64, _: Micros) {}
}

struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn members(&mut self) -> BTreeSet<u32> {
        let some = self.below(1 << MEMBERS);
        (0..MEMBERS as u32).filter(|member| some >> member & 1 == 1).collect()
    }
}

#[test]
fn no_packet_of_a_booth_reaches_the_floor_or_another_booth_in_any_of_a_thousand_schedules() {
    let mut reached = 0;
    for seed in 0..1000 {
        let mut random = Seeded(seed);
        let mut programme = Programme::<Ear>::new(WallClock::default());
        let mut plans: Vec<MixPlan> = Vec::new();
        for booth in 0..BOOTHS {
            // The number of a channel's first mixer is the one it is made with.
            let command = ProgrammeCommand::Add(ChannelId(booth), Some(STAGE), booth as u32);
            programme.handle_command(command, 0, &mut Nowhere);
            programme.handle_fact(StageFact::Audience(ChannelId(booth), true), 0);
            plans.push(MixPlan { booth: booth as u32, ..MixPlan::default() });
        }
        let mut on_stage = BTreeSet::new();
        for turn in 0..80u64 {
            let now = turn * 20_000;
            let member = random.below(MEMBERS) as u32;
            match random.below(4) {
                0 if on_stage.insert(member) => programme.handle_fact(StageFact::Joined(STAGE, member), now),
                0 => {
                    on_stage.remove(&member);
                    programme.handle_fact(StageFact::Left(STAGE, member), now);
                }
                1 => {
                    let booth = random.below(BOOTHS);
                    let plan = MixPlan {
                        booth: booth as u32,
                        voices: random.members(),
                        ready: random.members(),
                        under: if booth == 0 { BTreeSet::new() } else { random.members() },
                        clear: random.members(),
                        under_db: Some(-20),
                        alone_after: None,
                    };
                    plans[booth as usize] = plan.clone();
                    programme.handle_command(ProgrammeCommand::Mix(ChannelId(booth), plan), now, &mut Nowhere);
                }
                _ => {
                    let booth = random.below(BOOTHS) as u32;
                    let payload = [booth as u8];
                    let packet = RtpIn { ssrc: 1, sequence: 1, timestamp: 1, level: None, payload: &payload };
                    programme.handle_speech(STAGE, (member, booth), packet, now);
                    HEARD.with_borrow_mut(|heard| {
                        for (channel, member, spoken_in) in heard.drain(..) {
                            let (channel, booth) = (channel, u32::from(spoken_in[0]));
                            assert!(booth == channel || booth == FLOOR, "seed {seed}: {booth} is heard in {channel}");
                            let plan = &plans[channel as usize];
                            assert!(plan.part(member).is_some() && on_stage.contains(&member), "seed {seed}");
                            assert!(booth == channel || plan.part(member) == Some(Part::Under), "seed {seed}");
                            reached += 1;
                        }
                    });
                }
            }
        }
    }
    assert!(reached > 5_000, "{reached} packets were heard at all");
}

#[test]
fn what_a_member_is_in_a_channel_follows_from_its_plan_alone() {
    let set = |members: &[u32]| members.iter().copied().collect::<BTreeSet<u32>>();
    let plan = MixPlan {
        booth: 4,
        voices: set(&[1]),
        ready: set(&[1, 2]),
        under: set(&[1, 2, 3]),
        clear: set(&[3, 9]),
        under_db: Some(-20),
        alone_after: None,
    };
    assert_eq!([1, 2, 3, 9].map(|who| plan.part(who)), [Some(Part::Voice), Some(Part::Ready), Some(Part::Under), None]);
    assert_eq!([1, 2, 3, 9].map(|who| plan.takes(who, 4)), [true, true, false, false]);
    assert_eq!([1, 2, 3, 9].map(|who| plan.takes(who, FLOOR)), [false, false, true, false]);
    assert!([1, 2, 3, 9].iter().all(|who| !plan.takes(*who, 5)), "no other booth is heard");
}
