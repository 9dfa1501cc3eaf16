//! What the examples share: sockets that are polled, sessions with keys, and what threads have spent.

#![allow(dead_code, reason = "each example uses its part")]

use majlis_core::endpoint::{SlotFormat, StageFormat};
use majlis_core::fanout::{ListenerFormat, StreamStart};
use majlis_core::rtp::Header;
use majlis_core::srtp::{Profile, SealKey, SendStream};
use majlis_core::stage::Place;
use majlis_core::stun;
use majlis_io::batch::ReceiveBatch;
use majlis_io::{Relay, sys};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

pub const PROFILE: Profile = Profile::AeadAes128Gcm;
const FRAME: u64 = 20_000;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What delivering packets cost.
pub struct Cost {
    pub micros_per_packet: f64,
    pub cores: f64,
    pub packets: u64,
    pub bytes_per_packet: u64,
    pub drops: u64,
}

/// A thread that empties the listeners' sockets now and then, as a load tool does: a reader that blocks on them would
/// charge its wake-ups to the sender.
pub struct Polling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Polling {
    const INTERVAL: Duration = Duration::from_millis(200);

    pub fn start(sockets: Arc<Vec<UdpSocket>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let body = move || {
            let mut batch = ReceiveBatch::default();
            while !seen.load(Relaxed) {
                for socket in sockets.iter() {
                    batch.receive(socket);
                }
                std::thread::sleep(Self::INTERVAL);
            }
        };
        Self { stop, thread: Some(std::thread::spawn(body)) }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// One socket a listener needs more descriptors than the usual soft limit.
pub fn raise_file_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls and is of the type they use.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// Adds a session with keys and nominates the socket's address.
pub fn open_session(relay: &Relay, ufrag: &str, socket: &UdpSocket) -> Outcome<u64> {
    let (session, check) = session_and_check(relay, ufrag)?;
    socket.send_to(&check, relay.addresses()[0])?;
    Ok(session)
}

/// A session with keys, and a check that nominates where it comes from.
fn session_and_check(relay: &Relay, ufrag: &str) -> Outcome<(u64, Vec<u8>)> {
    const PWD: &str = "apasswordoftwentytwocharacters";
    let session = relay.add_session(ufrag, PWD)?.0;
    relay.set_keys(session, PROFILE, &key_salt(session, 0), &key_salt(session, 0x80))?;
    let mut transaction = [3; 12];
    transaction[..8].copy_from_slice(&session.to_be_bytes());
    let mut check = Vec::new();
    stun::write_check(&mut check, &transaction, &format!("{ufrag}:far"), true, &stun::integrity_key(PWD));
    Ok((session, check))
}

/// The same over a TCP connection.
pub fn open_session_by_tcp(relay: &Relay, ufrag: &str, stream: &mut TcpStream) -> Outcome<u64> {
    let (session, check) = session_and_check(relay, ufrag)?;
    stream.write_all(&[&(check.len() as u16).to_be_bytes(), &check[..]].concat())?;
    Ok(session)
}

pub fn key_salt(session: u64, direction: u8) -> Vec<u8> {
    let mut bytes = vec![direction; 28];
    bytes[..8].copy_from_slice(&session.to_be_bytes());
    bytes
}

pub fn listener_format() -> ListenerFormat {
    ListenerFormat {
        ssrc: 1,
        payload_type: 111,
        red_payload_type: None,
        abs_capture_time_id: None,
        level_extension_id: None,
    }
}

/// What a relay's threads spend and send from a moment on.
pub struct Watch {
    from: u64,
    before: BTreeMap<String, u64>,
}

impl Watch {
    pub fn begin(relay: &Relay) -> Self {
        Self { from: sys::monotonic_micros(), before: relay.counters().snapshot() }
    }

    /// What it was; each thread's share goes to standard error.
    pub fn end(&self, relay: &Relay) -> Cost {
        let (elapsed, after) = (sys::monotonic_micros() - self.from, relay.counters().snapshot());
        let grown = |name: &str| after.get(name).unwrap_or(&0) - self.before.get(name).unwrap_or(&0);
        let cpu: u64 = after.keys().filter(|name| name.starts_with("cpu_nanoseconds")).map(|name| grown(name)).sum();
        for name in after.keys().filter(|name| name.starts_with("cpu_nanoseconds")) {
            eprintln!("{name}: {:.4} of a core", grown(name) as f64 / 1000.0 / elapsed as f64);
        }
        let packets = grown("listener_packets_out");
        Cost {
            micros_per_packet: cpu as f64 / 1000.0 / packets as f64,
            cores: cpu as f64 / 1000.0 / elapsed as f64,
            packets,
            bytes_per_packet: grown("bytes_out") / grown("packets_out").max(1),
            drops: ["send_buffer_drops", "overload_drops", "send_errors", "programme_packets_lost"]
                .into_iter()
                .map(grown)
                .sum(),
        }
    }
}

/// Lets a speaker speak for so long, and a second before; what the relay spent and sent.
pub fn measure_while_speaking(relay: &Relay, mut speaker: Speaker, seconds: u64) -> Outcome<Cost> {
    let begin = sys::monotonic_micros();
    let mut watch = None;
    for frame in 0..(seconds + 1) * 50 {
        if frame == 50 {
            watch = Some(Watch::begin(relay));
        }
        speaker.speak()?;
        let next = begin + (frame + 1) * FRAME;
        std::thread::sleep(Duration::from_micros(next.saturating_sub(sys::monotonic_micros())));
    }
    Ok(watch.ok_or("too short")?.end(relay))
}

/// A microphone with one slot.
pub fn stage_format() -> StageFormat {
    let start = StreamStart { sequence: 1, timestamp: 1 };
    StageFormat {
        member: 7,
        payload_type: 111,
        level_extension_id: None,
        slots: vec![SlotFormat { ssrc: 2, payload_type: 111, start }],
        place: Place::default(),
    }
}

/// A microphone with a voice-like sound: a tone that swells and fades.
pub struct Speaker {
    socket: UdpSocket,
    relay: SocketAddr,
    key: SealKey,
    stream: SendStream,
    encoder: opus::Encoder,
    samples: u64,
}

impl Speaker {
    pub fn new(session: u64, socket: UdpSocket, relay: SocketAddr) -> Outcome<Self> {
        let mut key = SealKey::new(PROFILE, &key_salt(session, 0x80))?;
        Ok(Self {
            stream: key.open_stream(1, 1)?,
            key,
            socket,
            relay,
            encoder: opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?,
            samples: 0,
        })
    }

    /// The next 20 ms.
    pub fn speak(&mut self) -> Outcome<()> {
        let timestamp = self.samples as u32;
        let sound: Vec<f32> = (0..960).map(|at| voice((self.samples + at) as f32 / 48_000.0)).collect();
        self.samples += 960;
        let payload = self.encoder.encode_vec_float(&sound, 400)?;
        let mut buf = [0; 1500];
        let header = Header { payload_type: 111, timestamp, ..Header::default() };
        let at = header.write(&mut buf);
        buf[at..at + payload.len()].copy_from_slice(&payload);
        let index = self.stream.claim_next().ok_or("index")?;
        let len = self.key.seal_rtp(index, &mut buf, at, at + payload.len())?;
        self.socket.send_to(&buf[..len], self.relay)?;
        Ok(())
    }
}

fn voice(seconds: f32) -> f32 {
    let turns = std::f32::consts::TAU * seconds;
    let harmonics: f32 = (1..8).map(|n| (turns * 140.0 * n as f32).sin() / n as f32).sum();
    0.2 * harmonics * (0.6 + 0.4 * (turns * 4.0).sin())
}
