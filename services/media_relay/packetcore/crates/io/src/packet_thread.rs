//! The packet thread: datagrams in, ICE, SRTP, the stage.

use crate::batch::{BATCH, ReceiveBatch, SendBatch};
use crate::counters::{Counters, publish, publish_share};
use crate::dump::dump;
use crate::messages::{Mailbox, Question, ToPacket, ToProgramme, ToSender};
use crate::outlets::Outlets;
use crate::sys;
use crate::tcp_ring::RingOut;
use majlis_core::endpoint::{Endpoint, Gauges};
use majlis_core::{MTU, Micros, Path, WallClock};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Rounds of [`BATCH`] datagrams taken from one socket before commands are looked at again.
const ROUNDS: usize = 4;
/// Datagrams taken from TCP connections in a turn.
const FRAMES_AT_ONCE: usize = 1024;
/// Longest sleep: the endpoint's sweep.
const MAX_SLEEP: Micros = 100_000;
/// Least time between two looks at the sockets. A crowd's checks and reports come one by one, thousands a second, and
/// waking for each costs several times what reading it does; a packet for the stage waits so much longer at most.
const LOOK_INTERVAL: Micros = 1_000;
/// The packet thread's whole state.
pub struct PacketThread {
    endpoint: Endpoint,
    sockets: Arc<Vec<UdpSocket>>,
    receive: ReceiveBatch,
    /// What came by TCP.
    tcp: Option<RingOut>,
    inbox: Arc<Mailbox<ToPacket>>,
    out: Outlets,
    stop: Arc<AtomicBool>,
    told: [u64; 8],
}

impl PacketThread {
    /// A thread's state; [`PacketThread::run`] is its body.
    pub fn new(
        endpoint: Endpoint,
        sockets: Arc<Vec<UdpSocket>>,
        tcp: Option<RingOut>,
        inbox: Arc<Mailbox<ToPacket>>,
        out: Outlets,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { endpoint, sockets, receive: ReceiveBatch::default(), tcp, inbox, out, stop, told: [0; 8] }
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
            let next = self.endpoint.speech_due().map_or(due, |speech| due.min(speech));
            let sleep = next.saturating_sub(now).min(MAX_SLEEP);
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
            more |= self.take_frames();
            let now = sys::monotonic_micros();
            self.endpoint.handle_outside(now, &mut self.out);
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

    /// Takes what came by TCP; says whether more waits.
    fn take_frames(&mut self) -> bool {
        let mut waiting = self.tcp.as_ref().map_or(0, RingOut::waiting);
        if waiting == 0 {
            return false;
        }
        // What waits was sent before these commands are taken, as above.
        self.take_commands();
        let Some(tcp) = &mut self.tcp else { return false };
        let (now, mut buf) = (sys::monotonic_micros(), [0; MTU]);
        for _ in 0..FRAMES_AT_ONCE {
            if waiting == 0 {
                return false;
            }
            let Some((path, len)) = tcp.take(&mut buf) else { return false };
            waiting = waiting.saturating_sub(RingOut::taken(len));
            self.endpoint.handle_datagram(path, &mut buf[..len], now, &mut self.out);
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
                ToPacket::Programme(command) => {
                    self.out.tell_programme(command.channel().0, ToProgramme::Command(command));
                }
                ToPacket::Effort(rule) => self.out.tell_programmes(|| ToProgramme::Effort(rule)),
                ToPacket::ListenerFailed(session) => self.endpoint.fail(session, &mut self.out),
                ToPacket::Ask(question) => self.answer(question, now),
            }
        }
    }

    /// Whoever asked may have gone: an answer that nobody takes is dropped.
    fn answer(&mut self, question: Question, now: Micros) {
        match question {
            Question::Session(session, reply) => drop(reply.send(self.endpoint.session_info(session))),
            Question::Speaking(stage, reply) => {
                let levels = self.endpoint.stage_levels(stage, now);
                drop(reply.send(levels.iter().filter(|each| each.speaking).map(|each| each.member).collect()));
            }
            Question::Inputs(stage, reply) => {
                self.out.tell_programme(stage.0, ToProgramme::Inputs(stage, reply));
            }
            Question::Sent(shard, session, reply) => self.out.tell_sender(shard, ToSender::Sent(session, reply)),
            Question::Dump(reply) => {
                drop(reply.send(dump(&self.endpoint, now)));
                self.out.tell_programmes(|| ToProgramme::Dump(reply.clone()));
            }
            Question::Flush(reply) => {
                for shard in 0..self.out.senders.len() {
                    self.out.tell_sender(shard, ToSender::Flush(reply.clone()));
                }
                self.out.tell_programmes(|| ToProgramme::Flush(reply.clone()));
                let _ = reply.send(());
            }
        }
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
        publish(&counters.tcp_sessions_now, gauges.tcp_sessions);
        publish(&counters.tcp_listeners_now, gauges.tcp_listeners);
        publish(&counters.red_listeners_now, gauges.red_listeners);
        publish(&counters.reporting_now, reporting);
        publish(&counters.loss_ppm_now, mean(gauges.lost_256 * 1_000_000 / 256));
        publish(&counters.jitter_us_now, mean(gauges.jitter_micros));
        publish(&counters.round_trip_us_now, mean(gauges.round_trip_micros));
    }
}

/// Adds a thread's share of what went out.
pub fn publish_sent(counters: &Counters, batch: &SendBatch, told: &mut [u64; 8]) {
    let sent = batch.counters();
    publish_share(&counters.packets_out, sent.sent, &mut told[0]);
    publish_share(&counters.bytes_out, sent.bytes, &mut told[1]);
    publish_share(&counters.send_buffer_drops, sent.buffer_drops, &mut told[2]);
    publish_share(&counters.send_errors, sent.errors, &mut told[3]);
    publish_share(&counters.send_errors_too_long, sent.too_long, &mut told[4]);
    publish_share(&counters.send_errors_unreachable, sent.unreachable, &mut told[5]);
    publish_share(&counters.send_errors_forbidden, sent.forbidden, &mut told[6]);
    publish_share(&counters.tcp_frames_lost, sent.lost_to_tcp, &mut told[7]);
}
