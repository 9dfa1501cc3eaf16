//! The programme frame survives the wire, and bytes that are not one are refused with a reason.

use majlis_programme::{Csrcs, FrameError, Payload, ProgrammeFrame};

fn frame() -> ProgrammeFrame {
    ProgrammeFrame {
        start_of_talk: true,
        end_of_talk: false,
        level: 23,
        stream: 0xdead_beef,
        sequence: u32::MAX,
        timestamp: 0x8000_0001,
        capture_ntp: 0xe9b1_c2d3_4455_6677,
        csrcs: Csrcs::from_loudest([7, 1 << 31, 9]),
        payload: Payload::new(&[0x78, 1, 2, 3]).unwrap(),
    }
}

#[test]
fn a_frame_comes_back_from_the_wire_as_it_was() {
    assert_eq!(ProgrammeFrame::decode(&frame().encode()), Ok(frame()));
    let closing = ProgrammeFrame { start_of_talk: false, end_of_talk: true, csrcs: Csrcs::default(), ..frame() };
    assert_eq!(ProgrammeFrame::decode(&closing.encode()), Ok(closing));
}

#[test]
fn every_cut_of_a_frame_is_refused_or_shortens_only_the_payload() {
    let wire = frame().encode();
    for cut in 0..wire.len() {
        match ProgrammeFrame::decode(&wire[..cut]) {
            Ok(short) => assert_eq!(short.payload.as_slice(), &wire[36..cut]),
            Err(error) => assert!(cut <= 36, "{cut}: {error}"),
        }
    }
}

#[test]
fn limits_are_held_with_a_reason() {
    let wire = frame().encode();
    let changed = |at: usize, value: u8| {
        let mut copy = wire.clone();
        copy[at] = value;
        ProgrammeFrame::decode(&copy).unwrap_err()
    };
    assert_eq!(changed(0, 0x20), FrameError::Version(2));
    assert_eq!(changed(0, 0x14), FrameError::Reserved);
    assert_eq!(changed(1, 128), FrameError::Reserved);
    assert_eq!(changed(3, 1), FrameError::Reserved);
    assert_eq!(changed(2, 9), FrameError::TooManyCsrcs(9));
    let mut long = wire.clone();
    long.resize(36 + 401, 0);
    assert_eq!(ProgrammeFrame::decode(&long), Err(FrameError::PayloadLength(401)));
    assert_eq!(Payload::new(&[]).unwrap_err(), FrameError::PayloadLength(0));
}

#[test]
fn only_the_eight_loudest_are_named() {
    assert_eq!(Csrcs::from_loudest(1..=20).as_slice(), &[1, 2, 3, 4, 5, 6, 7, 8]);
}
