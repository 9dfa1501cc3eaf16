//! The packet thread: datagrams in, ICE, SRTP, the stage, and what the other threads must know.

use crate::batch::{BATCH, ReceiveBatch, SendBatch};
use crate::counters::{Counters, publish, publish_share};
use crate::messages::{Events, MAX_SPEECH, Mailbox, Question, Speech, ToPacket, ToProgramme, ToSender};
use crate::sys::{self, EventFd};
use majlis_core::endpoint::{Endpoint, Event, Gauges, Sink, StageFact, StageMedia};
use majlis_core::fanout::{self, Transmit};
use majlis_core::{Micros, Path, SessionId, WallClock};
use std::collections::VecDeque;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Rounds of [`BATCH`] datagrams taken from one socket before commands are looked at again.
const ROUNDS: usize = 4;
/// Longest sleep: the endpoint's sweep.
const MAX_SLEEP: Micros = 100_000;
/// Least time between two looks at the sockets. A crowd's checks and reports come one by one, thousands a second, and
/// waking for each costs several times what reading it does; a packet for the stage waits so much longer at most.
const LOOK_INTERVAL: Micros = 1_000;
/// Messages that wait for a thread that is behind; beyond, they are lost and counted.
const MAX_BACKLOG: usize = 65_536;

/// A ring to another thread with its wake-up, and what did not fit.
pub struct Line<T> {
    ring: rtrb::Producer<T>,
    wake: Arc<EventFd>,
    backlog: VecDeque<T>,
    fresh: bool,
}

impl<T> Line<T> {
    /// A line over `ring`.
    pub fn new(ring: rtrb::Producer<T>, wake: Arc<EventFd>) -> Self {
        Self { ring, wake, backlog: VecDeque::new(), fresh: false }
    }

    /// Puts a message in, behind those that wait; false when it is lost.
    fn put(&mut self, message: T) -> bool {
        self.fresh = true;
        if self.backlog.is_empty() {
            let Err(rtrb::PushError::Full(message)) = self.ring.push(message) else { return true };
            self.backlog.push_back(message);
            return true;
        }
        if self.backlog.len() >= MAX_BACKLOG {
            return false;
        }
        self.backlog.push_back(message);
        true
    }

    /// Moves what waits and wakes the other thread when there is something new for it.
    fn flush(&mut self) {
        while let Some(message) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(message)) = self.ring.push(message) {
                self.backlog.push_front(message);
                break;
            }
        }
        if std::mem::take(&mut self.fresh) {
            self.wake.signal();
        }
    }
}

/// Everything the packet thread sends to.
pub struct Outlets {
    /// Datagrams.
    pub batch: SendBatch,
    /// Events for Python.
    pub events: Arc<Events>,
    /// One for each sender thread.
    pub senders: Vec<Line<ToSender>>,
    /// The programme thread.
    pub programme: Line<ToProgramme>,
    /// Microphone packets for the programme thread.
    pub speech: rtrb::Producer<Speech>,
    /// What operators watch.
    pub counters: Arc<Counters>,
    /// Events were put in since the last wake-up.
    pub fresh_events: bool,
}

impl Outlets {
    fn flush(&mut self) {
        self.batch.flush();
        self.senders.iter_mut().for_each(Line::flush);
        self.programme.flush();
        if std::mem::take(&mut self.fresh_events) {
            self.events.wake().signal();
        }
    }

    fn tell_programme(&mut self, message: ToProgramme) {
        let taken = self.programme.put(message);
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
    }

    fn tell_sender(&mut self, shard: usize, message: ToSender) {
        let taken = self.senders.get_mut(shard).is_some_and(|line| line.put(message));
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
    }
}

impl Transmit for Outlets {
    fn buffer(&mut self, path: &Path) -> &mut [u8] {
        self.batch.buffer(path)
    }

    fn commit(&mut self, path: &Path, len: usize) {
        self.batch.commit(path, len);
    }

    fn flush(&mut self) {
        self.batch.flush();
    }
}

impl Sink for Outlets {
    fn event(&mut self, event: Event) -> bool {
        let half_full = self.events.len() > self.events.capacity() / 2;
        if half_full && matches!(event, Event::Dtls(..)) {
            return false;
        }
        self.fresh_events = true;
        let taken = self.events.put(event).is_ok();
        self.counters.commands_lost.fetch_add(u64::from(!taken), Relaxed);
        taken
    }

    fn fanout(&mut self, shard: usize, command: fanout::Command) {
        self.tell_sender(shard, ToSender::Command(command));
    }

    fn fact(&mut self, fact: StageFact) {
        self.tell_programme(ToProgramme::Fact(fact));
    }

    fn media(&mut self, media: &StageMedia<'_>) {
        let mut speech = Speech {
            stage: media.stage,
            member: media.member,
            ssrc: media.ssrc,
            sequence: media.sequence,
            timestamp: media.timestamp,
            level: media.level,
            arrival: media.arrival,
            len: media.payload.len() as u16,
            payload: [0; MAX_SPEECH],
        };
        let Some(place) = speech.payload.get_mut(..media.payload.len()) else { return };
        place.copy_from_slice(media.payload);
        if self.speech.push(speech).is_err() {
            self.counters.mixer_input_lost.fetch_add(1, Relaxed);
        }
        // The mixer looks each 20 ms by itself; only a ring that fills up is a reason to wake it.
        if self.speech.slots() * 2 < self.speech.buffer().capacity() {
            self.programme.fresh = true;
        }
    }
}

/// The packet thread's whole state.
pub struct PacketThread {
    endpoint: Endpoint,
    sockets: Arc<Vec<UdpSocket>>,
    receive: ReceiveBatch,
    inbox: Arc<Mailbox<ToPacket>>,
    out: Outlets,
    stop: Arc<AtomicBool>,
    told: [u64; 7],
}

impl PacketThread {
    /// A thread's state; [`PacketThread::run`] is its body.
    pub fn new(
        endpoint: Endpoint,
        sockets: Arc<Vec<UdpSocket>>,
        inbox: Arc<Mailbox<ToPacket>>,
        out: Outlets,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { endpoint, sockets, receive: ReceiveBatch::default(), inbox, out, stop, told: [0; 7] }
    }

    /// Serves until told to stop.
    pub fn run(mut self) {
        let mut polled: Vec<libc::pollfd> = self
            .sockets
            .iter()
            .map(AsRawFd::as_raw_fd)
            .chain([self.inbox.wake().raw()])
            .map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 })
            .collect();
        let (mut due, mut looked, mut more): (Micros, Micros, bool) = (0, 0, false);
        while !self.stop.load(Relaxed) {
            let now = sys::monotonic_micros();
            let sleep = due.saturating_sub(now).min(MAX_SLEEP);
            sys::poll(&mut polled, Duration::from_micros(sleep));
            let early = (looked + LOOK_INTERVAL).saturating_sub(sys::monotonic_micros());
            if early > 0 && !more {
                std::thread::sleep(Duration::from_micros(early));
            }
            looked = sys::monotonic_micros();
            if polled.last().is_some_and(|inbox| inbox.revents != 0) {
                // Cleared even when its message was taken in an earlier turn, or the wake-up would never sleep again.
                self.inbox.wake().clear();
            }
            self.take_commands();
            more = false;
            for at in 0..self.sockets.len() {
                more |= self.take_datagrams(at);
            }
            let now = sys::monotonic_micros();
            if now >= due {
                self.endpoint.set_clock(WallClock::new(now, sys::ntp_now()));
                due = self.endpoint.handle_time(now, &mut self.out);
                self.publish_gauges();
            }
            self.out.flush();
            self.publish_totals();
        }
    }

    /// Reads a socket for a while; says whether more may wait on it.
    fn take_datagrams(&mut self, at: usize) -> bool {
        for _ in 0..ROUNDS {
            let count = self.receive.receive(&self.sockets[at]);
            if count == 0 {
                return false;
            }
            // After receiving and before reading: a client may answer faster than this loop turns, and must not find
            // that the session it was told of does not exist yet.
            self.take_commands();
            let now = sys::monotonic_micros();
            for index in 0..count {
                let Some((remote, datagram)) = self.receive.datagram(index) else { continue };
                let path = Path { socket: at as u8, remote };
                self.endpoint.handle_datagram(path, datagram, now, &mut self.out);
            }
            if count < BATCH {
                return false;
            }
            // Answers and forwarded speech do not wait for the whole burst.
            self.out.flush();
        }
        true
    }

    fn take_commands(&mut self) {
        if self.inbox.is_empty() {
            return;
        }
        let now = sys::monotonic_micros();
        for _ in 0..self.inbox.capacity() {
            let Some(message) = self.inbox.take() else { return };
            match message {
                ToPacket::Core(command) => self.endpoint.handle_command(command, now, &mut self.out),
                ToPacket::Programme(command) => self.out.tell_programme(ToProgramme::Command(command)),
                ToPacket::ListenerFailed(session) => self.endpoint.fail(session, &mut self.out),
                ToPacket::Ask(question) => self.answer(question, now),
            }
        }
    }

    /// Whoever asked may have gone: an answer that nobody takes is dropped.
    fn answer(&mut self, question: Question, now: Micros) {
        match question {
            Question::Session(session, reply) => drop(reply.send(self.endpoint.session_info(session))),
            Question::Sent(shard, session, reply) => self.out.tell_sender(shard, ToSender::Sent(session, reply)),
            Question::Dump(reply) => {
                drop(reply.send(self.dump(now)));
                self.out.tell_programme(ToProgramme::Dump(reply));
            }
            Question::Flush(reply) => {
                for shard in 0..self.out.senders.len() {
                    self.out.tell_sender(shard, ToSender::Flush(reply.clone()));
                }
                self.out.tell_programme(ToProgramme::Flush(reply.clone()));
                let _ = reply.send(());
            }
        }
    }

    fn dump(&self, now: Micros) -> String {
        let sessions: Vec<String> =
            self.endpoint.session_ids().into_iter().filter_map(|id| self.dump_session(id)).collect();
        let stages: Vec<String> = self
            .endpoint
            .stage_ids()
            .into_iter()
            .map(|stage| {
                let levels = self.endpoint.stage_levels(stage, now);
                let members: Vec<String> = levels
                    .iter()
                    .map(|at| format!(r#"{{"member":{},"level":{},"speaking":{}}}"#, at.member, at.level, at.speaking))
                    .collect();
                format!(r#"{{"stage":{},"members":[{}]}}"#, stage.0, members.join(","))
            })
            .collect();
        let audiences: Vec<String> = self
            .endpoint
            .audiences()
            .iter()
            .map(|(channel, count)| format!(r#"{{"channel":{},"listeners":{count}}}"#, channel.0))
            .collect();
        format!(
            r#""sessions":[{}],"stages":[{}],"audiences":[{}]"#,
            sessions.join(","),
            stages.join(","),
            audiences.join(",")
        )
    }

    fn dump_session(&self, id: SessionId) -> Option<String> {
        let info = self.endpoint.session_info(id)?;
        let address = info.address.map_or("null".to_owned(), |address| format!("\"{address}\""));
        let role = match (info.stage, info.channel) {
            (Some((stage, member)), _) => format!(r#""stage":{},"member":{member},"muted":{}"#, stage.0, info.muted),
            (_, Some(channel)) => format!(r#""channel":{},"red":{}"#, channel.0, info.red),
            _ => r#""stage":null,"channel":null"#.to_owned(),
        };
        let (connected, received, lost) = (info.connected, info.packets_received, info.fraction_lost);
        let id = id.0;
        Some(format!(
            r#"{{"session":{id},"connected":{connected},"address":{address},"packets_received":{received},"fraction_lost":{lost},{role}}}"#
        ))
    }

    fn publish_totals(&mut self) {
        let (counters, totals) = (&self.out.counters, self.endpoint.counters());
        publish(&counters.packets_in, totals.packets_in);
        publish(&counters.stage_packets_out, totals.stage_packets_out);
        publish(&counters.stun_replies, totals.stun_replies);
        publish(&counters.reports_in, totals.reports_in);
        publish(&counters.sessions_expired, totals.expired);
        publish(&counters.sessions_failed, totals.failed);
        for (counter, total) in counters.dropped.iter().zip(totals.dropped) {
            publish(counter, total);
        }
        publish_sent(counters, &self.out.batch, &mut self.told);
    }

    fn publish_gauges(&self) {
        let (counters, gauges) = (&self.out.counters, self.endpoint.gauges());
        let Gauges { reporting, .. } = gauges;
        let mean = |sum: u64| sum.checked_div(reporting).unwrap_or(0);
        publish(&counters.sessions_now, gauges.sessions);
        publish(&counters.connected_now, gauges.connected);
        publish(&counters.stage_sessions_now, gauges.stage_sessions);
        publish(&counters.listeners_now, gauges.listeners);
        publish(&counters.red_listeners_now, gauges.red_listeners);
        publish(&counters.reporting_now, reporting);
        publish(&counters.loss_ppm_now, mean(gauges.lost_256 * 1_000_000 / 256));
        publish(&counters.jitter_us_now, mean(gauges.jitter_micros));
        publish(&counters.round_trip_us_now, mean(gauges.round_trip_micros));
    }
}

/// Adds a thread's share of what went out.
pub fn publish_sent(counters: &Counters, batch: &SendBatch, told: &mut [u64; 7]) {
    let sent = batch.counters();
    publish_share(&counters.packets_out, sent.sent, &mut told[0]);
    publish_share(&counters.bytes_out, sent.bytes, &mut told[1]);
    publish_share(&counters.send_buffer_drops, sent.buffer_drops, &mut told[2]);
    publish_share(&counters.send_errors, sent.errors, &mut told[3]);
    publish_share(&counters.send_errors_too_long, sent.too_long, &mut told[4]);
    publish_share(&counters.send_errors_unreachable, sent.unreachable, &mut told[5]);
    publish_share(&counters.send_errors_forbidden, sent.forbidden, &mut told[6]);
}
