//! An endpoint with in-process ends: what it sends and tells is kept in lists.

#![allow(dead_code, reason = "each test file uses its part")]

use majlis_core::endpoint::{Command, Endpoint, Event, Sink, StageFact, StageMedia};
use majlis_core::fanout::{self, Transmit};
use majlis_core::rtp::Header;
use majlis_core::srtp::{OpenKey, Profile, SealKey, SendStream};
use majlis_core::{MTU, Micros, Path, SECOND, SessionId, WallClock, stun};

pub const PROFILES: [Profile; 3] = [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmHmacSha1_80];

/// Datagrams in the order they were sent.
#[derive(Default)]
pub struct Outbox {
    pub sent: Vec<(Path, Vec<u8>)>,
    pub events: Vec<Event>,
    pub commands: Vec<(usize, fanout::Command)>,
    pub facts: Vec<StageFact>,
    pub media: Vec<u32>,
    /// The levels that senders stated.
    pub stated: Vec<Option<u8>>,
    /// The mixer side panics at a packet of this member.
    pub poisoned: Option<u32>,
    buffer: Vec<u8>,
}

impl Transmit for Outbox {
    fn buffer(&mut self, _: &Path) -> &mut [u8] {
        self.buffer.resize(MTU, 0);
        &mut self.buffer
    }

    fn commit(&mut self, path: &Path, len: usize) {
        self.sent.push((*path, self.buffer[..len].to_vec()));
    }

    fn flush(&mut self) {}
}

impl Sink for Outbox {
    fn event(&mut self, event: Event) -> bool {
        self.events.push(event);
        true
    }

    fn fanout(&mut self, shard: usize, command: fanout::Command) {
        self.commands.push((shard, command));
    }

    fn fact(&mut self, fact: StageFact) {
        self.facts.push(fact);
    }

    fn media(&mut self, media: &StageMedia<'_>) {
        assert_ne!(Some(media.member), self.poisoned, "injected failure");
        self.media.push(media.member);
        self.stated.push(media.level);
    }
}

pub fn path(port: u16) -> Path {
    Path { socket: 0, remote: ([127, 0, 0, 1], port).into() }
}

pub fn endpoint() -> Endpoint {
    Endpoint::new(1, 50, WallClock::new(0, 0), "relay")
}

pub fn master(profile: Profile, seed: u8) -> Vec<u8> {
    (0..profile.key_len() + profile.salt_len()).map(|at| seed ^ at as u8).collect()
}

/// The far end of one session.
pub struct Far {
    pub id: SessionId,
    pub ufrag: String,
    pub pwd: String,
    pub path: Path,
    pub seal: SealKey,
    pub open: OpenKey,
    stream: Option<SendStream>,
    checks: u32,
    timestamp: u32,
}

impl Far {
    /// Adds the session, keyed; `port` is where it sends from.
    pub fn new(endpoint: &mut Endpoint, out: &mut Outbox, id: u64, port: u16, now: Micros) -> Self {
        let far = Self::unkeyed(endpoint, out, id, port, now);
        let profile = Profile::AeadAes128Gcm;
        let seal = Box::new(SealKey::new(profile, &master(profile, id as u8)).expect("key"));
        let open = Box::new(OpenKey::new(profile, &master(profile, id as u8 | 0x80)).expect("key"));
        let session = far.id;
        endpoint.handle_command(Command::SetKeys { session, seal, open }, now, out);
        far
    }

    pub fn unkeyed(endpoint: &mut Endpoint, out: &mut Outbox, id: u64, port: u16, now: Micros) -> Self {
        let profile = Profile::AeadAes128Gcm;
        let (ufrag, pwd) = (format!("frag{id}"), format!("password-of-session-{id:08}"));
        let session = SessionId(id);
        let command = Command::AddSession { session, ufrag: ufrag.clone(), pwd: pwd.clone() };
        endpoint.handle_command(command, now, out);
        Self {
            id: session,
            ufrag,
            pwd,
            path: path(port),
            seal: SealKey::new(profile, &master(profile, id as u8 | 0x80)).expect("key"),
            open: OpenKey::new(profile, &master(profile, id as u8)).expect("key"),
            stream: None,
            checks: 0,
            timestamp: 0,
        }
    }

    pub fn check(&mut self, nominate: bool) -> Vec<u8> {
        self.checks += 1;
        let mut transaction = [self.id.0 as u8; 12];
        transaction[..4].copy_from_slice(&self.checks.to_be_bytes());
        let mut check = Vec::new();
        let key = stun::integrity_key(&self.pwd);
        stun::write_check(&mut check, &transaction, &format!("{}:far", self.ufrag), nominate, &key);
        check
    }

    /// Sends a nominating check.
    pub fn nominate(&mut self, endpoint: &mut Endpoint, out: &mut Outbox, now: Micros) {
        let mut check = self.check(true);
        endpoint.handle_datagram(self.path, &mut check, now, out);
    }

    /// A sealed microphone packet of 20 ms with an audio level (extension 1).
    pub fn speech(&mut self, level: u8, payload: &[u8]) -> Vec<u8> {
        let header =
            Header { payload_type: 111, timestamp: self.timestamp, level: Some((1, level)), ..Header::default() };
        self.timestamp += 960;
        let mut buf = vec![0; MTU];
        let at = header.write(&mut buf);
        buf[at..at + payload.len()].copy_from_slice(payload);
        let seal = &mut self.seal;
        let stream = self.stream.get_or_insert_with(|| seal.open_stream(0x77, 10).expect("first stream"));
        let index = stream.claim_next().expect("room");
        let len = seal.seal_rtp(index, &mut buf, at, at + payload.len()).expect("room");
        buf.truncate(len);
        buf
    }

    /// A sealed RTCP compound.
    pub fn report(&mut self, mut compound: Vec<u8>) -> Vec<u8> {
        self.seal.seal_rtcp(&mut compound).expect("sealed");
        compound
    }
}

/// An Opus packet of 20 ms.
pub const OPUS_20_MS: [u8; 30] = [0x78; 30];

/// Lets time pass in steps of the sweep.
pub fn pass(endpoint: &mut Endpoint, out: &mut Outbox, from: Micros, to: Micros) {
    let mut now = from;
    while now < to {
        now += SECOND / 5;
        endpoint.handle_time(now, out);
    }
}
