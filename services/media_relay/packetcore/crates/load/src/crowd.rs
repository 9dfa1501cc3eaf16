//! A crowd of listeners in one thread: sockets polled on a timer, every packet counted, only a sample decrypted.

use crate::count::{Delays, Totals};
use crate::ear::{Ear, Heard};
use crate::flow::Flow;
use crate::peer::{Peer, Sink, State};
use crate::receive::{Receiver, ntp_difference_ms};
use crate::wire::RtpView;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

/// How often sessions that are not connected yet are looked at.
const HANDSHAKE_POLL: Duration = Duration::from_millis(4);
/// How often everyone is counted: with thousands that costs as much as listening.
const TELL: Duration = Duration::from_millis(50);

/// What the crowd is told.
pub enum Command {
    /// Another listener.
    Add(Box<Listener>),
    /// Counts from zero: everyone is here.
    BeginWindow,
    /// What has been counted.
    Tell(mpsc::Sender<CrowdReport>),
    /// The end.
    Stop,
}

/// One of the crowd.
pub struct Listener {
    peer: Peer,
    /// The number of the room.
    room: usize,
    /// Decodes what is heard, of a few.
    ear: Option<Ear>,
    flow: Flow,
    /// When it goes; whoever has gone counts among those who connected, and costs nothing any more.
    until: Option<Instant>,
}

impl Listener {
    /// Somebody who listens in a room of that number.
    pub fn new(peer: Peer, room: usize) -> Self {
        Self { peer, room, ear: None, flow: Flow::default(), until: None }
    }

    /// One who goes at that moment.
    pub fn until(self, moment: Instant) -> Self {
        Self { until: Some(moment), ..self }
    }

    /// One who decodes what he hears.
    pub fn with_ear(self, ear: Ear) -> Self {
        Self { ear: Some(ear), ..self }
    }

    fn pump(&mut self, now: Instant, receiver: &mut Receiver, counting: &mut Counting) {
        let mut sink = Hearing { counting, ear: &mut self.ear, flow: &mut self.flow };
        self.peer.pump(now, receiver, &mut sink);
    }
}

/// What is known while it runs.
#[derive(Debug, Default)]
pub struct Live {
    /// Sessions whose handshakes are done.
    pub connected: AtomicU64,
    /// Sessions that have heard something.
    pub hearing: AtomicU64,
    /// Sessions that ended by themselves.
    pub ended: AtomicU64,
    /// Packets in this window.
    pub packets: AtomicU64,
    /// Why the first sessions ended.
    pub reasons: Mutex<Vec<String>>,
}

/// What the listeners of a room saw in the window.
#[derive(Debug, Clone, Default)]
pub struct RoomHeard {
    /// Packets of each listener.
    pub received: Vec<u64>,
    /// Frames that never came, by header.
    pub missing: u64,
    /// Frames that came too late to be played, by header.
    pub late: u64,
}

/// What the crowd saw in its window.
#[derive(Debug, Default)]
pub struct CrowdReport {
    /// Each room, by its number.
    pub rooms: BTreeMap<usize, RoomHeard>,
    /// What those who decode heard.
    pub ears: Vec<Heard>,
    /// Packets of all.
    pub totals: Totals,
    /// The listener with most losses.
    pub worst_lost: u64,
    /// Listeners that got nothing in the window.
    pub deaf: u64,
    /// Arrival minus capture.
    pub delays: Delays,
    /// From joining to connected, and to the first packet.
    pub connect: Delays,
    /// From joining to the first packet.
    pub hear: Delays,
    /// Packets decrypted.
    pub decrypted: u64,
    /// Length of the window, s.
    pub seconds: f64,
}

impl CrowdReport {
    fn note_room(&mut self, listener: &Listener) {
        let room = self.rooms.entry(listener.room).or_default();
        room.received.push(listener.peer.count.totals.received);
        room.missing += listener.flow.missing;
        room.late += listener.flow.late;
        self.ears.extend(listener.ear.as_ref().map(|ear| ear.heard().clone()));
    }
}

/// What is left of a crowd.
pub struct Ended {
    /// What it saw since the window began.
    pub report: CrowdReport,
    /// The ears of those who decoded, with the number of their room.
    pub ears: Vec<(usize, Ear)>,
}

#[derive(Default)]
struct Counting {
    delays: Delays,
    decrypted: u64,
    packets: u64,
}

/// A listener's own part of the counting.
struct Hearing<'a> {
    counting: &'a mut Counting,
    ear: &'a mut Option<Ear>,
    flow: &'a mut Flow,
}

impl Sink for Hearing<'_> {
    fn arrived(&mut self, packet: &RtpView<'_>, arrival: u64, capture_id: u8) -> bool {
        self.counting.packets += 1;
        let captured = packet.capture_ntp(capture_id);
        if let Some(captured) = captured {
            self.counting.delays.note(ntp_difference_ms(arrival, captured));
        }
        self.flow.note(packet, captured, arrival);
        true
    }

    fn decrypted(&mut self, packet: RtpPacket) {
        self.counting.decrypted += 1;
        if let Some(ear) = self.ear {
            ear.hear(&packet);
        }
    }
}

struct Crowd {
    live: Arc<Live>,
    poll: Duration,
    sample: usize,
    joining: Vec<Box<Listener>>,
    settled: Vec<Box<Listener>>,
    receiver: Receiver,
    counting: Counting,
    window: Instant,
    told: Instant,
    added: usize,
    /// Of those who have gone, how many had connected, and how many had heard something.
    gone: (u64, u64),
}

/// Starts the crowd's thread: settled sockets are polled each `poll`; every `sample`-th listener, and who has an ear,
/// decrypts all he gets. In the end it gives back who listened.
pub fn start(
    live: Arc<Live>,
    poll: Duration,
    sample: usize,
    commands: mpsc::Receiver<Command>,
) -> std::io::Result<JoinHandle<Ended>> {
    std::thread::Builder::new().name("crowd".into()).spawn(move || {
        let mut crowd = Crowd {
            live,
            poll,
            sample: sample.max(1),
            joining: Vec::new(),
            settled: Vec::new(),
            receiver: Receiver::default(),
            counting: Counting::default(),
            window: Instant::now(),
            told: Instant::now(),
            added: 0,
            gone: (0, 0),
        };
        crowd.run(&commands);
        let report = crowd.report();
        let everyone = crowd.settled.into_iter().chain(crowd.joining);
        Ended { report, ears: everyone.filter_map(|each| Some((each.room, each.ear?))).collect() }
    })
}

impl Crowd {
    fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        let mut next = Instant::now();
        loop {
            for command in commands.try_iter() {
                match command {
                    Command::Add(mut listener) => {
                        let sampled = listener.ear.is_some() || self.added.is_multiple_of(self.sample);
                        listener.peer.samples_every_packet(sampled);
                        self.added += 1;
                        self.joining.push(listener);
                    }
                    Command::Tell(answer) => {
                        self.poll_settled();
                        // Who does not wait for the answer does not miss it.
                        let _ = answer.send(self.report());
                    }
                    Command::BeginWindow => self.begin_window(),
                    Command::Stop => {
                        self.poll_settled();
                        return self.tell();
                    }
                }
            }
            self.poll_joining();
            if next <= Instant::now() {
                next = Instant::now() + self.poll;
                self.poll_settled();
            }
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                self.tell();
            }
            let pause = next.saturating_duration_since(Instant::now());
            std::thread::sleep(if self.joining.is_empty() { pause } else { pause.min(HANDSHAKE_POLL) });
        }
    }

    fn poll_joining(&mut self) {
        let now = Instant::now();
        for listener in &mut self.joining {
            listener.pump(now, &mut self.receiver, &mut self.counting);
        }
        let done = |peer: &Peer| peer.heard.is_some() || matches!(peer.state, State::Ended(_));
        let (done, joining) = self.joining.drain(..).partition(|listener| done(&listener.peer));
        self.joining = joining;
        self.settled.extend::<Vec<_>>(done);
    }

    fn poll_settled(&mut self) {
        let now = Instant::now();
        let left = |listener: &mut Box<Listener>| listener.until.is_some_and(|until| until <= now);
        for listener in self.settled.extract_if(.., left).chain(self.joining.extract_if(.., left)) {
            self.gone.0 += u64::from(listener.peer.connected.is_some());
            self.gone.1 += u64::from(listener.peer.heard.is_some());
        }
        for listener in &mut self.settled {
            // A clock reading costs little beside the system call that follows, and a full round takes long.
            listener.pump(Instant::now(), &mut self.receiver, &mut self.counting);
        }
    }

    fn tell(&self) {
        let everyone = || self.settled.iter().chain(&self.joining).map(|listener| &listener.peer);
        let count = |wanted: fn(&Peer) -> bool| everyone().filter(|peer| wanted(peer)).count() as u64;
        let ended = count(|peer| matches!(peer.state, State::Ended(_)));
        if ended > self.live.ended.swap(ended, Ordering::Relaxed) {
            let reasons = everyone().filter_map(|peer| match &peer.state {
                State::Ended(reason) => Some(reason.clone()),
                _ => None,
            });
            if let Ok(mut known) = self.live.reasons.lock() {
                *known = reasons.take(5).collect();
            }
        }
        self.live.connected.store(self.gone.0 + count(|peer| peer.connected.is_some()), Ordering::Relaxed);
        self.live.hearing.store(self.gone.1 + count(|peer| peer.heard.is_some()), Ordering::Relaxed);
        self.live.packets.store(self.counting.packets, Ordering::Relaxed);
    }

    fn begin_window(&mut self) {
        self.poll_settled();
        self.counting.delays.clear();
        self.counting.packets = 0;
        self.counting.decrypted = 0;
        self.window = Instant::now();
        for listener in self.settled.iter_mut().chain(&mut self.joining) {
            listener.peer.count.begin_window();
            listener.flow.begin_window();
            listener.ear.iter_mut().for_each(Ear::begin_counting);
        }
    }

    fn report(&self) -> CrowdReport {
        let mut report = CrowdReport {
            seconds: self.window.elapsed().as_secs_f64(),
            delays: self.counting.delays.clone(),
            decrypted: self.counting.decrypted,
            ..CrowdReport::default()
        };
        let since = |at: Instant, peer: &Peer| at.saturating_duration_since(peer.offered).as_secs_f64() * 1000.0;
        for listener in self.settled.iter().chain(&self.joining) {
            let peer = &listener.peer;
            report.note_room(listener);
            report.totals.add(&peer.count.totals);
            report.worst_lost = report.worst_lost.max(peer.count.totals.lost());
            report.deaf += u64::from(peer.count.totals.received == 0);
            if let Some(at) = peer.connected {
                report.connect.note(since(at, peer));
            }
            if let Some(at) = peer.heard {
                report.hear.note(since(at, peer));
            }
        }
        report
    }
}
