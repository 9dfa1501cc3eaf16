//! The media port over TCP: real connections, honest and hostile.

mod common;

use common::*;
use majlis_core::endpoint::Event;
use majlis_io::{Relay, RelayConfig, TcpConfig};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

fn counted(relay: &Relay) -> BTreeMap<String, u64> {
    relay.counters().snapshot()
}

/// Waits until a counter has come so far.
fn wait_until(relay: &Relay, name: &str, wanted: u64) {
    for _ in 0..600 {
        if counted(relay)[name] >= wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{name} is {}, not {wanted}: {:?}", counted(relay)[name], counted(relay));
}

fn connected(relay: &Relay, ufrag: &str) -> Client {
    let mut client = Client::new(relay, ufrag);
    client.connect();
    client
}

#[test]
fn a_listener_and_a_speaker_by_tcp_are_as_those_by_udp() {
    let relay = tcp_relay();
    let stage = relay.add_stage().expect("stage").0;
    let channel = floor(&relay, stage);
    let mut speaker = Client::on_stage(&relay, "speaker", stage, 1, 1, 440.0);
    speaker.connect();
    speaker.check(true);
    let mut by_tcp = connected(&relay, "bytcp");
    relay.attach_listener(by_tcp.session, channel, listener_format()).expect("first role");
    by_tcp.check(true);
    let mut by_udp = Client::listener(&relay, "byudp", channel);
    let mut heard = run(60, &mut [&mut speaker], &mut [&mut by_tcp, &mut by_udp]);
    let (udp, tcp) = (heard.pop().expect("heard"), heard.pop().expect("heard"));
    for heard in [&tcp, &udp] {
        assert!(heard.len() > 45, "{}", heard.len());
        assert_continuous(heard);
        assert!(amplitude(&decode(heard)[9600..], 440.0) > 0.05);
    }
    let report = relay.session_report(by_tcp.session).expect("a session");
    assert!(
        report.info.tcp
            && report.info.connected
            && report.info.address == by_tcp.tcp.as_ref().map(|link| link.stream.local_addr().expect("bound"))
    );
    let counted = counted(&relay);
    assert_eq!((counted["tcp_connections_now"], counted["tcp_sessions_now"], counted["tcp_listeners_now"]), (2, 2, 1));
    assert!(counted["tcp_frames_in"] >= 60 && counted["tcp_frames_out"] >= 45 && counted["tcp_frames_skipped"] == 0);
    assert!((45 * 40..counted["bytes_out"]).contains(&counted["tcp_bytes_out"]), "the rest went by UDP");
}

#[test]
fn media_moves_from_udp_to_tcp_and_to_another_connection_when_one_breaks() {
    let relay = tcp_relay();
    let stage = relay.add_stage().expect("stage").0;
    let channel = floor(&relay, stage);
    let mut speaker = Client::on_stage(&relay, "speaker", stage, 1, 0, 440.0);
    let mut listener = Client::listener(&relay, "listener", channel);
    assert!(run(30, &mut [&mut speaker], &mut [&mut listener])[0].len() > 15);
    std::thread::sleep(Duration::from_secs(1));
    for _ in 0..2 {
        listener.connect();
        listener.check(true);
        assert!(run(30, &mut [&mut speaker], &mut [&mut listener])[0].len() > 15, "by the new connection");
        std::thread::sleep(Duration::from_millis(500));
    }
    for _ in 0..200 {
        // As the client closes it: with or without something unread.
        let counted = counted(&relay);
        if counted["tcp_closed_ended"] + counted["tcp_closed_reset"] > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(counted(&relay)["tcp_connections_now"], 1);
    wait_for(
        &relay,
        |event| matches!(event, Event::Nominated(session, path) if session.0 == listener.session && path.is_tcp()),
    );
}

#[test]
fn what_is_not_a_framed_check_closes_the_connection() {
    let relay = tcp_relay();
    let _session = Client::new(&relay, "somebody");
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let others: [(&str, &[u8]); 5] = [
        ("tcp_closed_framing", b"GET / HTTP/1.1\r\nHost: hall\r\n\r\n"),
        ("tcp_closed_framing", &hello),
        ("tcp_closed_framing", &[0, 0, 1, 1]),
        ("tcp_closed_no_check", &[0, 3, 0x80, 111, 1]),
        ("tcp_closed_no_check", &[0, 14, 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]),
    ];
    for (at, (why, bytes)) in others.iter().enumerate() {
        let before = counted(&relay)[*why];
        let mut link = TcpLink::to(relay.tcp_addresses()[0]);
        link.stream.write_all(bytes).expect("connected");
        assert!(link.is_closed_within(Duration::from_secs(2)), "{at}");
        wait_until(&relay, why, before + 1);
    }
    assert_eq!(counted(&relay)["stun_replies"], 0, "and nobody is answered");
}

#[test]
fn nobody_stays_who_makes_no_valid_check() {
    let relay = tcp_relay();
    let mut client = connected(&relay, "somebody");
    client.check(true);
    let mut silent = TcpLink::to(relay.tcp_addresses()[0]);
    let mut wrong = connected(&relay, "other");
    let mut check = wrong.check_bytes(true);
    let last = check.len() - 12;
    check[last] ^= 1;
    wrong.send_raw(&check);
    assert!(!silent.is_closed_within(Duration::from_secs(3)), "it has five seconds");
    assert!(silent.is_closed_within(Duration::from_secs(4)));
    assert!(wrong.tcp.take().expect("connected").is_closed_within(Duration::from_secs(2)));
    wait_until(&relay, "tcp_closed_unproven", 2);
    client.check(false);
    assert_eq!(counted(&relay)["tcp_connections_now"], 1, "who made one stays");
}

#[test]
fn one_source_takes_no_more_than_its_share() {
    let relay = tcp_relay();
    let address = relay.tcp_addresses()[0];
    let mut proven = connected(&relay, "somebody");
    proven.check(true);
    let links: Vec<TcpStream> = (0..90).map(|_| TcpStream::connect(address).expect("the backlog takes it")).collect();
    wait_until(&relay, "tcp_closed_source", 20);
    proven.check(false);
    let now = counted(&relay)["tcp_connections_now"];
    assert!((2..=65).contains(&now), "{now} of {}", links.len());
}

#[test]
fn a_listener_who_stalls_holds_up_nobody_and_is_taken_forward_to_now() {
    let relay = tcp_relay();
    let stage = relay.add_stage().expect("stage").0;
    let channel = floor(&relay, stage);
    let mut speaker = Client::on_stage(&relay, "speaker", stage, 1, 0, 440.0);
    let mut stalls = connected(&relay, "stalls");
    relay.attach_listener(stalls.session, channel, listener_format()).expect("first role");
    stalls.check(true);
    // So small that the system of the other side takes little, as one whose window is closed.
    shrink(&stalls.tcp.as_ref().expect("connected").stream);
    let mut listener = Client::listener(&relay, "listener", channel);
    let mut heard = Vec::new();
    for _ in 0..60 {
        heard.extend(run(25, &mut [&mut speaker], &mut [&mut listener]).remove(0));
        if counted(&relay)["tcp_frames_skipped"] > 0 {
            break;
        }
    }
    assert_continuous(&heard);
    let skipped = counted(&relay)["tcp_frames_skipped"];
    assert!(skipped > 0, "{:?}", counted(&relay));
    let mut late = stalls.hear();
    let held = late.len();
    for _ in 0..20 {
        // The system finds out by itself when the other side takes something again, and may need some seconds.
        late.extend(run(25, &mut [&mut speaker], &mut [&mut stalls]).remove(0));
        if late.len() > held + 40 {
            break;
        }
    }
    assert!(late.len() > held + 40, "all is heard again after {held}: {}", late.len());
    let steps: Vec<u16> = late.windows(2).map(|pair| pair[1].sequence.wrapping_sub(pair[0].sequence)).collect();
    assert!(steps.iter().any(|step| *step > 90), "what was skipped is a gap of two seconds and more: {steps:?}");
    assert!(steps.iter().rev().take(20).all(|step| *step == 1), "and then it goes on: {steps:?}");
}

fn shrink(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    let bytes: libc::c_int = 2048;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value outlives the call and its length is passed with it.
    let done = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, (&raw const bytes).cast(), len)
    };
    assert_eq!(done, 0);
}

#[test]
fn a_taken_tcp_port_leaves_udp_and_is_told() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let port = taken.local_addr().expect("bound").port();
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
    drop(free.expect("the UDP side of a port that the system chose for TCP"));
    let relay = Relay::open(RelayConfig {
        bind: vec![(Ipv4Addr::LOCALHOST.into(), port)],
        sender_threads: 1,
        programme_threads: 1,
        handshakes_per_source_per_second: 50,
        tcp: Some(TcpConfig::default()),
    })
    .expect("UDP is free");
    assert!(relay.tcp_addresses().is_empty());
    assert_eq!(relay.tcp_refused()[0].0, taken.local_addr().expect("bound"));
    relay.start().expect("first start");
    Client::new(&relay, "somebody").check(true);
}
