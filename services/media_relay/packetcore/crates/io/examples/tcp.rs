//! Prints what listeners over TCP cost beside listeners over UDP, and what those over UDP lose while some over TCP stall.
//!
//! `cargo run --release --example tcp [listeners] [seconds] [stalled] [packet_ms]` prints one JSON object. Three runs of one process:
//! all listeners over UDP; all over TCP; as many of each, of which some over TCP read nothing. Sockets are on loopback and
//! polled on a timer.

mod support;

use majlis_io::{Relay, RelayConfig, TcpConfig};
use majlis_programme::MixPlan;
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use support::{
    Cost, LOOPBACK, Outcome, Speaker, listener_format, measure_while_speaking, open_session, open_session_by_tcp,
    raise_file_limit, stage_format,
};

const POLL: Duration = Duration::from_millis(60);

fn main() -> Outcome<()> {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (listeners, seconds, stalled) = (number(1, 500)? as usize, number(2, 8)?, number(3, 100)? as usize);
    let packet_ms = number(4, 20)? as u32;
    raise_file_limit();
    let udp = measure(listeners, 0, 0, seconds, packet_ms)?;
    let tcp = measure(0, listeners, 0, seconds, packet_ms)?;
    let both = measure(listeners, listeners, stalled, seconds, packet_ms)?;
    println!(
        r#"{{"listeners":{listeners},"udp_us":{:.3},"tcp_us":{:.3},"ratio":{:.3},"udp_cores":{:.4},"tcp_cores":{:.4},"tcp_frames":{},"stalled":{stalled},"udp_sent":{},"udp_lost":{},"tcp_skipped":{},"drops":{}}}"#,
        udp.cost.micros_per_packet,
        tcp.cost.micros_per_packet,
        tcp.cost.micros_per_packet / udp.cost.micros_per_packet,
        udp.cost.cores,
        tcp.cost.cores,
        tcp.read,
        both.cost.packets / 2,
        both.udp_lost,
        both.skipped,
        udp.cost.drops + tcp.cost.drops + both.cost.drops,
    );
    Ok(())
}

struct Measured {
    cost: Cost,
    /// Datagrams that those over TCP read.
    read: u64,
    /// Gaps in the numbers of those over UDP.
    udp_lost: u64,
    skipped: u64,
}

fn measure(udp: usize, tcp: usize, stalled: usize, seconds: u64, packet_ms: u32) -> Outcome<Measured> {
    let relay = Relay::open(RelayConfig {
        bind: vec![(LOOPBACK, 0)],
        sender_threads: 1,
        programme_threads: 1,
        handshakes_per_source_per_second: 10_000,
        tcp: Some(TcpConfig { per_source: 20_000, ..TcpConfig::default() }),
    })?;
    relay.start()?;
    let stage = relay.add_stage()?.0;
    let channel = relay.add_channel(Some(stage))?.0;
    relay.set_mix(channel, MixPlan::of([stage_format().member]))?;
    relay.set_packet_ms(channel, packet_ms)?;
    let (mut sockets, mut streams) = (Vec::new(), Vec::new());
    for at in 0..udp {
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        socket.set_nonblocking(true)?;
        let session = open_session(&relay, &format!("byudp{at}"), &socket)?;
        relay.attach_listener(session, channel, listener_format())?;
        sockets.push(socket);
    }
    for at in 0..tcp {
        let mut stream = TcpStream::connect(relay.tcp_addresses()[0])?;
        stream.set_nodelay(true)?;
        let session = open_session_by_tcp(&relay, &format!("bytcp{at}"), &mut stream)?;
        relay.attach_listener(session, channel, listener_format())?;
        stream.set_nonblocking(true)?;
        if at < stalled {
            take_little(&stream)?;
        }
        streams.push(stream);
        if at % 32 == 31 {
            // So many may be unproven at a time of one source.
            relay.flush()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let microphone = UdpSocket::bind((LOOPBACK, 0))?;
    let session = open_session(&relay, "speaker", &microphone)?;
    relay.join_stage(session, stage, stage_format())?;
    while relay.counters().snapshot()["connected_now"] <= (udp + tcp) as u64 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let reading = streams.split_off(stalled.min(streams.len()));
    let readers = Readers::start(sockets, reading);
    let speaker = Speaker::new(session, microphone, relay.addresses()[0])?;
    let cost = measure_while_speaking(&relay, speaker, seconds)?;
    let skipped = relay.counters().snapshot()["tcp_frames_skipped"];
    std::thread::sleep(2 * POLL);
    let (read, udp_lost) = readers.end();
    Ok(Measured { cost, read, udp_lost, skipped })
}

/// A stalled network shows at once where the system of the other side takes little.
fn take_little(stream: &TcpStream) -> Outcome<()> {
    let bytes: libc::c_int = 2048;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value outlives the call and its length is passed with it.
    let done = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, (&raw const bytes).cast(), len)
    };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// A thread that reads all who do not stall.
struct Readers {
    stop: Arc<AtomicBool>,
    read: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Readers {
    fn start(sockets: Vec<UdpSocket>, mut streams: Vec<TcpStream>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (read, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, read_now, lost_now) = (Arc::clone(&stop), Arc::clone(&read), Arc::clone(&lost));
        let thread = std::thread::spawn(move || {
            let mut last = vec![None; sockets.len()];
            let mut parts = vec![Vec::new(); streams.len()];
            while !seen.load(Relaxed) {
                for (socket, last) in sockets.iter().zip(&mut last) {
                    lost_now.fetch_add(read_socket(socket, last), Relaxed);
                }
                for (stream, part) in streams.iter_mut().zip(&mut parts) {
                    read_now.fetch_add(read_stream(stream, part), Relaxed);
                }
                std::thread::sleep(POLL);
            }
        });
        Self { stop, read, lost, thread }
    }

    fn end(self) -> (u64, u64) {
        self.stop.store(true, Relaxed);
        drop(self.thread.join());
        (self.read.load(Relaxed), self.lost.load(Relaxed))
    }
}

/// Reads what has come; returns how many packets are missing before the last one.
fn read_socket(socket: &UdpSocket, last: &mut Option<u16>) -> u64 {
    let (mut buf, mut lost) = ([0; 1500], 0);
    while let Ok(len) = socket.recv(&mut buf) {
        let is_rtp = len > 12 && (128..192).contains(&buf[0]) && !(192..224).contains(&buf[1]);
        if is_rtp {
            let number = u16::from_be_bytes([buf[2], buf[3]]);
            lost += last.map_or(0, |last| u64::from(number.wrapping_sub(last).saturating_sub(1)));
            *last = Some(number);
        }
    }
    lost
}

/// Reads what has come; returns how many datagrams that were.
fn read_stream(stream: &mut TcpStream, part: &mut Vec<u8>) -> u64 {
    let (mut buf, mut found) = ([0; 16_384], 0);
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return found,
            Ok(count) => part.extend_from_slice(&buf[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let mut at = 0;
    while let Some(head) = part.get(at..at + 2) {
        let len = 2 + usize::from(u16::from_be_bytes([head[0], head[1]]));
        if part.len() < at + len {
            break;
        }
        at += len;
        found += 1;
    }
    part.drain(..at);
    found
}
