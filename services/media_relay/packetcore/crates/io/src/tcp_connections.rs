//! Who is connected by TCP, from where, and who must go: nobody unproven stays, and no source takes all places.
//!
//! A connection is **proven** once the endpoint has answered a check on it: nothing unauthenticated causes an answer.

use majlis_core::framing::{Deframer, FrameError, Outbox};
use majlis_core::limits::{SourceLimiter, TokenBucket, source_key};
use majlis_core::{Micros, Path, SECOND};
use std::collections::{HashMap, VecDeque};
use std::net::TcpStream;

/// A connection that is not proven by then is closed.
pub const PROOF: Micros = 5 * SECOND;
/// Connections that are not proven, all together and of one source; the oldest one makes room.
const MAX_UNPROVEN: usize = 1024;
const MAX_UNPROVEN_OF_SOURCE: u32 = 64;
/// Nothing was to be sent for longer than any client leaves between two checks (RFC 7675 §5.1): nobody uses it.
const UNUSED: Micros = 40 * SECOND;
/// Something was to be sent, and not a byte was taken.
const STALLED: Micros = 30 * SECOND;
/// Datagrams a second that one connection may send: what a speaker sends, some times over; a burst of what a network
/// held up for some seconds.
const FRAMES_PER_SECOND: u64 = 400;
const FRAMES_BURST: u64 = 2000;

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Closed {
    /// The other side closed it.
    Ended,
    /// The system did: reset, or unreachable.
    Reset,
    /// No valid check came in time.
    Unproven,
    /// Something else than a check came before one, or more than anybody needs.
    NoCheck,
    /// No frame of a datagram, or one that is too long: somebody speaks another protocol.
    Framing,
    /// It took no byte for too long.
    Stalled,
    /// Nothing was sent on it any more.
    Unused,
    /// Its source has too many connections, or makes them too fast.
    Source,
    /// There are too many.
    Crowded,
    /// There is one with the same path.
    Twice,
}

impl Closed {
    /// All, in order of their counters.
    pub const ALL: [Self; 10] = [
        Self::Ended,
        Self::Reset,
        Self::Unproven,
        Self::NoCheck,
        Self::Framing,
        Self::Stalled,
        Self::Unused,
        Self::Source,
        Self::Crowded,
        Self::Twice,
    ];

    /// As metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Reset => "reset",
            Self::Unproven => "unproven",
            Self::NoCheck => "no_check",
            Self::Framing => "framing",
            Self::Stalled => "stalled",
            Self::Unused => "unused",
            Self::Source => "source",
            Self::Crowded => "crowded",
            Self::Twice => "twice",
        }
    }
}

impl From<FrameError> for Closed {
    fn from(_: FrameError) -> Self {
        Self::Framing
    }
}

/// How many may be there.
#[derive(Debug, Clone, Copy)]
pub struct TcpLimits {
    /// All together.
    pub connections: usize,
    /// Of one source: an IPv4 address or an IPv6 /64.
    pub per_source: u32,
    /// New ones of one source in a second.
    pub per_source_per_second: u32,
}

/// One connection.
pub struct Connection {
    /// Its socket.
    pub stream: TcpStream,
    /// As everything above knows it.
    pub path: Path,
    /// What came in part.
    pub deframer: Deframer,
    /// What waits for it.
    pub outbox: Outbox,
    /// A packet of sound that waits for the next one, framed.
    pub held: Vec<u8>,
    /// Since when it does.
    pub held_at: Micros,
    /// When sound was last to be sent.
    pub sound_at: Micros,
    /// What it may send.
    pub bucket: TokenBucket,
    /// It is watched for taking bytes.
    pub wants_write: bool,
    /// A check on it was answered.
    pub proven: bool,
    /// Datagrams that came before that.
    pub unproven_frames: u32,
    /// When something was last to be sent on it.
    pub used_at: Micros,
    /// When it last took bytes, or had nothing to take.
    pub took_at: Micros,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

/// How many connections a source has, and how many of them are not proven.
#[derive(Default)]
struct Source {
    all: u32,
    unproven: u32,
}

/// All connections.
pub struct Connections {
    limits: TcpLimits,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_path: HashMap<Path, u32>,
    sources: HashMap<u64, Source>,
    limiter: SourceLimiter,
    /// Those that came unproven, the oldest first, with when; most have left or are proven by now.
    newcomers: VecDeque<(u64, Micros)>,
    unproven: usize,
    closed: [u64; Closed::ALL.len()],
}

impl Connections {
    /// Nobody yet.
    pub fn new(limits: TcpLimits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            by_path: HashMap::new(),
            sources: HashMap::new(),
            limiter: SourceLimiter::new(limits.per_source_per_second),
            newcomers: VecDeque::new(),
            unproven: 0,
            closed: [0; Closed::ALL.len()],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Closed so far, by [`Closed`].
    pub fn closed(&self) -> &[u64; Closed::ALL.len()] {
        &self.closed
    }

    /// Takes a connection in and says by which token it is known, or why not.
    pub fn add(&mut self, stream: TcpStream, path: Path, now: Micros) -> Result<u64, Closed> {
        let admitted = self.admit(&path, now);
        if let Err(why) = admitted {
            self.closed[why as usize] += 1;
            return Err(why);
        }
        let connection = Connection {
            stream,
            path,
            deframer: Deframer::default(),
            outbox: Outbox::default(),
            held: Vec::new(),
            held_at: 0,
            sound_at: 0,
            bucket: TokenBucket::new(FRAMES_PER_SECOND, FRAMES_BURST, now),
            wants_write: false,
            proven: false,
            unproven_frames: 0,
            used_at: now,
            took_at: now,
        };
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[at as usize];
        slot.connection = Some(connection);
        let token = u64::from(slot.generation) << 32 | u64::from(at);
        self.by_path.insert(path, at);
        let source = self.sources.entry(source_key(path.remote.ip())).or_default();
        source.all += 1;
        source.unproven += 1;
        self.unproven += 1;
        self.newcomers.push_back((token, now));
        Ok(token)
    }

    fn admit(&mut self, path: &Path, now: Micros) -> Result<(), Closed> {
        if self.by_path.contains_key(path) {
            return Err(Closed::Twice);
        }
        let source = self.sources.get(&source_key(path.remote.ip()));
        let too_many = source
            .is_some_and(|source| source.all >= self.limits.per_source || source.unproven >= MAX_UNPROVEN_OF_SOURCE);
        if too_many || !self.limiter.allow(path.remote.ip(), now) {
            return Err(Closed::Source);
        }
        if self.unproven >= MAX_UNPROVEN || self.len() >= self.limits.connections {
            let oldest = self.oldest_newcomer().ok_or(Closed::Crowded)?;
            self.close(oldest, Closed::Crowded);
        }
        Ok(())
    }

    /// The one that has been unproven for longest.
    fn oldest_newcomer(&mut self) -> Option<u64> {
        while let Some((token, _)) = self.newcomers.front() {
            let token = *token;
            if self.get(token).is_some_and(|connection| !connection.proven) {
                return Some(token);
            }
            self.newcomers.pop_front();
        }
        None
    }

    /// The connection of a token; None when it is closed.
    pub fn get(&mut self, token: u64) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(token as u32 as usize)?;
        slot.connection.as_mut().filter(|_| slot.generation == (token >> 32) as u32)
    }

    /// The token of a path's connection.
    pub fn at(&self, path: &Path) -> Option<u64> {
        let at = *self.by_path.get(path)?;
        Some(u64::from(self.slots[at as usize].generation) << 32 | u64::from(at))
    }

    /// A check on it was answered: it may stay.
    pub fn prove(&mut self, token: u64) {
        let Some(connection) = self.get(token).filter(|connection| !connection.proven) else { return };
        connection.proven = true;
        let key = source_key(connection.path.remote.ip());
        self.unproven -= 1;
        if let Some(source) = self.sources.get_mut(&key) {
            source.unproven -= 1;
        }
    }

    /// Closes a connection, if it is there still.
    pub fn close(&mut self, token: u64, why: Closed) {
        let at = token as u32;
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        if slot.generation != (token >> 32) as u32 {
            return;
        }
        let Some(connection) = slot.connection.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(at);
        self.by_path.remove(&connection.path);
        self.closed[why as usize] += 1;
        self.unproven -= usize::from(!connection.proven);
        let key = source_key(connection.path.remote.ip());
        if let Some(source) = self.sources.get_mut(&key) {
            source.all -= 1;
            source.unproven -= u32::from(!connection.proven);
            if source.all == 0 {
                self.sources.remove(&key);
            }
        }
    }

    /// Closes whoever has been unproven, unused or stalled for too long.
    pub fn sweep(&mut self, now: Micros) {
        while let Some((token, since)) = self.newcomers.front().copied() {
            if now.saturating_sub(since) <= PROOF {
                break;
            }
            self.newcomers.pop_front();
            if self.get(token).is_some_and(|connection| !connection.proven) {
                self.close(token, Closed::Unproven);
            }
        }
        for at in 0..self.slots.len() {
            let Slot { generation, connection: Some(connection) } = &self.slots[at] else { continue };
            let token = u64::from(*generation) << 32 | at as u64;
            if !connection.outbox.is_empty() && now.saturating_sub(connection.took_at) > STALLED {
                self.close(token, Closed::Stalled);
            } else if now.saturating_sub(connection.used_at) > UNUSED {
                self.close(token, Closed::Unused);
            }
        }
    }
}
