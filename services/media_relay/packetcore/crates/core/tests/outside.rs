//! Microphones that do not come over the media port.

mod common;

use common::{Far, OPUS_20_MS, Outbox, endpoint};
use majlis_core::endpoint::{Command, SlotFormat, StageFormat};
use majlis_core::fanout::StreamStart;
use majlis_core::rtp::Packet;
use majlis_core::stage::Place;
use majlis_core::{SECOND, SessionId, StageId};

#[test]
fn who_speaks_from_outside_is_heard_in_a_slot_bit_for_bit_and_shut_like_anyone() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    endpoint.handle_command(Command::AddStage(StageId(1)), 0, &mut out);
    let mut far = Far::new(&mut endpoint, &mut out, 1, 1001, 0);
    far.nominate(&mut endpoint, &mut out, 0);
    let slot = SlotFormat { ssrc: 0x51, payload_type: 111, start: StreamStart { sequence: 5, timestamp: 9 } };
    let format = |member, slots| StageFormat {
        member,
        payload_type: 111,
        level_extension_id: None,
        slots,
        place: Place::default(),
    };
    let join = |session, format| Command::Join { session: SessionId(session), stage: StageId(1), format };
    endpoint.handle_command(join(1, format(11, vec![slot])), 0, &mut out);
    endpoint.handle_command(Command::AddOutside(SessionId(2)), 0, &mut out);
    endpoint.handle_command(join(2, format(22, vec![])), 0, &mut out);
    out.sent.clear();

    let words: Vec<Vec<u8>> = (0..20).map(|at| [&OPUS_20_MS[..], &[at]].concat()).collect();
    let spoken = words.iter().enumerate().map(|(at, word)| (at as u32 * 960, word.clone())).collect();
    endpoint.handle_command(Command::Speak(SessionId(2), spoken), SECOND, &mut out);
    for now in (SECOND..2 * SECOND).step_by(5000) {
        endpoint.handle_outside(now, &mut out);
    }
    let heard: Vec<Vec<u8>> = out
        .sent
        .drain(..)
        .map(|(path, mut datagram)| {
            assert_eq!(path, far.path);
            let (len, _) = far.open.open_rtp(&mut datagram).expect("sealed for the hearer");
            let packet = Packet::parse(&datagram[..len]).expect("RTP");
            assert_eq!(packet.csrcs().collect::<Vec<_>>(), [22]);
            packet.payload.to_vec()
        })
        .collect();
    assert_eq!(heard, words);
    assert_eq!(out.media, vec![22; 20], "and goes to the mixer");

    let more = (20..40).map(|at| (at * 960, OPUS_20_MS.to_vec())).collect();
    endpoint.handle_command(Command::Speak(SessionId(2), more), SECOND + SECOND / 5, &mut out);
    out.media.clear();
    out.sent.clear();
    endpoint.handle_command(Command::SetMuted(SessionId(2), true), 2 * SECOND, &mut out);
    for now in (2 * SECOND..3 * SECOND).step_by(5000) {
        endpoint.handle_outside(now, &mut out);
    }
    assert!(out.media.is_empty() && out.sent.is_empty(), "not even what waited for its time");
    endpoint.handle_command(Command::SetMuted(SessionId(2), false), 3 * SECOND, &mut out);
    let later = (90..100).map(|at| (at * 960, OPUS_20_MS.to_vec())).collect();
    endpoint.handle_command(Command::Speak(SessionId(2), later), 3 * SECOND, &mut out);
    for now in (3 * SECOND..4 * SECOND).step_by(5000) {
        endpoint.handle_outside(now, &mut out);
    }
    assert_eq!(out.media.len(), 10, "only what is said since");
    endpoint.handle_time(60 * SECOND, &mut out);
    assert!(endpoint.session_info(SessionId(2)).is_some_and(|info| info.connected), "no check is expected of it");
    endpoint.handle_command(Command::Remove(SessionId(2)), 60 * SECOND, &mut out);
    assert_eq!(endpoint.speech_due(), None);
}
