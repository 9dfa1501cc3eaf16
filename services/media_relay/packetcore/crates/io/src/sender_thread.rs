//! A sender thread: its shard of the audience, served group by group at an even pace.

use crate::batch::SendBatch;
use crate::counters::{Counters, publish, publish_share};
use crate::messages::{Mailbox, ToPacket, ToSender};
use crate::packet_thread::publish_sent;
use crate::sys::{self, EventFd};
use majlis_core::fanout::{ProgrammePacket, Shard, Transmit};
use majlis_core::{Micros, WallClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Longest sleep: the stop flag and the wall clock are looked at that often.
const MAX_SLEEP: Micros = 100_000;
/// Groups served, and commands taken, before what is ready goes out and is told, however much more is due.
const GROUPS_AT_ONCE: usize = 32;
const COMMANDS_AT_ONCE: usize = 256;

/// A sender thread's whole state.
pub struct SenderThread {
    /// Its listeners.
    pub shard: Shard,
    /// Where their datagrams go.
    pub batch: SendBatch,
    /// From the packet thread.
    pub commands: rtrb::Consumer<ToSender>,
    /// From each programme thread.
    pub packets: Vec<rtrb::Consumer<ProgrammePacket>>,
    /// Wakes it.
    pub wake: Arc<EventFd>,
    /// Where failures are told.
    pub packet_thread: Arc<Mailbox<ToPacket>>,
    /// What operators watch.
    pub counters: Arc<Counters>,
    /// The end.
    pub stop: Arc<AtomicBool>,
    /// How far it is behind, for each programme thread.
    pub lags: Vec<Arc<AtomicU64>>,
    /// When the next group is due.
    pub planned: Option<Micros>,
    /// What has been added to the shared counters: packets, drops, seal errors, then what went out.
    pub told: ([u64; 3], [u64; 8]),
}

impl SenderThread {
    /// Serves until told to stop.
    pub fn run(mut self) {
        while !self.stop.load(Relaxed) {
            let due = self.serve();
            self.batch.flush();
            self.publish();
            let now = sys::monotonic_micros();
            let sleep = due.map_or(MAX_SLEEP, |due| due.saturating_sub(now).min(MAX_SLEEP));
            if sleep > 0 {
                let [woken] = sys::wait_readable([self.wake.raw()], Duration::from_micros(sleep));
                if woken {
                    self.wake.clear();
                }
            }
            self.shard.set_clock(WallClock::new(sys::monotonic_micros(), sys::ntp_now()));
        }
    }

    /// Sends what is due, a few groups at most; returns when the next one is, perhaps now.
    fn serve(&mut self) -> Option<Micros> {
        for _ in 0..GROUPS_AT_ONCE {
            let now = sys::monotonic_micros();
            let all_taken = self.take_input(now);
            if let Some(planned) = self.planned.filter(|planned| *planned <= now) {
                publish(&self.counters.send_lag_us_now, now - planned);
                for lag in &self.lags {
                    lag.fetch_max(now - planned, Relaxed);
                }
            }
            self.planned = self.shard.poll(now, &mut self.batch);
            if !all_taken {
                return Some(now);
            }
            if self.planned.is_none_or(|due| due > now) {
                break;
            }
        }
        self.planned
    }

    /// Takes commands and packets; false when more commands wait.
    fn take_input(&mut self, now: Micros) -> bool {
        for _ in 0..COMMANDS_AT_ONCE {
            let Ok(message) = self.commands.pop() else { break };
            match message {
                ToSender::Command(command) => self.shard.handle_command(command, now),
                ToSender::Sent(session, reply) => drop(reply.send(self.shard.sent(session))),
                ToSender::Flush(reply) => {
                    let _ = reply.send(());
                }
            }
        }
        for packets in &mut self.packets {
            while let Ok(packet) = packets.peek() {
                self.shard.handle_packet(packet, now);
                // The slot is given back without copying the packet once more.
                let _ = packets.read_chunk(1).map(rtrb::chunks::ReadChunk::commit_all);
            }
        }
        self.commands.is_empty()
    }

    fn publish(&mut self) {
        for session in self.shard.take_failed() {
            // A full mailbox keeps the session until its consent expires; its listener here is gone either way.
            drop(self.packet_thread.send(ToPacket::ListenerFailed(session)));
        }
        let totals = self.shard.counters();
        publish_share(&self.counters.listener_packets_out, totals.packets, &mut self.told.0[0]);
        publish_share(&self.counters.overload_drops, totals.overload_drops, &mut self.told.0[1]);
        publish_share(&self.counters.seal_errors, totals.seal_errors, &mut self.told.0[2]);
        publish_sent(&self.counters, &self.batch, &mut self.told.1);
    }
}
