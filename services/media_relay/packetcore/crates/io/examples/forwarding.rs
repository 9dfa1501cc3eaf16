//! Prints what a delivered packet of many small rooms costs beside the least a forwarding server needs: receive, open,
//! seal, send, and nothing else.
//!
//! `cargo run --release --example forwarding [rooms] [listeners] [seconds]` prints one JSON object. Both sides get the
//! same speech with the same levels from as many speakers and deliver to the same sockets, which another thread polls on
//! a timer, one after the other in one process. The loop is measured twice: as it wakes for each packet, and "gathering",
//! as it takes together what comes within a millisecond, like the relay.

mod support;

use majlis_core::Path;
use majlis_core::endpoint::{SlotFormat, StageFormat};
use majlis_core::fanout::{StreamStart, Transmit};
use majlis_core::rtp::{Header, Packet};
use majlis_core::srtp::{OpenKey, SealKey, SendStream};
use majlis_core::stage::Place;
use majlis_io::batch::{BATCH, ReceiveBatch, SendBatch};
use majlis_io::{Relay, RelayConfig, socket, sys};
use majlis_programme::MixPlan;
use majlis_speech::{Track, Voice, at_microphone};
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use support::{
    Cost, LOOPBACK, Outcome, PROFILE, Polling, Watch, key_salt, listener_format, open_session, raise_file_limit,
};

const SLOT_MICROS: u64 = 20_000;
/// Before the relay is measured it has found whom it may pass through: that takes a pause of each speaker.
const WARM: Duration = Duration::from_secs(10);
/// How far apart rooms are in what is said, in 20 ms.
const APART: u64 = 367;
/// The relay looks at its port that often at most.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
/// That of the relay's threads.
const PRIORITY: i32 = 10;
const LEVEL_ID: u8 = 1;
const OPUS: u8 = 111;

fn main() -> Outcome<()> {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (rooms, listeners, seconds) = (number(1, 100)? as usize, number(2, 10)? as usize, number(3, 8)?);
    raise_file_limit();
    let sockets = (0..rooms * listeners).map(|_| UdpSocket::bind((LOOPBACK, 0))).collect::<Result<Vec<_>, _>>()?;
    let sockets = Arc::new(sockets);
    let poll = Polling::start(Arc::clone(&sockets));
    let tracks = [(Voice::First, 3), (Voice::Second, 4)]
        .into_iter()
        .map(|(voice, seed)| Ok(Arc::new(Track::new(&at_microphone(voice.samples()?, seed))?)))
        .collect::<Outcome<Vec<_>>>()?;
    let audiences: Vec<&[UdpSocket]> = sockets.chunks(listeners).collect();
    let relay = measure_relay(&audiences, &tracks, seconds)?;
    let forwarding = measure_forwarding(&audiences, &tracks, seconds, Duration::ZERO)?;
    let gathering = measure_forwarding(&audiences, &tracks, seconds, LOOK_INTERVAL)?;
    drop(poll);
    println!(
        r#"{{"rooms":{rooms},"listeners":{listeners},"relay_us":{:.3},"forwarding_us":{:.3},"ratio":{:.3},"relay_cores":{:.3},"forwarding_cores":{:.3},"gathering_us":{:.3},"gathering_ratio":{:.3},"gathering_cores":{:.3},"relay_packets":{},"forwarding_packets":{},"relay_bytes":{},"forwarding_bytes":{},"drops":{}}}"#,
        relay.micros_per_packet,
        forwarding.micros_per_packet,
        relay.micros_per_packet / forwarding.micros_per_packet,
        relay.cores,
        forwarding.cores,
        gathering.micros_per_packet,
        relay.micros_per_packet / gathering.micros_per_packet,
        gathering.cores,
        relay.packets,
        forwarding.packets,
        relay.bytes_per_packet,
        forwarding.bytes_per_packet,
        relay.drops + forwarding.drops + gathering.drops,
    );
    Ok(())
}

/// A microphone that replays a track.
struct Speaker {
    socket: UdpSocket,
    key: SealKey,
    stream: SendStream,
    track: Arc<Track>,
    /// Where in the track it begins, and when in the 20 ms.
    from: u64,
    phase: u64,
}

impl Speaker {
    fn new(number: usize, socket: UdpSocket, key_of: u64, tracks: &[Arc<Track>]) -> Outcome<Self> {
        let mut key = SealKey::new(PROFILE, &key_salt(key_of, 0x80))?;
        let number = number as u64;
        Ok(Self {
            stream: key.open_stream(1, 1)?,
            key,
            socket,
            track: Arc::clone(&tracks[number as usize % tracks.len()]),
            from: number * APART,
            phase: number * 7_919 % SLOT_MICROS,
        })
    }

    fn say(&mut self, slot: u64, to: SocketAddr) -> Outcome<()> {
        let Some(packet) = self.track.at(self.from + slot) else { return Ok(()) };
        let mut buf = [0; 1500];
        let header = Header {
            marker: packet.first,
            payload_type: OPUS,
            timestamp: (slot as u32).wrapping_mul(majlis_speech::PACKET as u32),
            level: Some((LEVEL_ID, packet.level)),
            ..Header::default()
        };
        let at = header.write(&mut buf);
        let end = at + packet.payload.len();
        buf[at..end].copy_from_slice(&packet.payload);
        let index = self.stream.claim_next().ok_or("index")?;
        let len = self.key.seal_rtp(index, &mut buf, at, end)?;
        self.socket.send_to(&buf[..len], to)?;
        Ok(())
    }
}

/// A thread in which all speak.
struct Feed {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    fn start(mut speakers: Vec<Speaker>, to: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        speakers.sort_by_key(|speaker| speaker.phase);
        let body = move || {
            sys::raise_priority(PRIORITY);
            let begin = sys::monotonic_micros();
            for slot in 0.. {
                for speaker in &mut speakers {
                    if seen.load(Relaxed) {
                        return;
                    }
                    let due = begin + slot * SLOT_MICROS + speaker.phase;
                    std::thread::sleep(Duration::from_micros(due.saturating_sub(sys::monotonic_micros())));
                    // A packet that cannot be sent is one that was lost.
                    let _ = speaker.say(slot, to);
                }
            }
        };
        Self { stop, thread: Some(std::thread::spawn(body)) }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn measure_relay(audiences: &[&[UdpSocket]], tracks: &[Arc<Track>], seconds: u64) -> Outcome<Cost> {
    let relay = Relay::open(RelayConfig {
        bind: vec![(LOOPBACK, 0)],
        sender_threads: 1,
        programme_threads: 1,
        handshakes_per_source_per_second: 50,
        tcp: None,
    })?;
    relay.start()?;
    let mut speakers = Vec::new();
    for (room, audience) in audiences.iter().enumerate() {
        let format = stage_format(room as u32 + 1);
        let stage = relay.add_stage()?.0;
        let channel = relay.add_channel(Some(stage))?.0;
        relay.set_mix(channel, MixPlan::of([format.member]))?;
        for (at, socket) in audience.iter().enumerate() {
            let session = open_session(&relay, &format!("listener{room}x{at}"), socket)?;
            relay.attach_listener(session, channel, listener_format())?;
        }
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        let session = open_session(&relay, &format!("speaker{room}"), &socket)?;
        relay.join_stage(session, stage, format)?;
        speakers.push(Speaker::new(room, socket, session, tracks)?);
    }
    let sessions = audiences.iter().map(|audience| audience.len() as u64 + 1).sum();
    while relay.counters().snapshot()["connected_now"] < sessions {
        std::thread::sleep(Duration::from_millis(50));
    }
    let feed = Feed::start(speakers, relay.addresses()[0]);
    std::thread::sleep(WARM);
    let watch = Watch::begin(&relay);
    std::thread::sleep(Duration::from_secs(seconds));
    let cost = watch.end(&relay);
    drop(feed);
    Ok(cost)
}

fn stage_format(member: u32) -> StageFormat {
    let start = StreamStart { sequence: 1, timestamp: 1 };
    StageFormat {
        member,
        payload_type: OPUS,
        level_extension_id: Some(LEVEL_ID),
        slots: vec![SlotFormat { ssrc: 2, payload_type: OPUS, start }],
        place: Place::default(),
    }
}

/// A room of the bare loop: who speaks there, and who gets it.
struct Room {
    open: OpenKey,
    member: u32,
    listeners: Vec<(Path, SealKey, SendStream)>,
}

fn measure_forwarding(
    audiences: &[&[UdpSocket]],
    tracks: &[Arc<Track>],
    seconds: u64,
    interval: Duration,
) -> Outcome<Cost> {
    let port = Arc::new(socket::open(&[(LOOPBACK, 0)])?);
    let (mut rooms, mut speakers) = (HashMap::new(), Vec::new());
    for (number, audience) in audiences.iter().enumerate() {
        let socket = UdpSocket::bind((LOOPBACK, 0))?;
        let mut listeners = Vec::new();
        for (at, socket) in audience.iter().enumerate() {
            let mut key = SealKey::new(PROFILE, &key_salt((number * 1000 + at) as u64, 0))?;
            let stream = key.open_stream(1, 1)?;
            listeners.push((Path { socket: 0, remote: socket.local_addr()? }, key, stream));
        }
        let open = OpenKey::new(PROFILE, &key_salt(number as u64, 0x80))?;
        rooms.insert(socket.local_addr()?, Room { open, member: number as u32 + 1, listeners });
        speakers.push(Speaker::new(number, socket, number as u64, tracks)?);
    }
    let feed = Feed::start(speakers, port[0].local_addr()?);
    // As the relay's own threads run: the machine's other work is not to be measured.
    sys::raise_priority(PRIORITY);
    let cost = forward(&port, &mut rooms, seconds, interval);
    drop(feed);
    cost
}

/// Forwards for a second and then, measured, for `seconds`; what comes within `interval` is taken together.
fn forward(
    port: &Arc<Vec<UdpSocket>>,
    rooms: &mut HashMap<SocketAddr, Room>,
    seconds: u64,
    interval: Duration,
) -> Outcome<Cost> {
    let (mut receive, mut batch) = (ReceiveBatch::default(), SendBatch::new(Arc::clone(port)));
    let clock = sys::CpuClock::of_this_thread().ok_or("no CPU clock")?;
    let spent = || clock.nanoseconds().unwrap_or(0);
    let begin = sys::monotonic_micros() + 1_000_000;
    let mut before = None;
    while sys::monotonic_micros() < begin + seconds * 1_000_000 {
        if before.is_none() && sys::monotonic_micros() >= begin {
            before = Some((spent(), batch.counters()));
        }
        sys::wait_readable([port[0].as_raw_fd()], Duration::from_millis(20));
        if !interval.is_zero() {
            std::thread::sleep(interval);
        }
        while receive_and_send(&port[0], &mut receive, &mut batch, rooms)? == BATCH {}
        batch.flush();
    }
    let ((cpu, sent_before), sent) = (before.ok_or("too short")?, batch.counters());
    let (cpu, elapsed) = (spent() - cpu, sys::monotonic_micros() - begin);
    let packets = sent.sent - sent_before.sent;
    Ok(Cost {
        micros_per_packet: cpu as f64 / 1000.0 / packets as f64,
        cores: cpu as f64 / 1000.0 / elapsed as f64,
        packets,
        bytes_per_packet: (sent.bytes - sent_before.bytes) / packets.max(1),
        drops: sent.buffer_drops - sent_before.buffer_drops,
    })
}

fn receive_and_send(
    port: &UdpSocket,
    receive: &mut ReceiveBatch,
    batch: &mut SendBatch,
    rooms: &mut HashMap<SocketAddr, Room>,
) -> Outcome<usize> {
    let count = receive.receive(port);
    for at in 0..count {
        let Some((remote, datagram)) = receive.datagram(at) else { continue };
        let Some(room) = rooms.get_mut(&remote) else { continue };
        let (len, _) = room.open.open_rtp(datagram)?;
        let packet = Packet::parse(&datagram[..len]).ok_or("no RTP")?;
        let csrcs = [room.member];
        let header = Header {
            marker: packet.marker,
            payload_type: packet.payload_type,
            timestamp: packet.timestamp,
            csrcs: &csrcs,
            ..Header::default()
        };
        for (path, key, stream) in &mut room.listeners {
            let index = stream.claim_next().ok_or("index")?;
            let buf = batch.buffer(path);
            let at = header.write(buf);
            let end = at + packet.payload.len();
            buf[at..end].copy_from_slice(packet.payload);
            let len = key.seal_rtp(index, buf, at, end)?;
            batch.commit(path, len);
        }
    }
    Ok(count)
}
