//! Two people who talk in turn, as conversations go: nearly always one of them speaks, whose packets are the programme.

mod compare;
mod support;

use compare::*;
use majlis_speech::{Track, Voice as Recording, conversation};
use support::*;

/// What the browsers of two people in conversation send, `overlap` of the time at once.
fn talk(overlap: f64, slots: u64) -> [Vec<Arrival>; 2] {
    let [first, second] = [Recording::First, Recording::Second].map(|voice| voice.samples().unwrap());
    let mut member = 0;
    conversation(&first, &second, overlap).unwrap().map(|sound| {
        member += 1;
        let track = Track::new(&sound).unwrap();
        let mut sequence = 500u16;
        let packets = (0..slots).filter_map(|slot| track.at(slot).map(|packet| (slot, packet)));
        packets
            .map(|(slot, packet)| {
                sequence = sequence.wrapping_add(1);
                let timestamp = 77_000 * member + slot as u32 * 960;
                let sent = Sent {
                    ssrc: member,
                    sequence,
                    timestamp,
                    level: Some(packet.level),
                    payload: packet.payload.clone(),
                };
                (400_000 + slot * 20_000 + 7_000 * u64::from(member), member, sent)
            })
            .collect()
    })
}

#[test]
fn people_who_talk_in_turn_are_passed_through_but_where_both_speak() {
    for (overlap, least) in [(0.0, 95), (0.05, 88)] {
        let arrivals: Vec<Arrival> = talk(overlap, 2900).into_iter().flatten().collect();
        let mut mixer = mixer([1, 2]);
        let (frames, _) = programme(&mut mixer, arrivals, 3000);
        let made = frames.iter().flatten().filter(|frame| !frame.end_of_talk).count() as u64;
        let totals = mixer.totals();
        let why: Vec<_> = mixer.seams().filter(|(_, count)| *count > 0).collect();
        assert!(totals.passed * 100 >= made * least, "{overlap}: {totals:?} of {made}, {why:?}");
    }
}
