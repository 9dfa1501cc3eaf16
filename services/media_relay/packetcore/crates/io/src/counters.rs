//! The numbers operators watch: written by the threads that own them, read by anyone, under the names listed here.

use crate::sys::{CpuClock, cores_of_this_thread};
use crate::tcp_connections::Closed;
use majlis_core::Micros;
use majlis_core::endpoint::DropReason;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since start; names ending in `_now` are gauges.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
            /// Dropped datagrams by [`DropReason`], named `dropped_<reason>`.
            pub dropped: [AtomicU64; DropReason::ALL.len()],
            /// Closed TCP connections by [`Closed`], named `tcp_closed_<reason>`.
            pub tcp_closed: [AtomicU64; Closed::ALL.len()],
            /// What playout buffers held the last frames.
            pub holds: Holds,
            programmes: Mutex<BTreeMap<usize, ProgrammeGauges>>,
            clocks: Mutex<Vec<(String, CpuClock, u64)>>,
        }

        impl Counters {
            fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Datagrams received.
    packets_in,
    /// Datagrams the system took from us, of every kind.
    packets_out,
    /// Their bytes, without IP and UDP headers.
    bytes_out,
    /// RTP packets to listeners.
    listener_packets_out,
    /// RTP packets to people on stage.
    stage_packets_out,
    /// STUN answers.
    stun_replies,
    /// RTCP compounds read.
    reports_in,
    /// Sessions that expired.
    sessions_expired,
    /// Sessions closed after a panic.
    sessions_failed,
    /// Listener packets not built because a sender thread was overloaded.
    overload_drops,
    /// Datagrams given up because the send buffer stayed full.
    send_buffer_drops,
    /// Datagrams the system refused, for these three causes or another.
    send_errors,
    /// Datagrams too long for the way out of this machine.
    send_errors_too_long,
    /// Datagrams to where no way leads.
    send_errors_unreachable,
    /// Datagrams that a filter of this machine forbids.
    send_errors_forbidden,
    /// Packets that could not be sealed.
    seal_errors,
    /// TCP connections taken.
    tcp_connections_accepted,
    /// Times that one could not be taken.
    tcp_accept_errors,
    /// TCP connections now.
    tcp_connections_now,
    /// Sessions whose media goes over one of them.
    tcp_sessions_now,
    /// Of those, listeners.
    tcp_listeners_now,
    /// Datagrams that came by TCP.
    tcp_frames_in,
    /// Those of a connection that sent too many.
    tcp_frames_policed,
    /// Datagrams that the system took from us whole for TCP connections.
    tcp_frames_out,
    /// Bytes that it took of them, which are among those out.
    tcp_bytes_out,
    /// Datagrams given up because their connection was slow: its listener was taken forward to now.
    tcp_frames_skipped,
    /// Datagrams for connections that were closed.
    tcp_frames_nowhere,
    /// Datagrams lost between threads, because one of them was behind.
    tcp_frames_lost,
    /// Commands lost between threads; above zero is a bug or a stalled thread.
    commands_lost,
    /// Programme frames mixed or played out here.
    programme_frames,
    /// Of those, a lone speaker's own packets, neither decoded nor encoded.
    frames_passed,
    /// Times that a speaker's own packets took the mixer's place.
    seams_to_passing,
    /// Times that the mixer took the place of a speaker's own packets.
    seams_to_mixing,
    /// Programme packets lost because a sender thread did not take them.
    programme_packets_lost,
    /// Exported frames lost because Python did not take them.
    export_frames_lost,
    /// Frames pushed from outside.
    frames_pushed,
    /// Of those, too late, duplicate, or of a replaced mixer.
    frames_refused,
    /// Frames missing upstream, by sequence.
    frames_missing,
    /// Frames that left a playout buffer.
    playout_frames,
    /// How long playout buffers held them all together, µs.
    playout_held_us,
    /// Microphone packets lost on their way to the mixer.
    mixer_input_lost,
    /// Channels whose mixer panicked and was replaced.
    channels_failed,
    /// Threads of the core.
    threads_now,
    /// Those of them that the system lets run ahead of all ordinary work.
    real_time_threads_now,
    /// Sessions.
    sessions_now,
    /// Sessions that are nominated and keyed.
    connected_now,
    /// Stage sessions.
    stage_sessions_now,
    /// Listeners.
    listeners_now,
    /// Listeners that get RED.
    red_listeners_now,
    /// Sessions that have reported what they receive.
    reporting_now,
    /// Mean loss over those, parts per million.
    loss_ppm_now,
    /// Mean jitter over those, µs.
    jitter_us_now,
    /// Mean round trip over those, µs.
    round_trip_us_now,
    /// Running mixers.
    mixers_now,
    /// Deepest playout buffer of a remote channel, ms.
    playout_depth_ms_now,
    /// How hard the encoders of the busiest programme thread work, 0 to 10.
    encoder_complexity_now,
    /// Share of its time that the busiest programme thread worked lately, parts per million.
    programme_busy_ppm_now,
    /// Most that a frame of a programme thread was late lately, µs.
    programme_lag_us_now,
    /// Most a sender thread's last packet was behind its plan, µs.
    send_lag_us_now,
}

/// What a programme thread says of itself now and then.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProgrammeGauges {
    /// Running mixers.
    pub mixers: u64,
    /// Deepest playout buffer, ms.
    pub depth_ms: u64,
    /// How hard its encoders work.
    pub complexity: u64,
    /// Share of its time that it worked lately.
    pub busy_ppm: u64,
    /// Most that a frame was late lately, µs.
    pub lag_us: u64,
}

impl Counters {
    /// Puts together what the programme threads say; never waits, so that a word is left out while another is told.
    pub fn publish_programme(&self, at: usize, gauges: ProgrammeGauges) {
        let Ok(mut all) = self.programmes.try_lock() else { return };
        all.insert(at, gauges);
        let most = |of: fn(&ProgrammeGauges) -> u64| all.values().map(of).max().unwrap_or(0);
        publish(&self.mixers_now, all.values().map(|each| each.mixers).sum());
        publish(&self.playout_depth_ms_now, most(|each| each.depth_ms));
        publish(&self.encoder_complexity_now, all.values().map(|each| each.complexity).min().unwrap_or(0));
        publish(&self.programme_busy_ppm_now, most(|each| each.busy_ppm));
        publish(&self.programme_lag_us_now, most(|each| each.lag_us));
    }

    /// Registers the calling thread's CPU clock under `name`.
    pub fn watch_this_thread(&self, name: &str) {
        if let (Some(clock), Ok(mut clocks)) = (CpuClock::of_this_thread(), self.clocks.lock()) {
            clocks.push((name.to_owned(), clock, 0));
        }
    }

    /// CPU time of all threads of the core; none while somebody reads it.
    fn cpu_nanoseconds(&self) -> Option<u64> {
        let clocks = self.clocks.try_lock().ok()?;
        Some(clocks.iter().filter_map(|(_, clock, _)| clock.nanoseconds()).sum())
    }

    /// Everything by name; `cpu_nanoseconds_<thread>` beside the counters.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        let mut all: BTreeMap<String, u64> =
            self.named().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (reason, count) in DropReason::ALL.iter().zip(&self.dropped) {
            all.insert(format!("dropped_{}", reason.as_str()), count.load(Relaxed));
        }
        for (why, count) in Closed::ALL.iter().zip(&self.tcp_closed) {
            all.insert(format!("tcp_closed_{}", why.as_str()), count.load(Relaxed));
        }
        if let Ok(mut clocks) = self.clocks.lock() {
            for (name, clock, last) in clocks.iter_mut() {
                *last = clock.nanoseconds().unwrap_or(*last).max(*last);
                all.insert(format!("cpu_nanoseconds_{name}"), *last);
            }
        }
        all
    }
}

/// Share of the cores that the relay's threads may run on which they took lately.
#[derive(Debug, Default)]
pub struct RelayShare {
    /// When it was looked at, and CPU time of all threads by then, ns.
    before: Option<(Micros, u64)>,
    share: f64,
}

impl RelayShare {
    /// How often it is looked at.
    const EACH: Micros = 200_000;

    /// As it was a moment ago.
    pub fn look(&mut self, counters: &Counters, now: Micros) -> f64 {
        let due = self.before.is_none_or(|(at, _)| now.saturating_sub(at) >= Self::EACH);
        if let Some(spent) = due.then(|| counters.cpu_nanoseconds()).flatten()
            && let Some((at, earlier)) = self.before.replace((now, spent))
        {
            let cores = cores_of_this_thread() as f64;
            self.share = spent.saturating_sub(earlier) as f64 / 1000.0 / (now - at) as f64 / cores;
        }
        self.share
    }
}

/// The last frames that left playout buffers: capture time (NTP 32.32) and how long each was held, µs.
#[derive(Debug, Default)]
pub struct Holds(Mutex<VecDeque<(u64, Micros)>>);

impl Holds {
    /// More than a minute of one channel.
    const KEPT: usize = 4096;

    /// Notes a frame; never waits, so that a frame is left out while somebody reads.
    pub fn note(&self, capture_ntp: u64, held: Micros) {
        if let Ok(mut kept) = self.0.try_lock() {
            if kept.len() == Self::KEPT {
                kept.pop_front();
            }
            kept.push_back((capture_ntp, held));
        }
    }

    /// All that are kept, oldest first.
    pub fn recent(&self) -> Vec<(u64, Micros)> {
        self.0.lock().map(|kept| kept.iter().copied().collect()).unwrap_or_default()
    }
}

/// Publishes a total its owner keeps.
pub fn publish(counter: &AtomicU64, total: u64) {
    counter.store(total, Relaxed);
}

/// Adds what happened since the owner last told: for counters that several threads share.
pub fn publish_share(counter: &AtomicU64, total: u64, told: &mut u64) {
    counter.fetch_add(total - *told, Relaxed);
    *told = total;
}
