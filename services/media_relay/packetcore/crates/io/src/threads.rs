//! Starts and stops a relay's threads and lays the queues between them.

use crate::batch::{SendBatch, TcpOutlet};
use crate::counters::{Counters, RelayShare};
use crate::listening::Listening;
use crate::messages::{Events, Exports, Mailbox, Pushes, ToPacket, ToSender};
use crate::outlets::{Line, Outlets, ProgrammeLine};
use crate::packet_thread::PacketThread;
use crate::programme_thread::{ProgrammeOutlets, ProgrammeThread, SenderLine};
use crate::sender_thread::SenderThread;
use crate::sys::{self, EventFd, Priority};
use crate::tcp_connections::{Connections, TcpLimits};
use crate::tcp_ring::{RingOut, ring};
use crate::tcp_thread::{Outgoing, TcpParts, TcpThread};
use crate::{RelayError, panics, random};
use majlis_core::WallClock;
use majlis_core::endpoint::Endpoint;
use majlis_core::fanout::{ProgrammePacket, Shard};
use majlis_programme::{DEFAULT_COSTS, Effort, Programme};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

/// Real-time priorities where the system permits them: the mixer's 20 ms must not wait for anything; what comes in is
/// answered before more goes out.
const PROGRAMME_PRIORITY: i32 = 12;
const PACKET_PRIORITY: i32 = 11;
const SENDER_PRIORITY: i32 = 10;
/// Whoever listens by TCP waits for those who do not.
const TCP_PRIORITY: i32 = 9;
const STACK: usize = 1 << 20;
/// How long a new thread may take to begin.
const START_DEADLINE: Duration = Duration::from_secs(5);

/// Packets of one programme thread that wait for a sender thread.
const PACKETS: usize = 256;
/// Messages and microphone packets that wait for a programme thread.
const COMMANDS: usize = 4096;
const SPEECH: usize = 1024;

/// Where the packet thread puts what is for a sender thread, and, one for each of them, the programme threads.
type SenderEnds = (Line<ToSender>, Vec<SenderLine>);

/// What the threads are made of.
pub struct Parts {
    /// The media port.
    pub sockets: Arc<Vec<UdpSocket>>,
    /// Its TCP side; empty without.
    pub listeners: Arc<Vec<TcpListener>>,
    /// How many connections that takes.
    pub tcp: TcpLimits,
    /// To the packet thread.
    pub inbox: Arc<Mailbox<ToPacket>>,
    /// To Python.
    pub events: Arc<Events>,
    /// To Python.
    pub exports: Arc<Exports>,
    /// From Python, one for each programme thread.
    pub pushes: Vec<Arc<Pushes>>,
    /// What operators watch.
    pub counters: Arc<Counters>,
    /// How many sender threads.
    pub sender_threads: usize,
    /// DTLS handshakes that one source may begin in a second.
    pub handshakes: u32,
}

/// What comes out at the TCP thread, while the threads that put it in are made.
#[derive(Default)]
struct TcpEnds {
    /// Wakes it; none without a TCP side.
    wake: Option<Arc<EventFd>>,
    outgoing: Vec<Outgoing>,
}

impl TcpEnds {
    fn new(parts: &Parts) -> Result<Self, RelayError> {
        if parts.listeners.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { wake: Some(Arc::new(EventFd::new()?)), outgoing: Vec::new() })
    }

    /// A way to it for one more thread.
    fn outlet(&mut self, to_listeners: bool) -> Option<TcpOutlet> {
        let wake = self.wake.clone()?;
        let (into, out) = ring();
        self.outgoing.push(Outgoing { ring: out, to_listeners });
        Some(TcpOutlet { ring: into, wake })
    }
}

/// The running threads.
#[derive(Default)]
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    started: bool,
}

impl Threads {
    /// Whether they run.
    pub fn are_running(&self) -> bool {
        !self.handles.is_empty()
    }

    /// Starts them, once.
    pub fn start(&mut self, parts: Parts) -> Result<(), RelayError> {
        if std::mem::replace(&mut self.started, true) {
            return Err(RelayError::StartedTwice);
        }
        panics::throttle_reports();
        let cname = format!("{:08x}", random::random()?);
        let clock = WallClock::new(sys::monotonic_micros(), sys::ntp_now());
        let mut tcp = TcpEnds::new(&parts)?;
        let mut lines = Vec::new();
        let mut rings: Vec<Vec<SenderLine>> = parts.pushes.iter().map(|_| Vec::new()).collect();
        for at in 0..parts.sender_threads {
            let (line, ends) = self.start_sender(at, &parts, clock, &cname, tcp.outlet(true))?;
            lines.push(line);
            rings.iter_mut().zip(ends).for_each(|(ring, end)| ring.push(end));
        }
        let outlet = tcp.outlet(false);
        let incoming = self.start_tcp(tcp, &parts)?;
        let programmes = rings.into_iter().enumerate();
        let programmes = programmes.map(|(at, senders)| self.start_programme(at, &parts, clock, senders));
        let outlets = Outlets {
            programmes: programmes.collect::<Result<_, _>>()?,
            batch: SendBatch::new(Arc::clone(&parts.sockets)).with_tcp(outlet),
            events: parts.events,
            senders: lines,
            counters: Arc::clone(&parts.counters),
            fresh_events: false,
        };
        let endpoint = Endpoint::new(parts.sender_threads, parts.handshakes, clock, &cname);
        let packet = PacketThread::new(endpoint, parts.sockets, incoming, parts.inbox, outlets, Arc::clone(&self.stop));
        self.spawn("packet", PACKET_PRIORITY, &parts.counters, move || packet.run())
    }

    fn start_programme(
        &mut self,
        at: usize,
        parts: &Parts,
        clock: WallClock,
        senders: Vec<SenderLine>,
    ) -> Result<ProgrammeLine, RelayError> {
        let (to_programme, commands) = rtrb::RingBuffer::new(COMMANDS);
        let (speech_in, speech_out) = rtrb::RingBuffer::new(SPEECH);
        let wake = Arc::new(EventFd::new()?);
        let programme = ProgrammeThread {
            at,
            programme: Programme::new(clock),
            listening: Listening::default(),
            effort: Effort::new(&DEFAULT_COSTS, sys::monotonic_micros()),
            commands,
            speech: speech_out,
            pushes: Arc::clone(&parts.pushes[at]),
            wake: Arc::clone(&wake),
            out: ProgrammeOutlets {
                senders,
                exports: Arc::clone(&parts.exports),
                counters: Arc::clone(&parts.counters),
            },
            stop: Arc::clone(&self.stop),
            told: Default::default(),
            encoded: 0,
            given_up: 0,
            share: RelayShare::default(),
            gauges_at: 0,
        };
        self.spawn(&format!("programme_{at}"), PROGRAMME_PRIORITY, &parts.counters, move || programme.run())?;
        Ok(ProgrammeLine { line: Line::new(to_programme, wake), speech: speech_in })
    }

    fn start_sender(
        &mut self,
        at: usize,
        parts: &Parts,
        clock: WallClock,
        cname: &str,
        tcp: Option<TcpOutlet>,
    ) -> Result<SenderEnds, RelayError> {
        let (to_sender, commands) = rtrb::RingBuffer::new(8192);
        let wake = Arc::new(EventFd::new()?);
        let (mut rings, mut packets, mut lags) = (Vec::new(), Vec::new(), Vec::new());
        for _ in &parts.pushes {
            let (ring, out) = rtrb::RingBuffer::<ProgrammePacket>::new(PACKETS);
            let lag = Arc::new(AtomicU64::new(0));
            rings.push(SenderLine::new(ring, Arc::clone(&wake), Arc::clone(&lag)));
            lags.push(lag);
            packets.push(out);
        }
        let sender = SenderThread {
            shard: Shard::new(clock, cname),
            batch: SendBatch::new(Arc::clone(&parts.sockets)).with_tcp(tcp),
            commands,
            packets,
            wake: Arc::clone(&wake),
            packet_thread: Arc::clone(&parts.inbox),
            counters: Arc::clone(&parts.counters),
            stop: Arc::clone(&self.stop),
            lags,
            planned: None,
            told: Default::default(),
        };
        self.spawn(&format!("sender_{at}"), SENDER_PRIORITY, &parts.counters, move || sender.run())?;
        Ok((Line::new(to_sender, wake), rings))
    }

    /// Starts the TCP thread, if there is a TCP side; what comes there comes out of the ring.
    fn start_tcp(&mut self, ends: TcpEnds, parts: &Parts) -> Result<Option<RingOut>, RelayError> {
        let Some(wake) = ends.wake else { return Ok(None) };
        let (incoming, out) = ring();
        let thread = TcpThread::new(TcpParts {
            listeners: Arc::clone(&parts.listeners),
            connections: Connections::new(parts.tcp),
            outgoing: ends.outgoing,
            incoming,
            packet_thread: Arc::clone(&parts.inbox),
            wake,
            counters: Arc::clone(&parts.counters),
            stop: Arc::clone(&self.stop),
        })?;
        self.spawn("tcp", TCP_PRIORITY, &parts.counters, move || thread.run())?;
        Ok(Some(out))
    }

    fn spawn(
        &mut self,
        name: &str,
        priority: i32,
        counters: &Arc<Counters>,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), RelayError> {
        let (counters, watched) = (Arc::clone(counters), name.to_owned());
        // The kernel keeps 15 characters, the number among them.
        let kernel_name = format!("relay-{}", name.replace("programme", "prog").replace('_', "-"));
        let (ready, is_ready) = channel();
        let thread = std::thread::Builder::new().name(kernel_name).stack_size(STACK).spawn(move || {
            let got = sys::raise_priority(priority);
            counters.threads_now.fetch_add(1, Relaxed);
            counters.real_time_threads_now.fetch_add(u64::from(got == Priority::RealTime), Relaxed);
            counters.watch_this_thread(&watched);
            let _ = ready.send(());
            panics::or_abort(&watched, body);
        })?;
        self.handles.push(thread);
        // So that whoever started the core may read at once how its threads run.
        is_ready.recv_timeout(START_DEADLINE).map_err(|_| RelayError::NoAnswer)
    }

    /// Stops them and waits; each looks at the flag at least ten times a second.
    pub fn stop(&mut self, inbox: &Mailbox<ToPacket>) {
        self.started = true;
        self.stop.store(true, Relaxed);
        inbox.wake().signal();
        for handle in self.handles.drain(..) {
            // A thread that panicked has nothing left to stop.
            drop(handle.join());
        }
    }
}
