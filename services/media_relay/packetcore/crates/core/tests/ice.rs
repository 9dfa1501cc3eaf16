//! The lite agent: who is answered, where media goes, when consent ends.

mod common;

use common::{Far, Outbox, endpoint, pass, path};
use majlis_core::endpoint::{DropReason, Endpoint, Event};
use majlis_core::{Micros, Path, SECOND, SessionId, rtcp, stun};
use proptest::prelude::*;

fn one_session() -> (Endpoint, Outbox, Far) {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let far = Far::new(&mut endpoint, &mut out, 1, 4000, 0);
    (endpoint, out, far)
}

fn nominations(out: &Outbox) -> Vec<Path> {
    let path = |event: &Event| match event {
        Event::Nominated(_, path) => Some(*path),
        _ => None,
    };
    out.events.iter().filter_map(path).collect()
}

#[test]
fn every_valid_check_is_answered_but_only_use_candidate_moves_media() {
    let (mut endpoint, mut out, mut far) = one_session();
    let mut check = far.check(false);
    endpoint.handle_datagram(far.path, &mut check, 0, &mut out);
    assert!(out.events.is_empty(), "nobody has to hear of it");
    let answer = stun::Message::parse(&out.sent[0].1).expect("STUN");
    assert!(answer.is_binding_success() && answer.integrity_is_valid(&stun::integrity_key(&far.pwd)));
    assert_eq!((out.sent[0].0, answer.mapped_address()), (far.path, Some(far.path.remote)));
    far.nominate(&mut endpoint, &mut out, 10);
    assert_eq!((nominations(&out), out.sent.len()), (vec![far.path], 2));
}

#[test]
fn a_recorded_check_sent_again_from_elsewhere_is_answered_and_moves_nothing() {
    let (mut endpoint, mut out, mut far) = one_session();
    let recorded = far.check(true);
    endpoint.handle_datagram(far.path, &mut recorded.clone(), 0, &mut out);
    for second in 1..100 {
        endpoint.handle_datagram(path(666), &mut recorded.clone(), second * SECOND, &mut out);
    }
    assert_eq!(nominations(&out), [far.path]);
    assert_eq!(endpoint.session_info(SessionId(1)).and_then(|info| info.address), Some(far.path.remote));
}

#[test]
fn recorded_checks_do_not_keep_consent_alive() {
    let (mut endpoint, mut out, mut far) = one_session();
    let recorded = far.check(true);
    for second in 0..40 {
        endpoint.handle_datagram(far.path, &mut recorded.clone(), second * SECOND, &mut out);
        endpoint.handle_time(second * SECOND, &mut out);
    }
    assert!(out.events.contains(&Event::Expired(SessionId(1))));
}

/// A browser's check each 2.5 s, all nominating, as time passes; returns those that were sent, oldest first.
fn live(endpoint: &mut Endpoint, out: &mut Outbox, far: &mut Far, from: Micros, seconds: u64) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for step in 0..seconds * 2 / 5 {
        let now = from + step * 5 * SECOND / 2;
        let check = far.check(true);
        endpoint.handle_datagram(far.path, &mut check.clone(), now, out);
        out.sent.clear();
        pass(endpoint, out, now, now + 5 * SECOND / 2);
        sent.push(check);
    }
    sent
}

/// A report of the client, from where it is now.
fn report(endpoint: &mut Endpoint, out: &mut Outbox, far: &mut Far, now: Micros) {
    let mut compound = Vec::new();
    rtcp::write_receiver_report(&mut compound, 1, None);
    let mut report = far.report(compound);
    endpoint.handle_datagram(far.path, &mut report, now, out);
}

#[test]
fn a_client_whose_reports_are_all_that_it_sends_keeps_consent_until_it_sends_none() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    for second in (0..120).step_by(5) {
        report(&mut endpoint, &mut out, &mut far, second * SECOND);
        pass(&mut endpoint, &mut out, second * SECOND, (second + 5) * SECOND);
    }
    assert!(!out.events.contains(&Event::Expired(far.id)), "{:?}", out.events);
    pass(&mut endpoint, &mut out, 120 * SECOND, 150 * SECOND);
    assert_eq!(out.events.last(), Some(&Event::Expired(far.id)));
}

const HOUR: u64 = 3600;
/// Seconds after which the first transactions are forgotten.
const FORGETFUL: u64 = 4 * HOUR;

#[test]
fn a_session_of_thirty_hours_keeps_consent_and_may_still_move() {
    let (mut endpoint, mut out, mut far) = one_session();
    live(&mut endpoint, &mut out, &mut far, 0, 30 * HOUR);
    assert!(out.events.iter().all(|event| !matches!(event, Event::Expired(_) | Event::Idle(_))), "{:?}", out.events);
    let now = 30 * HOUR * SECOND;
    (far.path, out.events) = (path(5000), Vec::new());
    report(&mut endpoint, &mut out, &mut far, now);
    far.nominate(&mut endpoint, &mut out, now + 1);
    assert!(nominations(&out).is_empty(), "a report from where no check has come says nothing");
    report(&mut endpoint, &mut out, &mut far, now + 2);
    pass(&mut endpoint, &mut out, now, now + SECOND);
    assert_eq!(nominations(&out), [path(5000)]);
    live(&mut endpoint, &mut out, &mut far, now + SECOND, 120);
    assert_eq!(endpoint.session_info(far.id).and_then(|info| info.address), Some(path(5000).remote));
}

#[test]
fn a_check_that_was_forgotten_takes_nothing_from_a_client_that_is_there() {
    let (mut endpoint, mut out, mut far) = one_session();
    let recorded = live(&mut endpoint, &mut out, &mut far, 0, FORGETFUL);
    out.events.clear();
    for (at, old) in recorded[..200].iter().enumerate() {
        let now = (FORGETFUL + at as u64 * 5) * SECOND;
        endpoint.handle_datagram(path(666), &mut old.clone(), now, &mut out);
        live(&mut endpoint, &mut out, &mut far, now, 5);
    }
    assert!(nominations(&out).is_empty(), "{:?}", nominations(&out));
    assert_eq!(endpoint.session_info(far.id).and_then(|info| info.address), Some(far.path.remote));
}

#[test]
fn old_checks_after_the_client_has_gone_end_with_the_consent_it_gave() {
    let (mut endpoint, mut out, mut far) = one_session();
    let recorded = live(&mut endpoint, &mut out, &mut far, 0, FORGETFUL);
    for (at, old) in recorded[..40].iter().enumerate() {
        let now = (FORGETFUL + at as u64) * SECOND;
        endpoint.handle_datagram(path(666), &mut old.clone(), now, &mut out);
        pass(&mut endpoint, &mut out, now, now + SECOND);
    }
    assert_eq!(out.events.last(), Some(&Event::Expired(far.id)));
}

#[test]
fn a_client_that_comes_back_from_elsewhere_after_hours_is_followed_once_its_old_path_is_silent() {
    let (mut endpoint, mut out, mut far) = one_session();
    live(&mut endpoint, &mut out, &mut far, 0, FORGETFUL);
    (far.path, out.events) = (path(5000), Vec::new());
    live(&mut endpoint, &mut out, &mut far, FORGETFUL * SECOND, 10);
    assert_eq!(nominations(&out), [path(5000)]);
    report(&mut endpoint, &mut out, &mut far, (FORGETFUL + 10) * SECOND);
    live(&mut endpoint, &mut out, &mut far, (FORGETFUL + 10) * SECOND, 120);
    assert_eq!(endpoint.session_info(far.id).and_then(|info| info.address), Some(path(5000).remote));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// However often a client checks, and whatever recorded checks come in between from wherever.
    #[test]
    fn who_checks_in_time_keeps_consent_and_media_for_more_than_a_day(
        pauses in prop::collection::vec(200u64..6_000, 40..80),
        strangers in prop::collection::vec((0usize..40_000, 600u16..700), 40..80),
    ) {
        let (mut endpoint, mut out, mut far) = one_session();
        let (mut now, mut recorded) = (0, Vec::new());
        for turn in 0.. {
            if now > 25 * HOUR * SECOND { break }
            let check = far.check(true);
            endpoint.handle_datagram(far.path, &mut check.clone(), now, &mut out);
            recorded.push(check);
            let (which, port) = strangers[turn % strangers.len()];
            let mut old = recorded[which % recorded.len()].clone();
            endpoint.handle_datagram(path(port), &mut old, now + 1, &mut out);
            now += pauses[turn % pauses.len()] * 1000;
            endpoint.handle_time(now, &mut out);
            out.sent.clear();
        }
        prop_assert_eq!(nominations(&out), [far.path]);
        prop_assert!(!out.events.contains(&Event::Expired(far.id)));
    }
}

#[test]
fn media_moves_at_most_once_a_second() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    for step in 1..=25u16 {
        let mut check = far.check(true);
        endpoint.handle_datagram(path(4000 + step), &mut check, u64::from(step) * SECOND / 10, &mut out);
    }
    let ports: Vec<u16> = nominations(&out).iter().map(|path| path.remote.port()).collect();
    assert_eq!(ports, [4000, 4010, 4020]);
    assert_eq!(out.sent.len(), 26, "every one was answered");
}

#[test]
fn a_nomination_too_soon_after_another_takes_effect_within_the_second() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    for port in [4001, 4002] {
        let mut check = far.check(true);
        endpoint.handle_datagram(path(port), &mut check, SECOND / 10, &mut out);
    }
    assert_eq!(nominations(&out), [far.path]);
    pass(&mut endpoint, &mut out, 0, SECOND + SECOND / 10);
    assert_eq!(nominations(&out), [far.path, path(4002)], "the last one wanted, without another check");
}

#[test]
fn the_first_pair_of_new_credentials_is_taken_at_once_though_media_has_just_moved() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    let (ufrag, pwd) = ("newfrag".to_owned(), "a new password of 22 or more".to_owned());
    let session = far.id;
    let restart = majlis_core::endpoint::Command::RestartIce { session, ufrag: ufrag.clone(), pwd: pwd.clone() };
    endpoint.handle_command(restart, SECOND / 10, &mut out);
    let mut old = far.check(false);
    (far.ufrag, far.pwd) = (ufrag, pwd);
    let mut new = far.check(true);
    endpoint.handle_datagram(path(5000), &mut new, SECOND / 5, &mut out);
    assert_eq!(nominations(&out), [far.path, path(5000)]);
    out.sent.clear();
    endpoint.handle_datagram(far.path, &mut old, SECOND / 4, &mut out);
    assert!(out.sent.is_empty(), "and the old credentials end with it");
}

#[test]
fn a_wrong_password_an_unknown_fragment_and_an_answer_get_no_answer() {
    let (mut endpoint, mut out, mut far) = one_session();
    let mut wrong = far.check(true);
    let last = wrong.len() - 20;
    wrong[last] ^= 1;
    wrong.truncate(wrong.len() - 8);
    wrong[3] -= 8;
    let key = stun::integrity_key("another password of 22");
    let mut unknown = Vec::new();
    stun::write_check(&mut unknown, &[1; 12], "nobody:far", true, &key);
    let mut answer = Vec::new();
    stun::write_success(&mut answer, &[1; 12], far.path.remote, &stun::integrity_key(&far.pwd));
    for datagram in [&mut wrong, &mut unknown, &mut answer] {
        endpoint.handle_datagram(path(666), datagram, 0, &mut out);
    }
    assert!(out.sent.is_empty() && out.events.is_empty());
    let dropped = endpoint.counters().dropped;
    assert_eq!(dropped[DropReason::StunIntegrity as usize], 1);
    assert_eq!(dropped[DropReason::StunUnknownUfrag as usize], 2);
}

#[test]
fn a_restart_keeps_the_old_pair_until_a_new_one_is_nominated() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    let command = majlis_core::endpoint::Command::RestartIce {
        session: far.id,
        ufrag: "newfrag".to_owned(),
        pwd: "a new password of 22 or more".to_owned(),
    };
    endpoint.handle_command(command, SECOND, &mut out);
    let mut old = far.check(true);
    out.sent.clear();
    endpoint.handle_datagram(far.path, &mut old, 2 * SECOND, &mut out);
    assert_eq!(out.sent.len(), 1, "the old pair is still answered");
    assert_eq!(endpoint.session_info(far.id).and_then(|info| info.address), Some(far.path.remote));
    let old_check = far.check(true);
    (far.ufrag, far.pwd) = ("newfrag".to_owned(), "a new password of 22 or more".to_owned());
    let mut new = far.check(true);
    endpoint.handle_datagram(path(5000), &mut new, 3 * SECOND, &mut out);
    assert_eq!(endpoint.session_info(far.id).and_then(|info| info.address), Some(path(5000).remote));
    out.sent.clear();
    endpoint.handle_datagram(far.path, &mut old_check.clone(), 4 * SECOND, &mut out);
    assert!(out.sent.is_empty(), "the old credentials are gone");
}

#[test]
fn a_session_falls_idle_after_five_seconds_wakes_with_a_check_and_expires_after_thirty() {
    let (mut endpoint, mut out, mut far) = one_session();
    far.nominate(&mut endpoint, &mut out, 0);
    out.events.clear();
    pass(&mut endpoint, &mut out, 0, 6 * SECOND);
    assert_eq!(out.events, [Event::Idle(far.id)]);
    far.nominate(&mut endpoint, &mut out, 7 * SECOND);
    assert_eq!(out.events.last(), Some(&Event::Active(far.id)));
    pass(&mut endpoint, &mut out, 7 * SECOND, 36 * SECOND);
    assert!(!out.events.contains(&Event::Expired(far.id)));
    pass(&mut endpoint, &mut out, 36 * SECOND, 38 * SECOND);
    assert_eq!(out.events.last(), Some(&Event::Expired(far.id)));
    assert!(endpoint.session_info(far.id).is_none());
    out.sent.clear();
    far.nominate(&mut endpoint, &mut out, 39 * SECOND);
    assert!(out.sent.is_empty(), "an expired session answers nothing");
}

#[test]
fn what_is_not_nominated_and_keyed_within_ten_seconds_is_closed() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut unkeyed = Far::unkeyed(&mut endpoint, &mut out, 1, 4001, 0);
    Far::new(&mut endpoint, &mut out, 2, 4002, 0);
    let mut whole = Far::new(&mut endpoint, &mut out, 3, 4003, 0);
    unkeyed.nominate(&mut endpoint, &mut out, 0);
    whole.nominate(&mut endpoint, &mut out, 0);
    pass(&mut endpoint, &mut out, 0, 11 * SECOND);
    let expired = |id| out.events.contains(&Event::Expired(SessionId(id)));
    assert_eq!([1, 2, 3].map(expired), [true, true, false]);
}

#[test]
fn a_peer_that_thinks_it_is_controlled_is_told_of_the_conflict() {
    let (mut endpoint, mut out, far) = one_session();
    let mut check = far_controlled(&far);
    endpoint.handle_datagram(far.path, &mut check, 0, &mut out);
    let answer = stun::Message::parse(&out.sent[0].1).expect("STUN");
    assert!(!answer.is_binding_success() && answer.integrity_is_valid(&stun::integrity_key(&far.pwd)));
    assert!(out.events.is_empty(), "and validates nothing");
}

/// A check with ICE-CONTROLLED in the place of ICE-CONTROLLING, its checksums made anew.
fn far_controlled(far: &Far) -> Vec<u8> {
    let key = stun::integrity_key(&far.pwd);
    let mut check = Vec::new();
    stun::write_check(&mut check, &[9; 12], &format!("{}:far", far.ufrag), false, &key);
    let at = check.windows(4).position(|window| window == [0x80, 0x2a, 0, 8]).expect("there");
    check[at + 1] = 0x29;
    check.truncate(check.len() - 8 - 24);
    let len = (check.len() - 20 + 24) as u16;
    check[2..4].copy_from_slice(&len.to_be_bytes());
    let tag = ring::hmac::sign(&key, &check);
    check.extend([0, 8, 0, 20]);
    check.extend(tag.as_ref());
    check
}
