//! Interpreters over real sockets: their channel, their ears, and that the floor never hears them.

mod common;

use common::{Client, Heard, amplitude, decode, on_time, relay, run, stage_format};
use majlis_core::endpoint::StageFormat;
use majlis_core::stage::{FLOOR, Place};
use majlis_programme::MixPlan;
use std::collections::BTreeSet;

const ARABIC: u32 = 1;
const RUSSIAN: u32 = 2;
/// Speaker, two in the Arabic booth, one in the Russian one.
const ADA: u32 = 1;
const BASMA: u32 = 2;
const DALIA: u32 = 3;
const YURI: u32 = 4;
/// What each of them sounds like, Hz.
const TONES: [f32; 4] = [300.0, 700.0, 1100.0, 1700.0];

fn at(member: u32, booth: u32, hears: u32, leads: bool) -> StageFormat {
    StageFormat { place: Place { booth, hears, leads }, ..stage_format(member, 4) }
}

/// How loud each tone is in what was heard after a while.
fn tones(packets: &[Heard]) -> [f32; 4] {
    let sound = decode(&packets[packets.len() / 2..]);
    TONES.map(|hertz| amplitude(&sound, hertz))
}

/// Whose packets came in somebody's slots.
fn voices(packets: &[Heard]) -> Vec<u32> {
    let mut members: Vec<u32> = packets.iter().flat_map(|packet| packet.csrcs.iter().copied()).collect();
    members.sort_unstable();
    members.dedup();
    members
}

fn booth(number: u32, voices: &[u32], ready: &[u32], under: &[u32]) -> MixPlan {
    MixPlan {
        booth: number,
        ready: ready.iter().copied().collect(),
        under: under.iter().copied().collect(),
        under_db: Some(-20),
        ..MixPlan::of(voices.iter().copied())
    }
}

#[test]
fn a_listener_of_a_language_hears_its_interpreter_over_the_floor_and_the_floor_hears_no_booth() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = |plan| {
            let channel = relay.add_channel(Some(stage)).expect("channel").0;
            relay.set_mix(channel, plan).expect("a home channel");
            channel
        };
        let arabic = channel(booth(ARABIC, &[BASMA], &[DALIA], &[ADA]));
        // Whatever a plan says: what is spoken in a booth is not for the floor.
        let floor = channel(MixPlan::of([ADA, BASMA, DALIA, YURI]));
        let mut ada = Client::at(&relay, "ada0", stage, at(ADA, FLOOR, FLOOR, false), TONES[0]);
        let mut basma = Client::at(&relay, "basma0", stage, at(BASMA, ARABIC, FLOOR, true), TONES[1]);
        let mut dalia = Client::at(&relay, "dalia0", stage, at(DALIA, ARABIC, FLOOR, false), TONES[2]);
        let mut yuri = Client::at(&relay, "yuri0", stage, at(YURI, RUSSIAN, ARABIC, true), TONES[3]);
        let mut on_floor = Client::listener(&relay, "onfloor", floor);
        let mut in_arabic = Client::listener(&relay, "inarabic", arabic);
        let heard = run(100, &mut [&mut ada, &mut basma, &mut dalia, &mut yuri], &mut [&mut on_floor, &mut in_arabic]);
        assert_eq!(voices(&heard[0]), [ADA], "nobody in a booth is named");
        let [first, others @ ..] = tones(&heard[0]);
        assert!(first > 0.05 && others.iter().all(|tone| *tone < 0.0005), "the floor: {first}, {others:?}");
        let [under, voice, partner, elsewhere] = tones(&heard[1]);
        assert!(voice > 0.05 && (0.05..0.2).contains(&(under / voice)), "{under} under {voice}");
        assert!(partner < 0.0005 && elsewhere < 0.0005, "{partner}, {elsewhere}");
        assert_eq!(voices(&ada.hear()), [], "the speaker hears nobody else on the floor");
        assert_eq!(voices(&basma.hear()), [ADA, DALIA], "the floor and the partner");
        assert_eq!(voices(&yuri.hear()), [BASMA], "who leads the booth that is worked from, and not the floor");

        relay.set_mix(arabic, booth(ARABIC, &[DALIA], &[BASMA], &[ADA])).expect("a home channel");
        relay.set_hearing(basma.session, FLOOR, false, BTreeSet::new()).expect("on stage");
        relay.set_hearing(dalia.session, FLOOR, true, BTreeSet::new()).expect("on stage");
        relay.flush().expect("running");
        yuri.hear();
        let heard = run(60, &mut [&mut ada, &mut basma, &mut dalia, &mut yuri], &mut [&mut in_arabic, &mut on_floor]);
        let [_, before, now, _] = tones(&heard[0]);
        assert!(now > 0.05 && before < 0.0005, "{before}, then {now}");
        assert!(tones(&heard[1])[1..].iter().all(|tone| *tone < 0.0005));
        assert_eq!(voices(&yuri.hear()), [DALIA], "relay interpretation follows the hand-over");
    });
}
