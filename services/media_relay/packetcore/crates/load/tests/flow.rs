//! What a listener has to make up is told from headers alone.

use majlis_load::flow::Flow;
use majlis_load::wire::RtpView;

const SPEECH: usize = 90;
const CLOSING: usize = 17;
/// A millisecond, NTP 32.32.
const MS: u64 = (1 << 32) / 1000;

fn packet(sequence: u16, timestamp: u32, marker: bool, sealed: usize) -> Vec<u8> {
    let mut bytes = vec![0x80, 111 | u8::from(marker) << 7];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 7]);
    bytes.resize(12 + sealed, 1);
    bytes
}

/// Notes packets of (sequence, frame, marker, sealed bytes, ms on the way).
fn flow(packets: impl IntoIterator<Item = (u16, u32, bool, usize, u64)>) -> Flow {
    let mut flow = Flow::default();
    for (sequence, frame, marker, sealed, way) in packets {
        let bytes = packet(sequence, frame * 960, marker, sealed);
        let captured = 1000 * MS + u64::from(frame) * 20 * MS;
        flow.note(&RtpView::parse(&bytes).unwrap(), Some(captured), captured + way * MS);
    }
    flow
}

#[test]
fn a_whole_talk_owes_nothing_and_neither_does_the_pause_after_it() {
    let talk = (0..50).map(|n| (n as u16, n, n == 0, SPEECH, 30));
    let after = [(50, 50, false, CLOSING, 30), (51, 900, true, SPEECH, 30), (52, 901, false, SPEECH, 30)];
    let seen = flow(talk.chain(after));
    assert_eq!((seen.missing, seen.late), (0, 0));
}

#[test]
fn lost_packets_and_frames_that_were_never_made_are_both_missing() {
    let lost = flow([(1, 0, true, SPEECH, 30), (2, 1, false, SPEECH, 30), (5, 4, false, SPEECH, 30)]);
    assert_eq!(lost.missing, 2);
    let never_made = flow([(1, 0, true, SPEECH, 30), (2, 1, false, SPEECH, 30), (3, 7, false, SPEECH, 30)]);
    assert_eq!(never_made.missing, 5);
    let lost_before_a_talk = flow([(1, 0, true, SPEECH, 30), (2, 1, false, SPEECH, 30), (4, 300, true, SPEECH, 30)]);
    assert_eq!(lost_before_a_talk.missing, 1);
}

#[test]
fn a_packet_that_comes_after_the_next_one_is_not_missing() {
    let seen = flow([
        (1, 0, true, SPEECH, 30),
        (2, 1, false, SPEECH, 30),
        (4, 3, false, SPEECH, 30),
        (3, 2, false, SPEECH, 55),
    ]);
    assert_eq!((seen.missing, seen.late), (0, 0));
}

#[test]
fn what_comes_long_after_the_quickest_is_too_late_to_be_played() {
    let seen = flow([
        (1, 0, true, SPEECH, 30),
        (2, 1, false, SPEECH, 90),
        (3, 2, false, SPEECH, 150),
        (4, 3, false, SPEECH, 31),
    ]);
    assert_eq!((seen.missing, seen.late), (0, 1));
}

#[test]
fn packets_of_three_frames_are_whole() {
    let seen = flow((0..20).map(|n| (n as u16, n * 3, n == 0, SPEECH * 2, 30)));
    assert_eq!(seen.missing, 0);
    let seen = flow((0..20).filter(|n| *n != 9).map(|n| (n as u16, n * 3, n == 0, SPEECH * 2, 30)));
    assert_eq!(seen.missing, 3);
}
