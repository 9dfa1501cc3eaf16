//! Prints what a delivered packet costs beside the least it can cost: sealing and `sendmmsg`, nothing else.
//!
//! `cargo run --release --example floor [listeners] [seconds] [packet_ms]` prints one JSON object. Both sides send
//! packets of one size to the same number of loopback sockets, which another thread polls on a timer, paced at the same
//! interval; the relay's side is the whole core, microphone and mixer included.

mod support;

use majlis_core::Path;
use majlis_core::fanout::Transmit;
use majlis_core::rtp::{FIXED_HEADER, Header};
use majlis_core::srtp::{SealKey, SendStream};
use majlis_io::batch::SendBatch;
use majlis_io::{Relay, RelayConfig, socket, sys};
use majlis_programme::MixPlan;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use support::{
    Cost, LOOPBACK, Outcome, PROFILE, Polling, Speaker, key_salt, listener_format, measure_while_speaking,
    open_session, raise_file_limit, stage_format,
};

fn main() -> Outcome<()> {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (listeners, seconds, packet_ms) = (number(1, 5000)? as usize, number(2, 10)?, number(3, 20)? as u32);
    raise_file_limit();
    let sockets = (0..listeners).map(|_| UdpSocket::bind((LOOPBACK, 0))).collect::<Result<Vec<_>, _>>()?;
    let sockets = Arc::new(sockets);
    let poll = Polling::start(Arc::clone(&sockets));
    let relay = measure_relay(&sockets, seconds, packet_ms)?;
    let floor = measure_floor(&sockets, seconds, packet_ms, relay.bytes_per_packet as usize)?;
    drop(poll);
    println!(
        r#"{{"listeners":{listeners},"packet_ms":{packet_ms},"packet_bytes":{},"floor_us":{:.3},"relay_us":{:.3},"ratio":{:.3},"relay_cores":{:.3},"floor_cores":{:.3},"packets":{},"drops":{}}}"#,
        relay.bytes_per_packet,
        floor.micros_per_packet,
        relay.micros_per_packet,
        relay.micros_per_packet / floor.micros_per_packet,
        relay.cores,
        floor.cores,
        relay.packets,
        relay.drops,
    );
    Ok(())
}

fn measure_floor(sockets: &[UdpSocket], seconds: u64, packet_ms: u32, bytes: usize) -> Outcome<Cost> {
    let mut batch = SendBatch::new(Arc::new(socket::open(&[(LOOPBACK, 0)])?));
    let mut listeners: Vec<(Path, SealKey, SendStream)> = Vec::with_capacity(sockets.len());
    for (at, socket) in sockets.iter().enumerate() {
        let mut key = SealKey::new(PROFILE, &key_salt(at as u64, 0))?;
        let stream = key.open_stream(1, 1)?;
        let remote = socket.local_addr()?;
        listeners.push((Path { socket: 0, remote }, key, stream));
    }
    let payload = vec![7; bytes.saturating_sub(FIXED_HEADER + 16)];
    let clock = sys::CpuClock::of_this_thread().ok_or("no CPU clock")?;
    let spent = || clock.nanoseconds().unwrap_or(0);
    let (begin, cpu) = (sys::monotonic_micros(), spent());
    let interval = u64::from(packet_ms) * 1000;
    let rounds = seconds * 1_000_000 / interval;
    for round in 0..rounds {
        for (path, key, stream) in &mut listeners {
            let index = stream.claim_next().ok_or("index")?;
            let buf = batch.buffer(path);
            let at = Header::default().write(buf);
            buf[at..at + payload.len()].copy_from_slice(&payload);
            let len = key.seal_rtp(index, buf, at, at + payload.len())?;
            batch.commit(path, len);
        }
        batch.flush();
        let next = begin + (round + 1) * interval;
        std::thread::sleep(Duration::from_micros(next.saturating_sub(sys::monotonic_micros())));
    }
    let (cpu, elapsed) = (spent() - cpu, sys::monotonic_micros() - begin);
    let sent = batch.counters();
    Ok(Cost {
        micros_per_packet: cpu as f64 / 1000.0 / sent.sent as f64,
        cores: cpu as f64 / 1000.0 / elapsed as f64,
        packets: sent.sent,
        bytes_per_packet: sent.bytes / sent.sent,
        drops: sent.buffer_drops,
    })
}

fn measure_relay(sockets: &[UdpSocket], seconds: u64, packet_ms: u32) -> Outcome<Cost> {
    let relay = Relay::open(RelayConfig {
        bind: vec![(LOOPBACK, 0)],
        sender_threads: 1,
        programme_threads: 1,
        handshakes_per_source_per_second: 50,
        tcp: None,
    })?;
    relay.start()?;
    let stage = relay.add_stage()?.0;
    let channel = relay.add_channel(Some(stage))?.0;
    relay.set_mix(channel, MixPlan::of([stage_format().member]))?;
    relay.set_packet_ms(channel, packet_ms)?;
    for (at, socket) in sockets.iter().enumerate() {
        let session = open_session(&relay, &format!("listener{at}"), socket)?;
        relay.attach_listener(session, channel, listener_format())?;
    }
    let microphone = UdpSocket::bind((LOOPBACK, 0))?;
    let session = open_session(&relay, "speaker", &microphone)?;
    relay.join_stage(session, stage, stage_format())?;
    while relay.counters().snapshot()["connected_now"] <= sockets.len() as u64 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let speaker = Speaker::new(session, microphone, relay.addresses()[0])?;
    measure_while_speaking(&relay, speaker, seconds)
}
