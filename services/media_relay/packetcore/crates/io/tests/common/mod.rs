//! A client on real loopback sockets whose keys are set directly: checks, microphone, ear.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod link;
mod time;

pub use link::TcpLink;
pub use time::on_time;

use majlis_core::endpoint::{Event, SlotFormat, StageFormat};
use majlis_core::fanout::{ListenerFormat, StreamStart};
use majlis_core::rtp::{self, Header, Packet};
use majlis_core::srtp::{OpenKey, Profile, SealKey, SendStream};
use majlis_core::stage::Place;
use majlis_core::stun;
use majlis_io::{Relay, RelayConfig, TcpConfig, sys};
use majlis_programme::MixPlan;
use std::f32::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

pub const PROFILE: Profile = Profile::AeadAes128Gcm;
pub const LEVEL_EXTENSION: u8 = 1;
pub const OPUS: u8 = 111;
pub const RED: u8 = 63;
pub const FRAME: usize = 960;

/// A received packet, opened.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: u64,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub csrcs: Vec<u32>,
    pub payload: Vec<u8>,
}

pub fn relay_on(ip: IpAddr) -> Relay {
    relay_with(ip, None)
}

/// One whose media port takes TCP too.
pub fn tcp_relay() -> Relay {
    relay_with(Ipv4Addr::LOCALHOST.into(), Some(TcpConfig { connections: 1000, per_source: 100 }))
}

fn relay_with(ip: IpAddr, tcp: Option<TcpConfig>) -> Relay {
    let relay = Relay::open(RelayConfig {
        bind: vec![(ip, 0)],
        sender_threads: 1,
        programme_threads: 1,
        handshakes_per_source_per_second: 50,
        tcp,
    })
    .expect("loopback can be bound");
    relay.start().expect("first start");
    relay
}

pub fn relay() -> Relay {
    relay_on(Ipv4Addr::LOCALHOST.into())
}

/// One client's socket, credentials and keys.
pub struct Client {
    pub socket: UdpSocket,
    /// Instead of that, once it is connected.
    pub tcp: Option<TcpLink>,
    pub session: u64,
    relay: SocketAddr,
    ufrag: String,
    pwd: String,
    transactions: u8,
    seal: SealKey,
    open: OpenKey,
    microphone: Option<Microphone>,
}

struct Microphone {
    stream: SendStream,
    encoder: opus::Encoder,
    timestamp: u32,
    phase: f32,
    hertz: f32,
}

/// Key and salt that differ by session and direction.
fn key_salt(session: u64, direction: u8) -> Vec<u8> {
    (0..28).map(|at| session as u8 ^ direction ^ at).collect()
}

impl Client {
    /// Adds a session to the relay, with keys.
    pub fn new(relay: &Relay, ufrag: &str) -> Self {
        let pwd = format!("{ufrag}-password-of-22-characters").replace('-', "x");
        let session = relay.add_session(ufrag, &pwd).expect("a fresh fragment").0;
        let (to_client, to_relay) = (key_salt(session, 0), key_salt(session, 0x80));
        relay.set_keys(session, PROFILE, &to_client, &to_relay).expect("keys fit the profile");
        let address = relay.addresses()[0];
        Self {
            socket: client_socket(address.ip()),
            tcp: None,
            session,
            relay: address,
            ufrag: ufrag.to_owned(),
            pwd,
            transactions: 0,
            seal: SealKey::new(PROFILE, &to_relay).expect("key"),
            open: OpenKey::new(PROFILE, &to_client).expect("key"),
            microphone: None,
        }
    }

    /// A listener of `channel`, nominated.
    pub fn listener(relay: &Relay, ufrag: &str, channel: u64) -> Self {
        let mut client = Self::new(relay, ufrag);
        relay.attach_listener(client.session, channel, listener_format()).expect("first role");
        client.check(true);
        relay.flush().expect("running");
        client
    }

    /// Somebody on stage who speaks at `hertz` and hears `slots` others, nominated.
    pub fn on_stage(relay: &Relay, ufrag: &str, stage: u64, member: u32, slots: u32, hertz: f32) -> Self {
        Self::at(relay, ufrag, stage, stage_format(member, slots), hertz)
    }

    /// Somebody on stage in any place.
    pub fn at(relay: &Relay, ufrag: &str, stage: u64, format: StageFormat, hertz: f32) -> Self {
        let mut client = Self::new(relay, ufrag);
        let member = format.member;
        relay.join_stage(client.session, stage, format).expect("first role");
        client.check(true);
        let stream = client.seal.open_stream(0x5000 + member, 100).expect("first stream");
        client.microphone = Some(Microphone {
            stream,
            encoder: opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio).expect("libopus"),
            timestamp: 7_000 * member,
            phase: 0.0,
            hertz,
        });
        relay.flush().expect("running");
        client
    }

    /// Goes over a TCP connection from now on, a new one.
    pub fn connect(&mut self) {
        self.tcp = Some(TcpLink::to(self.relay));
    }

    /// Moves to another local port.
    pub fn move_socket(&mut self) {
        self.socket = client_socket(self.relay.ip());
    }

    /// Sends a connectivity check and takes its answer.
    pub fn check(&mut self, nominate: bool) {
        let check = self.check_bytes(nominate);
        self.send_raw(&check);
        for _ in 0..200 {
            let Some(datagram) = self.receive(false) else { break };
            if let Ok(message) = stun::Message::parse(&datagram) {
                assert!(message.is_binding_success() && message.integrity_is_valid(&stun::integrity_key(&self.pwd)));
                assert_eq!(message.mapped_address(), Some(self.local_address()));
                return;
            }
        }
        panic!("no answer to a valid check");
    }

    /// A check with a fresh transaction id.
    pub fn check_bytes(&mut self, nominate: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction = [self.session as u8; 12];
        transaction[0] = self.transactions;
        let mut check = Vec::new();
        let name = format!("{}:far", self.ufrag);
        stun::write_check(&mut check, &transaction, &name, nominate, &stun::integrity_key(&self.pwd));
        check
    }

    pub fn send_raw(&mut self, datagram: &[u8]) {
        match &mut self.tcp {
            Some(tcp) => tcp.send(datagram),
            None => drop(self.socket.send_to(datagram, self.relay).expect("loopback")),
        }
    }

    fn local_address(&self) -> SocketAddr {
        let address = self.tcp.as_ref().map_or_else(|| self.socket.local_addr(), |tcp| tcp.stream.local_addr());
        address.expect("a bound socket")
    }

    /// The next datagram: of what has arrived, or waited for.
    pub fn receive(&mut self, arrived: bool) -> Option<Vec<u8>> {
        if let Some(tcp) = &mut self.tcp {
            return tcp.receive(arrived);
        }
        let mut buf = [0; 1500];
        self.socket.set_nonblocking(arrived).expect("socket");
        let received = self.socket.recv_from(&mut buf);
        self.socket.set_nonblocking(false).expect("socket");
        received.ok().map(|(len, _)| buf[..len].to_vec())
    }

    /// Encodes and sends the next 20 ms of the tone.
    pub fn speak(&mut self) -> Vec<u8> {
        let microphone = self.microphone.as_mut().expect("on stage");
        let mut sound = [0f32; FRAME];
        for sample in &mut sound {
            *sample = 0.3 * microphone.phase.sin();
            microphone.phase = (microphone.phase + TAU * microphone.hertz / 48_000.0) % TAU;
        }
        let payload = microphone.encoder.encode_vec_float(&sound, 400).expect("libopus");
        let header = Header {
            payload_type: OPUS,
            timestamp: microphone.timestamp,
            level: Some((LEVEL_EXTENSION, 15)),
            ..Header::default()
        };
        microphone.timestamp = microphone.timestamp.wrapping_add(FRAME as u32);
        let mut buf = [0; 1500];
        let at = header.write(&mut buf);
        buf[at..at + payload.len()].copy_from_slice(&payload);
        let index = microphone.stream.claim_next().expect("room");
        let len = self.seal.seal_rtp(index, &mut buf, at, at + payload.len()).expect("sealed");
        self.send_raw(&buf[..len]);
        payload
    }

    /// Sends a sealed RTCP compound.
    pub fn report(&mut self, mut compound: Vec<u8>) {
        self.seal.seal_rtcp(&mut compound).expect("sealed");
        self.send_raw(&compound);
    }

    /// Everything that has arrived and is RTP.
    pub fn hear(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        while let Some(mut datagram) = self.receive(true) {
            if !(128..192).contains(&datagram[0]) || (192..224).contains(&datagram[1]) {
                continue;
            }
            let (len, _) = self.open.open_rtp(&mut datagram).expect("what the relay sends opens and is no replay");
            heard.push(to_heard(&Packet::parse(&datagram[..len]).expect("RTP")));
        }
        heard
    }
}

fn to_heard(packet: &Packet<'_>) -> Heard {
    Heard {
        at: sys::monotonic_micros(),
        ssrc: packet.ssrc,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        marker: packet.marker,
        payload_type: packet.payload_type,
        csrcs: packet.csrcs().collect(),
        payload: packet.payload.to_vec(),
    }
}

fn client_socket(ip: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback can be bound");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("socket");
    socket
}

pub fn listener_format() -> ListenerFormat {
    ListenerFormat {
        ssrc: 0x1157,
        payload_type: OPUS,
        red_payload_type: Some(RED),
        abs_capture_time_id: None,
        level_extension_id: None,
    }
}

/// A channel of a stage that mixes everybody the tests put there.
pub fn floor(relay: &Relay, stage: u64) -> u64 {
    let channel = relay.add_channel(Some(stage)).expect("channel").0;
    relay.set_mix(channel, MixPlan::of(1..20)).expect("a home channel");
    channel
}

pub fn stage_format(member: u32, slots: u32) -> StageFormat {
    let slot = |at| SlotFormat {
        ssrc: 0x9000 + at,
        payload_type: 96 + at as u8,
        start: StreamStart { sequence: 500, timestamp: 1_000_000 },
    };
    StageFormat {
        member,
        payload_type: OPUS,
        level_extension_id: Some(LEVEL_EXTENSION),
        slots: (0..slots).map(slot).collect(),
        place: Place::default(),
    }
}

/// Lets `frames` times 20 ms pass; each speaker speaks in each of them, each listener's packets are collected.
pub fn run(frames: usize, speakers: &mut [&mut Client], listeners: &mut [&mut Client]) -> Vec<Vec<Heard>> {
    let mut heard = vec![Vec::new(); listeners.len()];
    let begin = sys::monotonic_micros();
    for frame in 0..frames {
        for speaker in speakers.iter_mut() {
            speaker.speak();
        }
        let next = begin + 20_000 * (frame as u64 + 1);
        while sys::monotonic_micros() < next {
            std::thread::sleep(Duration::from_millis(2));
            for (listener, heard) in listeners.iter_mut().zip(&mut heard) {
                heard.extend(listener.hear());
            }
        }
    }
    heard
}

/// Decodes packets in order.
pub fn decode(heard: &[Heard]) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).expect("libopus");
    let mut sound = Vec::new();
    let mut part = [0f32; 5760];
    for packet in heard {
        let samples = decoder.decode_float(&packet.payload, &mut part, false).expect("Opus");
        sound.extend_from_slice(&part[..samples]);
    }
    sound
}

/// Amplitude of one frequency (Goertzel).
pub fn amplitude(sound: &[f32], hertz: f32) -> f32 {
    let step = TAU * hertz / 48_000.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in sound.iter().enumerate() {
        real += sample * (step * at as f32).cos();
        imaginary += sample * (step * at as f32).sin();
    }
    2.0 * (real * real + imaginary * imaginary).sqrt() / sound.len().max(1) as f32
}

/// Each packet continues the one before: no gap in sequence, and timestamps by whole packets of `samples`.
pub fn assert_continuous(heard: &[Heard]) {
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "sequence continues");
        let duration = rtp::opus_samples(&pair[0].payload).expect("Opus");
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!(
            step >= duration && step.is_multiple_of(960) && step < 480_000,
            "timestamp step of {step} after {duration}"
        );
    }
}

/// Events until one matches, for at most three seconds.
pub fn wait_for(relay: &Relay, wanted: impl Fn(&Event) -> bool) -> Event {
    for _ in 0..300 {
        if let Some(event) = relay.poll_events(64).into_iter().find(|event| wanted(event)) {
            return event;
        }
        sys::wait_readable([relay.event_fd()], Duration::from_millis(10));
    }
    panic!("the event did not come");
}
