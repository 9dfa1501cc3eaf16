//! A crowd of listeners in one thread: sockets polled on a timer, every packet counted, only a sample decrypted.

use crate::count::{Delays, Totals};
use crate::peer::{Peer, Sink, State};
use crate::receive::{Receiver, ntp_difference_ms};
use crate::wire::RtpView;
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
    Add(Box<Peer>),
    /// Counts from zero: everyone is here.
    BeginWindow,
    /// The end.
    Stop,
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

/// What the crowd saw in its window.
#[derive(Debug, Default)]
pub struct CrowdReport {
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

#[derive(Default)]
struct Counting {
    delays: Delays,
    decrypted: u64,
    packets: u64,
}

impl Sink for Counting {
    fn arrived(&mut self, packet: &RtpView<'_>, arrival: u64, capture_id: u8) -> bool {
        self.packets += 1;
        if let Some(captured) = packet.capture_ntp(capture_id) {
            self.delays.note(ntp_difference_ms(arrival, captured));
        }
        true
    }

    fn decrypted(&mut self, _: RtpPacket) {
        self.decrypted += 1;
    }
}

struct Crowd {
    live: Arc<Live>,
    poll: Duration,
    sample: usize,
    joining: Vec<Box<Peer>>,
    settled: Vec<Box<Peer>>,
    receiver: Receiver,
    counting: Counting,
    window: Instant,
    told: Instant,
    added: usize,
}

/// Starts the crowd's thread: settled sockets are polled each `poll`, every `sample`-th listener decrypts all he gets.
pub fn start(
    live: Arc<Live>,
    poll: Duration,
    sample: usize,
    commands: mpsc::Receiver<Command>,
) -> std::io::Result<JoinHandle<CrowdReport>> {
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
        };
        crowd.run(&commands);
        crowd.report()
    })
}

impl Crowd {
    fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        let mut next = Instant::now();
        loop {
            for command in commands.try_iter() {
                match command {
                    Command::Add(mut peer) => {
                        peer.samples_every_packet(self.added.is_multiple_of(self.sample));
                        self.added += 1;
                        self.joining.push(peer);
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
        for peer in &mut self.joining {
            peer.pump(now, &mut self.receiver, &mut self.counting);
        }
        let (done, joining) =
            self.joining.drain(..).partition(|peer| peer.heard.is_some() || matches!(peer.state, State::Ended(_)));
        self.joining = joining;
        self.settled.extend::<Vec<_>>(done);
    }

    fn poll_settled(&mut self) {
        for peer in &mut self.settled {
            // A clock reading costs little beside the system call that follows, and a full round takes long.
            peer.pump(Instant::now(), &mut self.receiver, &mut self.counting);
        }
    }

    fn tell(&self) {
        let everyone = || self.settled.iter().chain(&self.joining);
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
        self.live.connected.store(count(|peer| peer.connected.is_some()), Ordering::Relaxed);
        self.live.hearing.store(count(|peer| peer.heard.is_some()), Ordering::Relaxed);
        self.live.packets.store(self.counting.packets, Ordering::Relaxed);
    }

    fn begin_window(&mut self) {
        self.poll_settled();
        self.counting.delays.clear();
        self.counting.packets = 0;
        self.counting.decrypted = 0;
        self.window = Instant::now();
        for peer in self.settled.iter_mut().chain(&mut self.joining) {
            peer.count.begin_window();
        }
    }

    fn report(self) -> CrowdReport {
        let mut report = CrowdReport {
            seconds: self.window.elapsed().as_secs_f64(),
            delays: self.counting.delays,
            decrypted: self.counting.decrypted,
            ..CrowdReport::default()
        };
        let since = |at: Instant, peer: &Peer| at.saturating_duration_since(peer.offered).as_secs_f64() * 1000.0;
        for peer in self.settled.iter().chain(&self.joining) {
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
