//! The programme thread: runs the channels' mixers and playout buffers on time, whatever Python does meanwhile.

use crate::counters::{Counters, publish};
use crate::messages::{Exports, PacketRing, Pushes, Speech, ToProgramme};
use crate::sys::{self, EventFd};
use majlis_core::fanout::ProgrammePacket;
use majlis_core::{ChannelId, Micros, WallClock};
use majlis_mix::Mixer;
use majlis_programme::{Output, Programme, RtpIn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Longest sleep: microphone packets of stages that nobody hears are thrown away that often.
const MAX_SLEEP: Micros = 50_000;

/// Where packets and frames go.
pub struct ProgrammeOutlets {
    /// A ring and a wake-up for each sender thread.
    pub senders: Vec<(PacketRing, Arc<EventFd>)>,
    /// Frames for Python to publish.
    pub exports: Arc<Exports>,
    /// What operators watch.
    pub counters: Arc<Counters>,
}

impl Output for ProgrammeOutlets {
    fn packet(&mut self, packet: &ProgrammePacket) {
        for (ring, wake) in &mut self.senders {
            if ring.push(packet.clone()).is_err() {
                self.counters.programme_packets_lost.fetch_add(1, Relaxed);
            }
            wake.signal();
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

/// The programme thread's whole state.
pub struct ProgrammeThread {
    /// The channels.
    pub programme: Programme<Mixer>,
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
}

impl ProgrammeThread {
    /// Serves until told to stop.
    pub fn run(mut self) {
        while !self.stop.load(Relaxed) {
            let now = sys::monotonic_micros();
            self.programme.set_clock(WallClock::new(now, sys::ntp_now()));
            self.take_input(now);
            let due = self.programme.poll(now, &mut self.out);
            self.publish();
            let now = sys::monotonic_micros();
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

    fn take_input(&mut self, now: Micros) {
        while let Ok(message) = self.commands.pop() {
            match message {
                ToProgramme::Command(command) => self.programme.handle_command(command, now, &mut self.out),
                ToProgramme::Fact(fact) => self.programme.handle_fact(fact, now),
                ToProgramme::Dump(reply) => {
                    drop(reply.send(format!(r#""channels":[{}]"#, self.programme.dump().join(","))))
                }
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
            self.programme.handle_speech(speech.stage, speech.member, packet, speech.arrival);
            let _ = self.speech.read_chunk(1).map(rtrb::chunks::ReadChunk::commit_all);
        }
        for _ in 0..self.pushes.capacity() {
            let Some((channel, frame, arrival)) = self.pushes.take() else { break };
            self.programme.handle_push(channel, frame, arrival);
        }
    }

    fn publish(&self) {
        let (counters, totals) = (&self.out.counters, self.programme.counters());
        publish(&counters.programme_frames, totals.frames);
        publish(&counters.frames_pushed, totals.pushed);
        publish(&counters.frames_refused, totals.refused);
        publish(&counters.frames_missing, totals.missing);
        publish(&counters.channels_failed, totals.failed);
        publish(&counters.mixers_now, totals.mixers);
        publish(&counters.playout_depth_ms_now, totals.depth_ms);
    }
}
