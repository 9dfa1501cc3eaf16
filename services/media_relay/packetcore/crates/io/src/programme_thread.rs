//! A programme thread: runs its channels' mixers and playout buffers on time, whatever Python does meanwhile.

use crate::counters::{Counters, ProgrammeGauges, RelayShare, publish_share};
use crate::listening::Listening;
use crate::messages::{EffortRule, Exports, PacketRing, Pushes, Speech, ToProgramme};
use crate::sys::{self, EventFd};
use majlis_core::fanout::ProgrammePacket;
use majlis_core::{ChannelId, Micros, WallClock};
use majlis_mix::Mixer;
use majlis_programme::{Effort, Load, Output, Programme, RtpIn};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Longest sleep: microphone packets of stages that nobody hears are thrown away that often.
const MAX_SLEEP: Micros = 50_000;
/// Work on frames after which what is ready goes to the sender threads and what came in is looked at, however much more
/// is due.
const MAX_TURN: Micros = 2_000;
/// How often gauges that look at every channel are brought up to date.
const GAUGES_EACH: Micros = 100_000;

/// Where packets and frames go.
pub struct ProgrammeOutlets {
    /// A ring and a wake-up for each sender thread.
    pub senders: Vec<SenderLine>,
    /// Frames for Python to publish.
    pub exports: Arc<Exports>,
    /// What operators watch.
    pub counters: Arc<Counters>,
}

/// Packets for one sender thread.
pub struct SenderLine {
    ring: PacketRing,
    wake: Arc<EventFd>,
    /// Packets were put in since it was last woken.
    fresh: bool,
    /// Packets put in so far, and when the last ones that the thread has not taken were: how many had been by then.
    put: u64,
    marks: VecDeque<(u64, Micros)>,
    /// Most that the sender thread was behind its plan since it was asked.
    lag: Arc<AtomicU64>,
}

impl SenderLine {
    /// A line over `ring`.
    pub fn new(ring: PacketRing, wake: Arc<EventFd>, lag: Arc<AtomicU64>) -> Self {
        Self { ring, wake, fresh: false, put: 0, marks: VecDeque::new(), lag }
    }

    /// Most that a packet has waited for the thread, in the ring or behind it.
    fn waited(&mut self, now: Micros) -> Micros {
        let waiting = (self.ring.buffer().capacity() - self.ring.slots()) as u64;
        let taken = self.put - waiting;
        while self.marks.front().is_some_and(|(put, _)| *put <= taken) {
            self.marks.pop_front();
        }
        let since = self.marks.front().map_or(now, |(_, at)| *at);
        (now - since).max(self.lag.swap(0, Relaxed))
    }
}

impl ProgrammeOutlets {
    /// Wakes the sender threads that got packets: once for all of them.
    fn wake_senders(&mut self, now: Micros) {
        for line in &mut self.senders {
            if std::mem::take(&mut line.fresh) {
                if line.marks.back().is_none_or(|(put, _)| *put < line.put) {
                    line.marks.push_back((line.put, now));
                }
                line.wake.signal();
            }
        }
    }
}

impl Output for ProgrammeOutlets {
    fn packet(&mut self, packet: &ProgrammePacket) {
        for line in &mut self.senders {
            if line.ring.push(packet.clone()).is_ok() {
                line.put += 1;
            } else {
                self.counters.programme_packets_lost.fetch_add(1, Relaxed);
            }
            line.fresh = true;
        }
    }

    fn export(&mut self, channel: ChannelId, frame: Vec<u8>) {
        if self.exports.send((channel, frame)).is_err() {
            self.counters.export_frames_lost.fetch_add(1, Relaxed);
        }
    }

    fn held(&mut self, capture_ntp: u64, held: Micros) {
        self.counters.playout_frames.fetch_add(1, Relaxed);
        self.counters.playout_held_us.fetch_add(held, Relaxed);
        self.counters.holds.note(capture_ntp, held);
    }
}

/// A programme thread's whole state.
pub struct ProgrammeThread {
    /// Which it is.
    pub at: usize,
    /// Its channels.
    pub programme: Programme<Mixer>,
    /// How well those on its stages can be heard, where somebody asks.
    pub listening: Listening,
    /// How hard its encoders work.
    pub effort: Effort,
    /// From the packet thread.
    pub commands: rtrb::Consumer<ToProgramme>,
    /// Microphones, from the packet thread.
    pub speech: rtrb::Consumer<Speech>,
    /// Frames from Python.
    pub pushes: Arc<Pushes>,
    /// Wakes it.
    pub wake: Arc<EventFd>,
    /// Where everything goes.
    pub out: ProgrammeOutlets,
    /// The end.
    pub stop: Arc<AtomicBool>,
    /// What has been added to the shared counters.
    pub told: [u64; 8],
    /// Frames encoded, as the effort knows already.
    pub encoded: u64,
    /// Packets that were given up, as the effort knows already.
    pub given_up: u64,
    /// What all threads take of their cores.
    pub share: RelayShare,
    /// When the gauges are brought up to date.
    pub gauges_at: Micros,
}

impl ProgrammeThread {
    /// Serves until told to stop.
    pub fn run(mut self) {
        while !self.stop.load(Relaxed) {
            let now = sys::monotonic_micros();
            self.programme.set_clock(WallClock::new(now, sys::ntp_now()));
            self.take_input(now);
            let (due, ended) = self.work(now);
            self.out.wake_senders(ended);
            self.weigh(ended - now, ended);
            self.publish(ended);
            let now = ended;
            let sleep = due.map_or(MAX_SLEEP, |due| due.saturating_sub(now).min(MAX_SLEEP));
            if sleep > 0 {
                let fds = [self.wake.raw(), self.pushes.wake().raw()];
                let [woken, pushed] = sys::wait_readable(fds, Duration::from_micros(sleep));
                if woken {
                    self.wake.clear();
                }
                if pushed {
                    self.pushes.wake().clear();
                }
            }
        }
    }

    /// Does what is due, frame by frame, for a while; returns when the next is due, and the time.
    fn work(&mut self, begin: Micros) -> (Option<Micros>, Micros) {
        let mut now = begin;
        loop {
            let due = self.programme.poll(now, &mut self.out);
            now = sys::monotonic_micros();
            if due.is_none_or(|due| due > now) || now - begin > MAX_TURN {
                return (due, now);
            }
        }
    }

    /// Lowers or raises the encoders' effort by what this turn cost.
    fn weigh(&mut self, busy: Micros, now: Micros) {
        let (mixed, lag) = (self.programme.totals().mixed, self.programme.take_lag());
        let encoded = mixed - std::mem::replace(&mut self.encoded, mixed);
        let waited = self.out.senders.iter_mut().map(|line| line.waited(now)).max().unwrap_or(0);
        let counters = &self.out.counters;
        let given_up = counters.overload_drops.load(Relaxed) + counters.programme_packets_lost.load(Relaxed);
        let lost = given_up > std::mem::replace(&mut self.given_up, given_up);
        let relay = self.share.look(counters, now);
        if self.effort.note(Load { busy, encoded, lag, relay, waited, lost }, now) {
            self.programme.set_effort(self.effort.complexity());
        }
    }

    fn take_input(&mut self, now: Micros) {
        while let Ok(message) = self.commands.pop() {
            match message {
                ToProgramme::Command(command) => self.programme.handle_command(command, now, &mut self.out),
                ToProgramme::Effort(rule) => {
                    match rule {
                        EffortRule::Ceiling(complexity) => self.effort.set_ceiling(complexity),
                        EffortRule::Costs(costs) => self.effort.set_costs(&costs),
                    }
                    self.programme.set_effort(self.effort.complexity());
                }
                ToProgramme::Fact(fact) => {
                    self.listening.note(fact);
                    self.programme.handle_fact(fact, now);
                }
                ToProgramme::Inputs(stage, reply) => drop(reply.send(self.listening.read(stage, now))),
                ToProgramme::Dump(reply) => drop(reply.send(self.programme.dump().join(","))),
                ToProgramme::Flush(reply) => {
                    let _ = reply.send(());
                }
            }
        }
        while let Ok(speech) = self.speech.peek() {
            let packet = RtpIn {
                ssrc: speech.ssrc,
                sequence: speech.sequence,
                timestamp: speech.timestamp,
                level: speech.level,
                payload: &speech.payload[..usize::from(speech.len)],
            };
            self.listening.hear(speech.stage, (speech.member, speech.booth), packet, speech.arrival);
            self.programme.handle_speech(speech.stage, (speech.member, speech.booth), packet, speech.arrival);
            let _ = self.speech.read_chunk(1).map(rtrb::chunks::ReadChunk::commit_all);
        }
        for _ in 0..self.pushes.capacity() {
            let Some((channel, frame, arrival)) = self.pushes.take() else { break };
            self.programme.handle_push(channel, frame, arrival);
        }
    }

    fn publish(&mut self, now: Micros) {
        let (counters, totals) = (&self.out.counters, self.programme.totals());
        publish_share(&counters.programme_frames, totals.frames, &mut self.told[0]);
        publish_share(&counters.frames_pushed, totals.pushed, &mut self.told[1]);
        publish_share(&counters.frames_refused, totals.refused, &mut self.told[2]);
        publish_share(&counters.frames_missing, totals.missing, &mut self.told[3]);
        publish_share(&counters.channels_failed, totals.failed, &mut self.told[4]);
        publish_share(&counters.frames_passed, totals.passed, &mut self.told[5]);
        publish_share(&counters.seams_to_passing, totals.to_passing, &mut self.told[6]);
        publish_share(&counters.seams_to_mixing, totals.to_mixing, &mut self.told[7]);
        if now >= self.gauges_at {
            self.gauges_at = now + GAUGES_EACH;
            self.listening.expire(now);
            let gauges = ProgrammeGauges {
                mixers: self.programme.mixers(),
                depth_ms: self.programme.playout_depth_ms(),
                complexity: self.effort.complexity().into(),
                busy_ppm: (self.effort.busy() * 1e6) as u64,
                lag_us: self.effort.lag(),
            };
            counters.publish_programme(self.at, gauges);
        }
    }
}
