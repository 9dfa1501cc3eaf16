//! Who on a stage hears whom.

mod common;

use common::{Far, OPUS_20_MS, Outbox, endpoint, path};
use majlis_core::endpoint::{Command, DropReason, Endpoint, Event, SlotFormat, StageFormat};
use majlis_core::fanout::StreamStart;
use majlis_core::rtp::Packet;
use majlis_core::stage::{FLOOR, Place, Stage};
use majlis_core::{Micros, SECOND, SessionId, StageId};
use std::collections::BTreeSet;

const FRAME: Micros = 20_000;

/// Feeds the stage frames of 20 ms of several speakers with their levels; returns who `hearer` heard in the last one.
fn hear(stage: &mut Stage, from: &mut Micros, frames: u64, speakers: &[(u64, u8)], hearer: u64) -> Vec<(u64, usize)> {
    let mut heard = Vec::new();
    let mut hearers = Vec::new();
    for _ in 0..frames {
        *from += FRAME;
        heard.clear();
        for (speaker, level) in speakers {
            stage.route(SessionId(*speaker), *level, *from, &mut hearers);
            let slot = hearers.iter().find(|(session, _)| *session == SessionId(hearer));
            heard.extend(slot.map(|(_, slot)| (*speaker, *slot)));
            assert!(hearers.iter().all(|(session, _)| *session != SessionId(*speaker)), "nobody hears himself");
        }
    }
    heard
}

fn stage_of(people: u64, slots: usize) -> Stage {
    let mut stage = Stage::default();
    (1..=people).for_each(|person| stage.join(SessionId(person), person as u32, slots, Place::default()));
    stage
}

#[test]
fn five_people_all_hear_each_other_and_keep_their_slots() {
    let (mut stage, mut now) = (stage_of(5, 4), 0);
    let everyone = [(1, 30), (2, 127), (3, 60), (4, 127), (5, 20)];
    let first = hear(&mut stage, &mut now, 1, &everyone, 1);
    assert_eq!(first.len(), 4);
    let later = hear(&mut stage, &mut now, 500, &[(1, 127), (2, 20), (3, 127), (4, 30), (5, 127)], 1);
    assert_eq!(first, later, "levels change nothing while there are slots for all");
}

#[test]
fn of_many_the_four_loudest_are_heard() {
    let (mut stage, mut now) = (stage_of(10, 4), 0);
    let quiet_first: Vec<_> = (2..=10).map(|person| (person, if person <= 5 { 45 } else { 127 })).collect();
    hear(&mut stage, &mut now, 50, &quiet_first, 1);
    let loud_later: Vec<_> = (2..=10).map(|person| (person, if person >= 7 { 15 } else { 45 })).collect();
    let heard = hear(&mut stage, &mut now, 100, &loud_later, 1);
    assert_eq!(heard.iter().map(|(person, _)| *person).collect::<Vec<_>>(), [7, 8, 9, 10]);
}

#[test]
fn a_little_louder_is_not_enough_to_take_a_slot() {
    let (mut stage, mut now) = (stage_of(6, 4), 0);
    let first: Vec<_> = (2..=5).map(|person| (person, 30)).collect();
    let before = hear(&mut stage, &mut now, 100, &first, 1);
    let mut all = first.clone();
    all.push((6, 26));
    let heard = hear(&mut stage, &mut now, 200, &all, 1);
    assert_eq!(before, heard, "4 dB are within the hysteresis");
    all[4].1 = 18;
    let heard = hear(&mut stage, &mut now, 200, &all, 1);
    assert!(heard.iter().any(|(person, _)| *person == 6), "12 dB are not");
}

#[test]
fn silence_gives_way_to_speech_and_does_not_take_a_slot() {
    let (mut stage, mut now) = (stage_of(6, 4), 0);
    hear(&mut stage, &mut now, 100, &[(2, 30), (3, 30), (4, 30), (5, 30), (6, 127)], 1);
    let heard = hear(&mut stage, &mut now, 100, &[(2, 127), (3, 30), (4, 30), (5, 30), (6, 60)], 1);
    assert!(heard.iter().all(|(person, _)| *person != 6), "a murmur below speech takes nothing");
    let heard = hear(&mut stage, &mut now, 100, &[(2, 127), (3, 30), (4, 30), (5, 30), (6, 40)], 1);
    assert!(heard.iter().any(|(person, _)| *person == 6), "speech takes the slot of who fell silent");
}

#[test]
fn a_slot_is_free_again_when_its_speaker_leaves() {
    let (mut stage, mut now) = (stage_of(3, 1), 0);
    assert_eq!(hear(&mut stage, &mut now, 2, &[(2, 127), (3, 127)], 1), [(2, 0)]);
    stage.leave(SessionId(2));
    assert_eq!(hear(&mut stage, &mut now, 1, &[(3, 127)], 1), [(3, 0)]);
}

#[test]
fn who_speaks_in_a_booth_hears_the_stage_and_is_not_heard_there() {
    let (mut stage, mut now) = (stage_of(2, 4), 0);
    stage.join(SessionId(3), 3, 4, Place { booth: 5, ..Place::default() });
    assert!(hear(&mut stage, &mut now, 10, &[(3, 20)], 1).is_empty());
    assert_eq!(hear(&mut stage, &mut now, 10, &[(1, 20)], 3), [(1, 0)]);
    let mut hearers = Vec::new();
    assert!(
        stage.route(SessionId(3), 20, now, &mut hearers) == Some(5) && hearers.is_empty(),
        "it goes to the mixers all the same"
    );
}

#[test]
fn an_interpreter_hears_the_partner_and_the_floor_or_the_pivot_instead() {
    let (mut stage, mut now) = (stage_of(1, 4), 0);
    let booth = |booth| Place { booth, ..Place::default() };
    for (session, place) in [(2, booth(1)), (3, booth(1)), (4, booth(2)), (5, booth(2))] {
        stage.join(SessionId(session), session as u32, 4, place);
    }
    let everyone = [(1, 20), (2, 20), (3, 20), (4, 20), (5, 20)];
    let heard = |stage: &mut Stage, now: &mut Micros| -> Vec<u64> {
        hear(stage, now, 5, &everyone, 2).into_iter().map(|(who, _)| who).collect()
    };
    assert_eq!(heard(&mut stage, &mut now), [1, 3]);
    stage.set_hearing(SessionId(2), 2, true, BTreeSet::new());
    assert_eq!(heard(&mut stage, &mut now), [3], "nobody leads the other booth");
    stage.set_hearing(SessionId(5), FLOOR, true, BTreeSet::new());
    assert_eq!(heard(&mut stage, &mut now), [3, 5]);
    stage.set_hearing(SessionId(5), FLOOR, false, BTreeSet::new());
    stage.set_hearing(SessionId(4), FLOOR, true, BTreeSet::new());
    assert_eq!(heard(&mut stage, &mut now), [3, 4], "the pivot's interpreters have changed over");
}

#[test]
fn on_the_floor_the_interpreter_is_heard_while_somebody_speaks_who_is_not_understood_and_not_with_ones_own_words() {
    let (mut stage, mut now) = (stage_of(2, 2), 0);
    stage.join(SessionId(9), 9, 2, Place { booth: 1, hears: FLOOR, leads: true });
    stage.set_hearing(SessionId(1), 1, false, BTreeSet::from([1]));
    let heard = |stage: &mut Stage, now: &mut Micros, speaker: u64| -> Vec<u64> {
        let said = [(speaker, 20), (9, 20)];
        hear(stage, now, 20, &said, 1).into_iter().map(|(who, _)| who).collect()
    };
    assert_eq!(heard(&mut stage, &mut now, 2), [2, 9], "the raw voice and who interprets it");
    now += SECOND;
    assert_eq!(heard(&mut stage, &mut now, 1), [], "nobody hears their own words come back");
    stage.set_hearing(SessionId(1), 1, false, BTreeSet::from([1, 2]));
    now += SECOND;
    assert_eq!(heard(&mut stage, &mut now, 2), [2], "who is understood needs no interpreter");
}

#[test]
fn a_slot_is_free_again_when_its_speaker_is_no_longer_what_somebody_works_from() {
    let (mut stage, mut now) = (stage_of(1, 1), 0);
    stage.join(SessionId(2), 2, 1, Place { booth: 1, ..Place::default() });
    stage.join(SessionId(3), 3, 1, Place { booth: 2, hears: FLOOR, leads: true });
    assert_eq!(hear(&mut stage, &mut now, 2, &[(1, 20), (3, 20)], 2), [(1, 0)]);
    stage.set_hearing(SessionId(2), 2, false, BTreeSet::new());
    assert_eq!(hear(&mut stage, &mut now, 1, &[(1, 20), (3, 20)], 2), [(3, 0)]);
}

fn on_stage(endpoint: &mut Endpoint, out: &mut Outbox, id: u64, slots: u32) -> Far {
    with_level_extension(endpoint, out, id, slots, Some(1))
}

fn with_level_extension(
    endpoint: &mut Endpoint,
    out: &mut Outbox,
    id: u64,
    slots: u32,
    level_extension_id: Option<u8>,
) -> Far {
    let mut far = Far::new(endpoint, out, id, 4000 + id as u16, 0);
    let slot =
        |at| SlotFormat { ssrc: 0x900 + at, payload_type: 100, start: StreamStart { sequence: 7, timestamp: 9 } };
    let format = StageFormat {
        member: 10 + id as u32,
        payload_type: 111,
        level_extension_id,
        slots: (0..slots).map(slot).collect(),
        place: Place::default(),
    };
    let (session, stage) = (far.id, StageId(1));
    endpoint.handle_command(Command::Join { session, stage, format }, 0, out);
    far.nominate(endpoint, out, 0);
    out.sent.clear();
    far
}

fn stage_with(people: u64, slots: u32) -> (Endpoint, Outbox, Vec<Far>) {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    endpoint.handle_command(Command::AddStage(StageId(1)), 0, &mut out);
    let people = (1..=people).map(|id| on_stage(&mut endpoint, &mut out, id, slots)).collect();
    (endpoint, out, people)
}

#[test]
fn a_forwarded_packet_has_the_slots_ssrc_the_speakers_number_and_its_payload() {
    let (mut endpoint, mut out, mut people) = stage_with(3, 2);
    let mut packet = people[0].speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(people[0].path, &mut packet, FRAME, &mut out);
    let to: Vec<_> = out.sent.iter().map(|(path, _)| *path).collect();
    assert_eq!(to, [people[1].path, people[2].path], "to the others only");
    let (len, _) = people[1].open.open_rtp(&mut out.sent[0].1).expect("sealed for her");
    let packet = Packet::parse(&out.sent[0].1[..len]).expect("RTP");
    assert_eq!((packet.ssrc, packet.payload_type, packet.marker), (0x900, 100, true));
    assert_eq!((packet.csrcs().collect::<Vec<_>>(), packet.payload), (vec![11], &OPUS_20_MS[..]));
    assert!(out.events.contains(&Event::Media(people[0].id)) && out.media == [11]);
}

#[test]
fn the_mixer_is_told_the_level_that_a_sender_states_and_none_that_was_guessed() {
    let (mut endpoint, mut out, mut people) = stage_with(1, 0);
    people.push(with_level_extension(&mut endpoint, &mut out, 2, 0, None));
    for person in &mut people {
        let mut packet = person.speech(23, &OPUS_20_MS);
        endpoint.handle_datagram(person.path, &mut packet, FRAME, &mut out);
    }
    assert_eq!((out.media, out.stated), (vec![11, 12], vec![Some(23), None]));
}

#[test]
fn one_slot_is_a_continuous_stream_across_speakers() {
    let (mut endpoint, mut out, mut people) = stage_with(3, 1);
    let mut now = 0;
    let mut heard = Vec::new();
    for round in 0..300u64 {
        now += FRAME;
        let speaker = 1 + usize::from((100..200).contains(&round));
        let mut packet = people[speaker].speech(20, &OPUS_20_MS);
        out.sent.clear();
        endpoint.handle_datagram(people[speaker].path, &mut packet, now, &mut out);
        let hearer = people[0].path;
        for (_, datagram) in out.sent.iter_mut().filter(|(path, _)| *path == hearer) {
            let (len, index) = people[0].open.open_rtp(datagram).expect("sealed for him");
            let packet = Packet::parse(&datagram[..len]).expect("RTP");
            heard.push((index, packet.timestamp, packet.csrcs().next()));
        }
    }
    for pair in heard.windows(2) {
        assert_eq!(pair[1].0, pair[0].0 + 1, "no gap in the sequence");
        let step = pair[1].1.wrapping_sub(pair[0].1);
        assert!(step == 960 || pair[1].2 != pair[0].2 && step % 960 == 0 && step <= 60 * 960, "step {step}");
    }
    let speakers: Vec<_> = heard.chunk_by(|one, other| one.2 == other.2).map(|part| part[0].2).collect();
    assert_eq!(speakers, [Some(12), Some(13), Some(12)]);
}

#[test]
fn a_replayed_microphone_packet_goes_nowhere() {
    let (mut endpoint, mut out, mut people) = stage_with(2, 1);
    let packet = people[0].speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(people[0].path, &mut packet.clone(), FRAME, &mut out);
    endpoint.handle_datagram(people[0].path, &mut packet.clone(), FRAME, &mut out);
    assert_eq!((out.sent.len(), endpoint.counters().dropped[DropReason::Replay as usize]), (1, 1));
}

#[test]
fn a_flooding_microphone_is_held_to_twice_its_rate() {
    let (mut endpoint, mut out, mut people) = stage_with(2, 1);
    for packet in 0..4000u64 {
        let mut speech = people[0].speech(20, &OPUS_20_MS);
        endpoint.handle_datagram(people[0].path, &mut speech, packet * SECOND / 400, &mut out);
    }
    // Ten seconds at 100 packets a second, and a burst of one second of sound.
    assert!((1000..=1051).contains(&out.sent.len()), "{} of 4000", out.sent.len());
}

#[test]
fn a_packet_from_an_address_that_no_check_has_validated_goes_nowhere() {
    let (mut endpoint, mut out, mut people) = stage_with(2, 1);
    let mut speech = people[0].speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(path(666), &mut speech, 0, &mut out);
    assert!(out.sent.is_empty() && endpoint.counters().dropped[DropReason::NotValidated as usize] == 1);
}

#[test]
fn a_failure_ends_the_one_session_it_concerns() {
    let (mut endpoint, mut out, mut people) = stage_with(3, 2);
    out.poisoned = Some(11);
    let mut speech = people[0].speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(people[0].path, &mut speech, FRAME, &mut out);
    assert!(matches!(out.events.last(), Some(Event::Failed(SessionId(1), _))));
    assert!(endpoint.session_info(SessionId(1)).is_none());
    let mut speech = people[1].speech(20, &OPUS_20_MS);
    out.sent.clear();
    endpoint.handle_datagram(people[1].path, &mut speech, FRAME, &mut out);
    assert_eq!(out.sent.len(), 1, "the others go on");
}

#[test]
fn stage_sessions_are_sent_reports_that_name_what_was_lost() {
    let (mut endpoint, mut out, mut people) = stage_with(2, 1);
    for packet in 0..50u64 {
        let mut speech = people[0].speech(20, &OPUS_20_MS);
        if packet % 5 != 4 {
            endpoint.handle_datagram(people[0].path, &mut speech, packet * FRAME, &mut out);
        }
    }
    out.sent.clear();
    endpoint.handle_time(2 * SECOND, &mut out);
    let (_, report) = out.sent.iter_mut().find(|(path, _)| *path == people[0].path).expect("a report");
    let len = people[0].open.open_rtcp(report).expect("sealed for her");
    let blocks: Vec<_> = majlis_core::rtcp::parse(&report[..len])
        .filter_map(|packet| match packet {
            majlis_core::rtcp::Packet::ReceiverReport { mut reports, .. } => reports.next(),
            _ => None,
        })
        .collect();
    assert_eq!((blocks[0].ssrc, blocks[0].total_lost), (0x77, 9));
    assert!((46..=48).contains(&blocks[0].fraction_lost), "9 of 49 in 1/256");
}

#[test]
fn packets_are_signs_of_life_between_checks_six_seconds_apart() {
    let (mut endpoint, mut out, mut people) = stage_with(2, 1);
    out.events.clear();
    endpoint.handle_command(Command::SetMuted(people[0].id, true), 0, &mut out);
    for at in [4, 11] {
        let mut speech = people[0].speech(20, &OPUS_20_MS);
        endpoint.handle_datagram(people[0].path, &mut speech, at * SECOND, &mut out);
        // A receiver report without blocks (RFC 3550 §6.4.2).
        let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
        people[1].seal.seal_rtcp(&mut report).expect("sealed");
        endpoint.handle_datagram(people[1].path, &mut report, at * SECOND, &mut out);
        let told =
            |event: fn(SessionId) -> Event| people.iter().filter(|far| out.events.contains(&event(far.id))).count();
        assert_eq!((told(Event::Idle), told(Event::Active)), if at == 4 { (0, 0) } else { (2, 2) });
        for step in 0..30 {
            endpoint.handle_time(at * SECOND + step * SECOND / 5, &mut out);
            let idle = out.events.iter().any(|event| matches!(event, Event::Idle(_)));
            assert_eq!(idle, at == 11 || step > 25, "at {at} s and {step} fifths");
        }
    }
}

#[test]
fn who_spoke_until_nothing_came_is_idle_after_two_seconds_and_who_was_muted_or_only_reported_after_five() {
    let (mut endpoint, mut out, mut people) = stage_with(3, 1);
    endpoint.handle_command(Command::SetMuted(people[1].id, true), 0, &mut out);
    out.events.clear();
    for frame in 0..150 {
        let now = frame * SECOND / 50;
        for far in &mut people[..2] {
            let mut speech = far.speech(20, &OPUS_20_MS);
            endpoint.handle_datagram(far.path, &mut speech, now, &mut out);
        }
        endpoint.handle_time(now, &mut out);
    }
    // The third stopped speaking long before its last report.
    let mut speech = people[2].speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(people[2].path, &mut speech, SECOND, &mut out);
    let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
    people[2].seal.seal_rtcp(&mut report).expect("sealed");
    endpoint.handle_datagram(people[2].path, &mut report, 3 * SECOND, &mut out);
    let idle_after = |out: &Outbox, far: &Far| out.events.contains(&Event::Idle(far.id));
    for (tenths, gone) in [(19, [false; 3]), (25, [true, false, false]), (49, [true, false, false]), (56, [true; 3])] {
        for step in 0..5 {
            endpoint.handle_time(3 * SECOND + tenths * SECOND / 10 - 4 * SECOND / 10 + step * SECOND / 10, &mut out);
        }
        assert_eq!([0, 1, 2].map(|far| idle_after(&out, &people[far])), gone, "after {tenths} tenths of a second");
    }
}
