//! One client that sends too much costs the others nothing.

mod common;

use common::{Far, OPUS_20_MS, Outbox, endpoint};
use majlis_core::endpoint::{Command, DropReason, Endpoint, Event, StageFormat};
use majlis_core::fanout::{self, Transmit};
use majlis_core::limits::SourceLimiter;
use majlis_core::stage::Place;
use majlis_core::{MAX_DATAGRAM, Micros, Path, SECOND, SessionId, StageId, rtcp};
use std::net::IpAddr;

fn dropped(endpoint: &Endpoint, reason: DropReason) -> u64 {
    endpoint.counters().dropped[reason as usize]
}

fn report(far: &mut Far) -> Vec<u8> {
    let mut compound = Vec::new();
    rtcp::write_receiver_report(&mut compound, 1, None);
    far.report(compound)
}

fn on_stage(endpoint: &mut Endpoint, out: &mut Outbox, id: u64) -> Far {
    let mut far = Far::new(endpoint, out, id, 4000 + id as u16, 0);
    let (session, stage) = (far.id, StageId(1));
    let format = StageFormat {
        member: 10,
        payload_type: 111,
        level_extension_id: Some(1),
        slots: Vec::new(),
        place: Place::default(),
    };
    endpoint.handle_command(Command::AddStage(stage), 0, out);
    endpoint.handle_command(Command::Join { session, stage, format }, 0, out);
    far.nominate(endpoint, out, 0);
    far
}

#[test]
fn one_admitted_client_cannot_fill_the_queue_that_all_handshakes_share() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut greedy = Far::new(&mut endpoint, &mut out, 1, 4001, 0);
    let mut other = Far::new(&mut endpoint, &mut out, 2, 4002, 0);
    greedy.nominate(&mut endpoint, &mut out, 0);
    other.nominate(&mut endpoint, &mut out, 0);
    out.events.clear();
    for _ in 0..10_000 {
        endpoint.handle_datagram(greedy.path, &mut [22, 254, 253, 1, 2, 3], 0, &mut out);
    }
    assert!(out.events.len() <= 100, "{} datagrams went up", out.events.len());
    assert_eq!(dropped(&endpoint, DropReason::Policed) as usize, 10_000 - out.events.len());
    endpoint.handle_datagram(other.path, &mut [22, 254, 253, 1, 2, 3], 0, &mut out);
    assert!(matches!(out.events.last(), Some(Event::Dtls(SessionId(2), _))));
    endpoint.handle_datagram(greedy.path, &mut [21, 254, 253, 1, 2, 3], SECOND, &mut out);
    assert!(matches!(out.events.last(), Some(Event::Dtls(SessionId(1), _))), "an alert a second later is heard");
}

#[test]
fn a_flood_of_reports_is_not_even_decrypted_and_a_second_later_reports_are_heard_again() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = Far::new(&mut endpoint, &mut out, 1, 4001, 0);
    far.nominate(&mut endpoint, &mut out, 0);
    for _ in 0..5_000 {
        endpoint.handle_datagram(far.path, &mut report(&mut far), 1, &mut out);
    }
    assert_eq!((endpoint.counters().reports_in, dropped(&endpoint, DropReason::Policed)), (100, 4_900));
    let unread = report(&mut far);
    endpoint.handle_datagram(far.path, &mut unread.clone(), 2, &mut out);
    endpoint.handle_datagram(far.path, &mut unread.clone(), 2 + SECOND, &mut out);
    assert_eq!(endpoint.counters().reports_in, 101, "no replay: it was not opened before");
}

#[test]
fn who_forges_a_clients_address_uses_up_nothing_of_what_the_client_may_send() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = on_stage(&mut endpoint, &mut out, 1);
    for _ in 0..5_000 {
        let (mut speech, mut compound) = ([0x55; 80], [0x55; 80]);
        (speech[0], speech[1], compound[0], compound[1]) = (0x80, 111, 0x80, 201);
        endpoint.handle_datagram(far.path, &mut speech, 1, &mut out);
        endpoint.handle_datagram(far.path, &mut compound, 1, &mut out);
    }
    endpoint.handle_datagram(far.path, &mut far.speech(20, &OPUS_20_MS), 2, &mut out);
    endpoint.handle_datagram(far.path, &mut report(&mut far), 2, &mut out);
    assert_eq!((out.media.len(), endpoint.counters().reports_in), (1, 1));
}

#[test]
fn a_microphone_that_floods_is_heard_at_twice_its_rate_and_the_rest_is_not_decrypted() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = on_stage(&mut endpoint, &mut out, 1);
    for _ in 0..1_000 {
        let mut speech = far.speech(20, &OPUS_20_MS);
        endpoint.handle_datagram(far.path, &mut speech, 1, &mut out);
    }
    assert_eq!(out.media.len(), 50, "a second of sound");
    let unread = far.speech(20, &OPUS_20_MS);
    endpoint.handle_datagram(far.path, &mut unread.clone(), 2, &mut out);
    endpoint.handle_datagram(far.path, &mut unread.clone(), SECOND / 10, &mut out);
    assert_eq!(out.media.len(), 51);
}

#[test]
fn a_listener_who_sends_sound_is_not_decrypted_for_long() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = Far::new(&mut endpoint, &mut out, 1, 4001, 0);
    far.nominate(&mut endpoint, &mut out, 0);
    for _ in 0..5_000 {
        let mut speech = far.speech(20, &OPUS_20_MS);
        endpoint.handle_datagram(far.path, &mut speech, 1, &mut out);
    }
    assert_eq!(endpoint.session_info(far.id).map(|info| info.packets_received), Some(101));
}

#[test]
fn a_microphone_packet_too_long_for_some_path_goes_to_nobody() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = on_stage(&mut endpoint, &mut out, 1);
    let long = [0x78; MAX_DATAGRAM];
    endpoint.handle_datagram(far.path, &mut far.speech(20, &long), 1, &mut out);
    assert_eq!((out.media.len(), dropped(&endpoint, DropReason::Payload)), (0, 1));
    endpoint.handle_datagram(far.path, &mut far.speech(20, &long[..fanout::MAX_BODY]), 1, &mut out);
    assert_eq!(out.media.len(), 1);
}

#[test]
fn a_source_gets_no_new_allowance_because_others_came() {
    let mut limiter = SourceLimiter::new(50);
    let one: IpAddr = [192, 0, 2, 1].into();
    let (mut passed, mut other) = (0, 0u32);
    for _ in 0..100 {
        passed += (0..200).filter(|_| limiter.allow(one, 0)).count();
        for _ in 0..1_000 {
            other += 1;
            limiter.allow(IpAddr::from((0x0a00_0000 + other).to_be_bytes()), 0);
        }
    }
    assert!(passed <= 100, "{passed}: what its two places hold, and no more");
}

/// A transmitter that fails.
#[derive(Default)]
struct Poisoned(Outbox);

impl Transmit for Poisoned {
    fn buffer(&mut self, _: &Path) -> &mut [u8] {
        panic!("injected failure")
    }

    fn commit(&mut self, _: &Path, _: usize) {}

    fn flush(&mut self) {}
}

impl majlis_core::endpoint::Sink for Poisoned {
    fn event(&mut self, event: Event) -> bool {
        self.0.event(event)
    }

    fn fanout(&mut self, shard: usize, command: fanout::Command) {
        self.0.fanout(shard, command);
    }

    fn fact(&mut self, fact: majlis_core::endpoint::StageFact) {
        self.0.fact(fact);
    }

    fn media(&mut self, media: &majlis_core::endpoint::StageMedia<'_>) {
        self.0.media(media);
    }
}

#[test]
fn a_command_that_fails_ends_its_session_and_the_others_stay() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    let mut far = Far::new(&mut endpoint, &mut out, 1, 4001, 0);
    let other = Far::new(&mut endpoint, &mut out, 2, 4002, 0);
    far.nominate(&mut endpoint, &mut out, 0);
    let mut poisoned = Poisoned::default();
    endpoint.handle_command(Command::SendDtls(far.id, vec![22; 20]), 1, &mut poisoned);
    assert!(matches!(&poisoned.0.events[..], [Event::Failed(SessionId(1), _)]), "{:?}", poisoned.0.events);
    assert!(endpoint.session_info(far.id).is_none() && endpoint.session_info(other.id).is_some());
    assert_eq!(endpoint.counters().failed, 1);
}

#[test]
fn a_large_relay_is_swept_in_slices_and_everyone_within_the_interval() {
    let (mut endpoint, mut out) = (endpoint(), Outbox::default());
    for id in 1..=1000 {
        Far::unkeyed(&mut endpoint, &mut out, id, 4000, 0);
    }
    let (mut now, mut most): (Micros, usize) = (11 * SECOND, 0);
    let end = now + SECOND / 5;
    while now < end {
        let before = out.events.len();
        now = now.max(endpoint.handle_time(now, &mut out));
        most = most.max(out.events.len() - before);
    }
    let expired = out.events.iter().filter(|event| matches!(event, Event::Expired(_))).count();
    assert_eq!((expired, endpoint.gauges().sessions), (1000, 1000));
    assert!(most <= 256, "{most} at once");
}
