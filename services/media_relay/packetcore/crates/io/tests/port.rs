//! The media port as strangers, lossy listeners and large rooms meet it.

mod common;

use common::{Client, OPUS, RED, assert_continuous, floor, listener_format, on_time, relay, run};
use majlis_core::Path;
use majlis_core::endpoint::Event;
use majlis_core::fanout::Transmit;
use majlis_core::rtcp::{self, ReportBlock};
use majlis_io::batch::SendBatch;
use majlis_io::{Relay, RelayConfig, RelayError, socket};
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_stranger_gets_no_answer_and_makes_no_event_whatever_he_sends() {
    on_time(|| {
        let relay = relay();
        let mut client = Client::new(&relay, "known");
        let mut forged = client.check_bytes(true);
        let at = forged.len() - 20;
        forged[at] ^= 1;
        let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 1];
        hello.resize(200, 0);
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        stranger.set_read_timeout(Some(Duration::from_millis(200))).expect("socket");
        for datagram in [
            &forged[..],
            &hello,
            &[0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2],
            &[0x80, 201, 0, 1, 0, 0, 0, 1],
            &[255; 1500],
            &[0; 3000],
            &[],
        ] {
            stranger.send_to(datagram, relay.addresses()[0]).expect("loopback");
        }
        assert!(stranger.recv(&mut [0; 1500]).is_err(), "not a byte");
        assert!(relay.poll_events(64).is_empty());
        let counters = relay.counters().snapshot();
        let dropped: u64 =
            counters.iter().filter(|(name, _)| name.starts_with("dropped_")).map(|(_, count)| count).sum();
        assert_eq!((dropped, counters["packets_out"]), (7, 0), "{counters:?}");
    });
}

#[test]
fn dtls_goes_up_from_a_validated_address_and_back_down_to_it() {
    on_time(|| {
        let relay = relay();
        let mut client = Client::new(&relay, "dtls");
        client.check(false);
        client.send_raw(&[22, 254, 253, 1, 2, 3]);
        let event = common::wait_for(&relay, |event| matches!(event, Event::Dtls(..)));
        assert!(
            matches!(event, Event::Dtls(session, bytes) if session.0 == client.session && bytes == [22, 254, 253, 1, 2, 3])
        );
        relay.send_dtls(client.session, &[22, 254, 253, 9]).expect("known");
        let mut buf = [0; 100];
        let (len, _) = client.socket.recv_from(&mut buf).expect("the answer");
        assert_eq!(buf[..len], [22, 254, 253, 9]);
    });
}

#[test]
fn a_listener_who_reports_loss_gets_red_until_the_loss_is_gone() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker", stage, 7, 1, 440.0);
        let mut listener = Client::listener(&relay, "listener", channel);
        let mut heard = run(40, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert!(heard.iter().all(|packet| packet.payload_type == OPUS));
        report(&mut listener, 6);
        heard = run(20, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert_eq!(repeated(heard.last().expect("sound")), 1, "little is lost");
        report(&mut listener, 30);
        heard = run(20, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        let red = heard.iter().filter(|packet| packet.payload_type == RED).count();
        assert!(red >= 18 && red <= heard.len(), "{red} of {}", heard.len());
        assert_eq!(repeated(heard.last().expect("sound")), 2, "a tenth is lost");
        let stats = relay.session_report(listener.session).expect("known").info;
        assert!(stats.red && (stats.fraction_lost - 30.0 / 256.0).abs() < 1e-9 && stats.jitter_seconds > 0.009);
        (0..3).for_each(|_| report(&mut listener, 0));
        run(2, &mut [&mut speaker], &mut [&mut listener]);
        heard = run(20, &mut [&mut speaker], &mut [&mut listener]).remove(0);
        assert!(heard.len() >= 19 && heard.iter().all(|packet| packet.payload_type == OPUS));
    });
}

/// How many earlier packets a payload repeats.
fn repeated(packet: &common::Heard) -> usize {
    packet.payload.iter().step_by(4).take_while(|byte| **byte & 0x80 != 0).count()
}

fn report(listener: &mut Client, fraction_lost: u8) {
    let block = ReportBlock { ssrc: listener_format().ssrc, fraction_lost, jitter: 480, ..ReportBlock::default() };
    let mut compound = Vec::new();
    rtcp::write_receiver_report(&mut compound, 1, Some(&block));
    listener.report(compound);
}

#[test]
fn what_the_system_refuses_is_counted_by_cause_and_what_comes_behind_it_is_sent() {
    let sockets = socket::open(&[(Ipv4Addr::LOCALHOST.into(), 0)]).expect("loopback");
    let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback").local_addr().expect("bound");
    let mut batch = SendBatch::new(Arc::new(sockets));
    for remote in [([127, 255, 255, 255], 9).into(), near] {
        batch.copy(&Path { socket: 0, remote }, &[1, 2, 3]);
    }
    batch.flush();
    let counters = batch.counters();
    assert_eq!(
        (counters.sent, counters.errors, counters.forbidden),
        (1, 1, 1),
        "no broadcast is allowed: {counters:?}"
    );
}

#[test]
fn how_the_threads_run_is_known_once_the_core_has_started() {
    let counters = relay().counters().snapshot();
    assert_eq!(counters["threads_now"], 3);
    assert!(counters["real_time_threads_now"] <= 3);
}

#[test]
fn encoders_work_no_harder_than_they_may() {
    let relay = relay();
    let complexity = || relay.counters().snapshot()["encoder_complexity_now"];
    let within_a_second = |wanted: u64| {
        (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            complexity() == wanted
        })
    };
    relay.set_effort(3).expect("0 to 10");
    assert!(within_a_second(3), "{}", complexity());
    relay.set_effort(0).expect("0 to 10");
    assert!(within_a_second(0), "{}", complexity());
    assert!(relay.set_effort(11).is_err());
}

#[test]
fn several_sender_threads_serve_a_room_like_one() {
    on_time(|| {
        let relay = Relay::open(RelayConfig {
            bind: vec![(Ipv4Addr::LOCALHOST.into(), 0)],
            sender_threads: 3,
            programme_threads: 1,
            handshakes_per_source_per_second: 50,
            tcp: None,
        })
        .expect("loopback");
        relay.start().expect("first start");
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let mut speaker = Client::on_stage(&relay, "speaker", stage, 7, 1, 440.0);
        let mut listeners: Vec<Client> =
            (0..9).map(|at| Client::listener(&relay, &format!("listener{at}"), channel)).collect();
        let heard = run(50, &mut [&mut speaker], &mut listeners.iter_mut().collect::<Vec<_>>());
        let count = heard[0].len();
        assert!(count > 25);
        for one in &heard {
            assert_eq!(one.len(), count);
            assert_continuous(one);
        }
    });
}

#[test]
fn rooms_on_several_programme_threads_are_each_heard_by_their_own() {
    on_time(|| {
        let relay = Relay::open(RelayConfig {
            bind: vec![(Ipv4Addr::LOCALHOST.into(), 0)],
            sender_threads: 2,
            programme_threads: 3,
            handshakes_per_source_per_second: 50,
            tcp: None,
        })
        .expect("loopback");
        relay.start().expect("first start");
        let stages: Vec<u64> = (0..4).map(|_| relay.add_stage().expect("stage").0).collect();
        let channels: Vec<u64> = stages.iter().map(|stage| floor(&relay, *stage)).collect();
        let speaker = |(at, stage): (usize, &u64)| {
            Client::on_stage(&relay, &format!("speaker{at}"), *stage, at as u32 + 1, 1, 300.0)
        };
        let mut speakers: Vec<Client> = stages.iter().enumerate().map(speaker).collect();
        let listener = |(at, channel): (usize, &u64)| Client::listener(&relay, &format!("listener{at}"), *channel);
        let mut listeners: Vec<Client> = channels.iter().enumerate().map(listener).collect();
        let heard =
            run(50, &mut speakers.iter_mut().collect::<Vec<_>>(), &mut listeners.iter_mut().collect::<Vec<_>>());
        for (at, one) in heard.iter().enumerate() {
            assert!(one.len() > 25, "room {at} was heard");
            assert_continuous(one);
            assert!(one.iter().all(|packet| packet.csrcs.iter().all(|member| *member == at as u32 + 1)));
        }
        let dump = relay.dump().expect("running");
        assert!(channels.iter().all(|channel| dump.contains(&format!(r#""channel":{channel},"packet_ms""#))), "{dump}");
        let counters = relay.counters().snapshot();
        assert_eq!((counters["threads_now"], counters["mixers_now"]), (6, 4));
        assert!(
            ["programme_0", "programme_1", "programme_2"]
                .iter()
                .all(|thread| { counters.get(&format!("cpu_nanoseconds_{thread}")).is_some_and(|spent| *spent > 0) })
        );
    });
}

#[test]
fn a_listener_changes_channels_and_pauses_within_one_stream() {
    on_time(|| {
        let relay = relay();
        let (first, second) = (relay.add_stage().expect("stage").0, relay.add_stage().expect("stage").0);
        let (one, other) = (floor(&relay, first), floor(&relay, second));
        let mut ada = Client::on_stage(&relay, "ada0", first, 1, 1, 300.0);
        let mut bob = Client::on_stage(&relay, "bob0", second, 2, 1, 700.0);
        let mut listener = Client::listener(&relay, "listener", one);
        let mut heard = run(40, &mut [&mut ada, &mut bob], &mut [&mut listener]).remove(0);
        relay.switch_channels(&[listener.session], other).expect("both known");
        heard.extend(run(60, &mut [&mut ada, &mut bob], &mut [&mut listener]).remove(0));
        relay.set_paused(listener.session, true).expect("a listener");
        relay.flush().expect("running");
        heard.extend(listener.hear());
        assert!(run(15, &mut [&mut ada, &mut bob], &mut [&mut listener])[0].is_empty(), "paused");
        relay.set_paused(listener.session, false).expect("a listener");
        heard.extend(run(15, &mut [&mut ada, &mut bob], &mut [&mut listener]).remove(0));
        assert_continuous(&heard);
        let speakers: Vec<_> = heard
            .chunk_by(|one, two| one.csrcs == two.csrcs)
            .map(|part| part[0].csrcs.clone())
            .filter(|csrcs| !csrcs.is_empty())
            .collect();
        assert_eq!(speakers, [vec![1], vec![2]]);
    });
}

#[test]
fn both_address_families_share_one_port_number() {
    on_time(|| {
        let config = RelayConfig {
            bind: vec![(Ipv4Addr::LOCALHOST.into(), 0), (Ipv6Addr::LOCALHOST.into(), 0)],
            sender_threads: 1,
            programme_threads: 1,
            handshakes_per_source_per_second: 50,
            tcp: None,
        };
        let relay = Relay::open(config).expect("loopback");
        let [four, six] = relay.addresses() else { panic!("two addresses") };
        assert!(four.is_ipv4() && six.is_ipv6() && four.port() == six.port());
        let taken = RelayConfig {
            bind: vec![(four.ip(), four.port())],
            sender_threads: 1,
            programme_threads: 1,
            handshakes_per_source_per_second: 50,
            tcp: None,
        };
        assert!(matches!(Relay::open(taken), Err(RelayError::Io(_))), "a taken port is said to be taken");
    });
}

#[test]
fn wrong_calls_are_refused_with_a_reason() {
    on_time(|| {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        let client = Client::new(&relay, "client");
        let refusals = [
            relay.attach_listener(999, channel, listener_format()).expect_err("no session"),
            relay.attach_listener(client.session, 999, listener_format()).expect_err("no channel"),
            relay.set_muted(client.session, true).expect_err("not on stage"),
            relay.set_packet_ms(channel, 30).expect_err("no such length"),
            relay.set_bitrate(channel, 1).expect_err("too low"),
            relay.add_session("x", "short").expect_err("too short"),
            relay.start().expect_err("twice"),
        ];
        let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let expected = [
            "session 999",
            "channel 999",
            "is not a stage session",
            "20, 40 or 60",
            "bits_per_second",
            "4 to 256",
            "before",
        ];
        for (reason, part) in reasons.iter().zip(expected) {
            assert!(reason.contains(part), "{reason}");
        }
        relay.attach_listener(client.session, channel, listener_format()).expect("first role");
        let twice = relay.attach_listener(client.session, channel, listener_format()).expect_err("second role");
        assert!(twice.to_string().contains("is an audience session already"), "{twice}");
        relay.close();
        assert!(matches!(relay.flush(), Err(RelayError::NotRunning)));
    });
}
