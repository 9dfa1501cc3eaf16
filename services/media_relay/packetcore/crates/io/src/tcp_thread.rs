//! The TCP thread: takes connections, cuts what comes into datagrams for the packet thread, and writes what the other
//! threads have for them. Nobody waits for it, and it waits for no connection.

use crate::counters::{Counters, publish, publish_share};
use crate::messages::{Mailbox, ToPacket};
use crate::sys::{self, EventFd};
use crate::tcp_connections::{Closed, Connection, Connections};
use crate::tcp_poll::{Poller, Ready};
use crate::tcp_ring::{RingIn, RingOut};
use crate::tcp_write::{HOLD, Written, may_go_on};
use majlis_core::demux::{Kind, classify};
use majlis_core::framing::{HEAD, head};
use majlis_core::{MTU, Micros, Path, SECOND};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, SocketAddrV6, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Longest sleep.
const MAX_SLEEP: Duration = Duration::from_millis(100);
/// Least time between two turns: what other threads send comes group by group, and waking for each costs more than
/// writing it.
const TURN: Micros = 1_000;
const SWEEP_INTERVAL: Micros = SECOND / 4;
/// Connections taken, and datagrams written for one thread, before the others get their turn.
const ACCEPTS_AT_ONCE: usize = 64;
const FRAMES_AT_ONCE: usize = 2048;
/// Bytes read from one connection in a turn.
const READ_AT_ONCE: usize = 16 << 10;
/// Datagrams that a connection may send before a check on it is answered.
const MAX_UNPROVEN_FRAMES: u32 = 32;

/// Tokens of what is no connection; generations of slots do not come so far.
const WAKE: u64 = u64::MAX;
const FIRST_LISTENER: u64 = u64::MAX - u8::MAX as u64;

/// What has happened on TCP; totals.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    accepted: u64,
    accept_errors: u64,
    frames_in: u64,
    frames_policed: u64,
    written: Written,
    nowhere: u64,
}

/// Datagrams that another thread sends.
pub struct Outgoing {
    /// Where they come out.
    pub ring: RingOut,
    /// They are listeners', of a sender thread.
    pub to_listeners: bool,
}

/// The TCP thread's whole state.
pub struct TcpThread {
    listeners: Arc<Vec<TcpListener>>,
    poller: Poller,
    connections: Connections,
    outgoing: Vec<Outgoing>,
    /// Connections for which sound is held, each with since when, the oldest first.
    holding: VecDeque<(Micros, u64)>,
    /// To the packet thread.
    incoming: RingIn,
    packet_thread: Arc<Mailbox<ToPacket>>,
    wake: Arc<EventFd>,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    totals: Totals,
    /// What has been added to counters that other threads share.
    told: [u64; 3],
}

/// What the TCP thread is made of.
pub struct TcpParts {
    /// The media port's TCP side.
    pub listeners: Arc<Vec<TcpListener>>,
    /// Nobody yet.
    pub connections: Connections,
    /// From the packet thread and each sender thread.
    pub outgoing: Vec<Outgoing>,
    /// To the packet thread.
    pub incoming: RingIn,
    /// Whom to wake for that.
    pub packet_thread: Arc<Mailbox<ToPacket>>,
    /// Wakes this thread.
    pub wake: Arc<EventFd>,
    /// What operators watch.
    pub counters: Arc<Counters>,
    /// The end.
    pub stop: Arc<AtomicBool>,
}

impl TcpThread {
    /// A thread's state; [`TcpThread::run`] is its body.
    pub fn new(parts: TcpParts) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(parts.wake.raw(), WAKE)?;
        for (at, listener) in parts.listeners.iter().enumerate() {
            poller.add(listener.as_raw_fd(), FIRST_LISTENER + at as u64)?;
        }
        Ok(Self {
            listeners: parts.listeners,
            poller,
            connections: parts.connections,
            outgoing: parts.outgoing,
            holding: VecDeque::new(),
            incoming: parts.incoming,
            packet_thread: parts.packet_thread,
            wake: parts.wake,
            counters: parts.counters,
            stop: parts.stop,
            totals: Totals::default(),
            told: [0; 3],
        })
    }

    /// Serves until told to stop.
    pub fn run(mut self) {
        let mut ready: Vec<Ready> = Vec::new();
        let mut buffer = vec![0; READ_AT_ONCE].into_boxed_slice();
        let (mut looked, mut swept): (Micros, Micros) = (0, 0);
        while !self.stop.load(Relaxed) {
            let more = self.outgoing.iter().any(|each| each.ring.waiting() > 0);
            let held = self.holding.front().map(|(since, _)| (since + HOLD).saturating_sub(sys::monotonic_micros()));
            let sleep = held.map_or(MAX_SLEEP, |held| Duration::from_micros(held).min(MAX_SLEEP));
            ready.extend(self.poller.wait(if more { Duration::ZERO } else { sleep }));
            let early = (looked + TURN).saturating_sub(sys::monotonic_micros());
            if early > 0 && !more {
                std::thread::sleep(Duration::from_micros(early));
            }
            looked = sys::monotonic_micros();
            for each in ready.drain(..) {
                self.serve(each, &mut buffer);
            }
            if self.incoming.take_fresh() {
                self.packet_thread.wake().signal();
            }
            self.write_outgoing();
            let now = sys::monotonic_micros();
            self.release_held(now);
            if now.saturating_sub(swept) >= SWEEP_INTERVAL {
                swept = now;
                self.connections.sweep(now);
            }
            self.publish();
        }
    }

    fn serve(&mut self, ready: Ready, buffer: &mut [u8]) {
        match ready.token {
            WAKE => self.wake.clear(),
            token @ FIRST_LISTENER.. => self.accept((token - FIRST_LISTENER) as usize),
            token => {
                let read = if ready.readable { self.read(token, buffer) } else { Ok(()) };
                let written = read.and_then(|()| if ready.writable { self.write_waiting(token) } else { Ok(()) });
                if let Err(why) = written {
                    self.connections.close(token, why);
                }
            }
        }
    }

    fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let (stream, remote) = match self.listeners[at].accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Gone before it was taken, or no descriptor is left: the next turn looks again.
                    self.totals.accept_errors += 1;
                    return;
                }
            };
            self.totals.accepted += 1;
            let path = Path { socket: Path::TCP | at as u8, remote: without_flow(remote) };
            let (fd, now) = (stream.as_raw_fd(), sys::monotonic_micros());
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if let Ok(token) = self.connections.add(stream, path, now)
                && self.poller.add(fd, token).is_err()
            {
                self.connections.close(token, Closed::Reset);
            }
        }
    }

    /// Reads what has come, a few packets' worth.
    fn read(&mut self, token: u64, buffer: &mut [u8]) -> Result<(), Closed> {
        let Some(connection) = self.connections.get(token) else { return Ok(()) };
        let Connection { stream, path, deframer, bucket, proven, unproven_frames, .. } = connection;
        let bytes = match stream.read(buffer) {
            Ok(0) => return Err(Closed::Ended),
            Ok(count) => &buffer[..count],
            Err(error) if may_go_on(&error) => return Ok(()),
            Err(_) => return Err(Closed::Reset),
        };
        let now = sys::monotonic_micros();
        deframer.take(bytes, |datagram| {
            if !*proven {
                *unproven_frames += 1;
                if *unproven_frames > MAX_UNPROVEN_FRAMES || classify(datagram) != Kind::Stun {
                    return Err(Closed::NoCheck);
                }
            } else if !bucket.take(1, now) {
                self.totals.frames_policed += 1;
                return Ok(());
            }
            self.totals.frames_in += 1;
            self.incoming.put(path, datagram);
            Ok(())
        })
    }

    /// Writes what other threads have put in, a share of each.
    fn write_outgoing(&mut self) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let now = sys::monotonic_micros();
        let mut frame = [0; HEAD + MTU];
        for each in &mut outgoing {
            for _ in 0..FRAMES_AT_ONCE {
                let Some((_, datagram)) = frame.split_first_chunk_mut::<HEAD>() else { break };
                let taken = datagram.first_chunk_mut().and_then(|place| each.ring.take(place));
                let Some((path, len)) = taken else { break };
                frame[..HEAD].copy_from_slice(&head(len));
                self.send(&path, &frame[..HEAD + len], each.to_listeners, now);
            }
        }
        self.outgoing = outgoing;
    }

    fn send(&mut self, path: &Path, frame: &[u8], to_listeners: bool, now: Micros) {
        let Some(token) = self.token_at(path, &frame[HEAD..]) else {
            self.totals.nowhere += 1;
            return;
        };
        let Some(connection) = self.connections.get(token) else { return };
        match connection.send(frame, to_listeners, now, &mut self.totals.written) {
            Ok(true) => self.holding.push_back((now, token)),
            Ok(false) => self.watch(token),
            Err(why) => self.connections.close(token, why),
        }
    }

    /// The connection to which a datagram goes. An answer to a check proves it; nothing else goes where none has: that
    /// would be for whoever had the same address before.
    fn token_at(&mut self, path: &Path, datagram: &[u8]) -> Option<u64> {
        let token = self.connections.at(path)?;
        if self.connections.get(token).is_some_and(|connection| !connection.proven) {
            if classify(datagram) != Kind::Stun {
                return None;
            }
            self.connections.prove(token);
        }
        Some(token)
    }

    /// Sends sound whose next packet has not come in time.
    fn release_held(&mut self, now: Micros) {
        while let Some((since, token)) = self.holding.front().copied().filter(|(since, _)| since + HOLD <= now) {
            self.holding.pop_front();
            let Some(connection) = self.connections.get(token) else { continue };
            match connection.release_held(since, now, &mut self.totals.written) {
                Ok(()) => self.watch(token),
                Err(why) => self.connections.close(token, why),
            }
        }
    }

    fn write_waiting(&mut self, token: u64) -> Result<(), Closed> {
        let Some(connection) = self.connections.get(token) else { return Ok(()) };
        connection.write_waiting(sys::monotonic_micros(), &mut self.totals.written)?;
        self.watch(token);
        Ok(())
    }

    /// Watches a connection for taking bytes while something waits for it.
    fn watch(&mut self, token: u64) {
        let Some(connection) = self.connections.get(token) else { return };
        let wanted = !connection.outbox.is_empty();
        if connection.wants_write != wanted {
            connection.wants_write = wanted;
            if self.poller.want_write(connection.stream.as_raw_fd(), token, wanted).is_err() {
                self.connections.close(token, Closed::Reset);
            }
        }
    }

    fn publish(&mut self) {
        let (counters, totals) = (&self.counters, &self.totals);
        publish(&counters.tcp_connections_now, self.connections.len() as u64);
        publish(&counters.tcp_connections_accepted, totals.accepted);
        publish(&counters.tcp_accept_errors, totals.accept_errors);
        publish(&counters.tcp_frames_in, totals.frames_in);
        publish(&counters.tcp_frames_policed, totals.frames_policed);
        publish(&counters.tcp_frames_out, totals.written.frames);
        publish(&counters.tcp_bytes_out, totals.written.bytes);
        publish(&counters.tcp_frames_skipped, totals.written.skipped);
        publish(&counters.tcp_frames_nowhere, totals.nowhere);
        publish_share(&counters.tcp_frames_lost, self.incoming.lost(), &mut self.told[2]);
        publish_share(&counters.packets_out, totals.written.frames, &mut self.told[0]);
        publish_share(&counters.bytes_out, totals.written.bytes, &mut self.told[1]);
        for (counter, total) in counters.tcp_closed.iter().zip(self.connections.closed()) {
            publish(counter, *total);
        }
    }
}

/// The flow label may change on one path, and a path is a key of maps.
fn without_flow(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(_) => remote,
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}
