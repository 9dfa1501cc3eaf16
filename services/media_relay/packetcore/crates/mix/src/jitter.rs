//! Holds one speaker's packets until they are due: reorder, duplicates, wrap-around, restarts, and when to play.

use majlis_programme::delay::{Care, DelayEstimator};
use majlis_programme::{OpusPacket, RtpIn};
use std::collections::VecDeque;

/// Shortest and longest time a packet is held back beyond the fastest one, samples (20 and 200 ms).
pub const TARGET_LIMITS: (i64, i64) = (960, 9600);
/// Most packets kept for one speaker; at 2.5 ms each that is 320 ms, at 20 ms far more than is ever waited for.
const MAX_PACKETS: usize = 128;
/// Most sound kept, samples (1 s).
const MAX_SPAN: i64 = 48_000;
/// A timestamp this far from where the clock says it should be is another time line, samples (2 s).
const JUMP: i64 = 96_000;
/// Sequence numbers this far back are reordered packets, not a restart.
const REORDER: i64 = 500;
/// Nothing but late packets for this long means that the time line moved, samples (300 ms). A burst comes faster.
const LATE_RUN: i64 = 14_400;

/// What became of a packet handed to [`JitterBuffer::insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It waits to be played.
    Kept,
    /// Its time has passed; it will never be heard.
    Late,
    /// It was here before.
    Duplicate,
    /// Not an Opus packet.
    Malformed,
    /// The sender started anew: what was waiting is gone, this packet waits.
    Restarted,
}

/// A packet that waits.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Sequence number without wrap-around.
    pub sequence: i64,
    /// Timestamp without wrap-around, samples.
    pub timestamp: i64,
    /// Its duration, samples.
    pub samples: usize,
    /// The level that its sender states, -dBov.
    pub stated: Option<u8>,
    /// The Opus packet.
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    sequence: i64,
    timestamp: i64,
    arrival: i64,
}

/// One speaker's packets in playing order. Times are samples at 48 kHz of the mixer's clock.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    packets: VecDeque<Stored>,
    delay: DelayEstimator,
    newest: Option<Newest>,
    /// The source before this one and when it was left: its stragglers are not another restart.
    left: Option<(u32, i64)>,
    /// Everything before this timestamp has been played or passed over.
    floor: i64,
    /// When the first of the late packets in a row came.
    late_since: Option<i64>,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self {
            packets: VecDeque::new(),
            delay: DelayEstimator::new(TARGET_LIMITS, Care::TALK),
            newest: None,
            left: None,
            floor: i64::MIN,
            late_since: None,
        }
    }
}

impl JitterBuffer {
    /// Takes a packet that arrived at `now`; `idle` says that nothing of this speaker is being played.
    pub fn insert(&mut self, packet: RtpIn<'_>, now: i64, idle: bool) -> Inserted {
        let Ok(parsed) = OpusPacket::parse(packet.payload) else {
            return Inserted::Malformed;
        };
        if self.left.is_some_and(|(ssrc, at)| ssrc == packet.ssrc && now - at < JUMP) {
            return Inserted::Late;
        }
        let (sequence, timestamp, restarted) = self.unwrap(&packet, now);
        let stored = Stored {
            sequence,
            timestamp,
            samples: parsed.samples() as usize,
            stated: packet.level,
            payload: packet.payload.to_vec(),
        };
        if restarted {
            self.restart(packet.ssrc, now);
        }
        let outcome = self.place(stored, now, idle);
        self.note_newest(packet.ssrc, sequence, timestamp, now);
        match outcome {
            Inserted::Late if self.late_since.is_some_and(|since| now - since >= LATE_RUN) => {
                self.restart(packet.ssrc, now);
                Inserted::Restarted
            }
            Inserted::Kept if restarted => Inserted::Restarted,
            other => other,
        }
    }

    /// Continues the counters across wrap-around, or says that they started anew.
    fn unwrap(&self, packet: &RtpIn<'_>, now: i64) -> (i64, i64, bool) {
        let fresh = (i64::from(packet.sequence), i64::from(packet.timestamp), true);
        let Some(newest) = self.newest else {
            return fresh;
        };
        if newest.ssrc != packet.ssrc {
            return fresh;
        }
        let ahead = i64::from(packet.sequence.wrapping_sub(newest.sequence as u16) as i16);
        let step = i64::from(packet.timestamp.wrapping_sub(newest.timestamp as u32) as i32);
        let reordered = (-REORDER..=0).contains(&ahead);
        if !reordered && (step - (now - newest.arrival)).abs() > JUMP {
            return fresh;
        }
        (newest.sequence + ahead, newest.timestamp + step, false)
    }

    fn restart(&mut self, ssrc: u32, now: i64) {
        if let Some(newest) = self.newest.take().filter(|newest| newest.ssrc != ssrc) {
            self.left = Some((newest.ssrc, now));
        }
        self.packets.clear();
        self.delay.rebase();
        self.floor = i64::MIN;
        self.late_since = None;
    }

    fn note_newest(&mut self, ssrc: u32, sequence: i64, timestamp: i64, arrival: i64) {
        if self.newest.is_none_or(|newest| sequence > newest.sequence) {
            self.newest = Some(Newest { ssrc, sequence, timestamp, arrival });
        }
    }

    fn place(&mut self, stored: Stored, now: i64, idle: bool) -> Inserted {
        let at = self.packets.partition_point(|other| other.timestamp < stored.timestamp);
        if self.packets.get(at).is_some_and(|other| other.timestamp == stored.timestamp) {
            return Inserted::Duplicate;
        }
        let late = self.delay.observe(now, stored.timestamp);
        if idle && self.packets.is_empty() && late > TARGET_LIMITS.1 {
            // A sender whose timestamps stood still while it was silent: nobody waits for the old time line.
            self.delay.rebase();
            self.delay.observe(now, stored.timestamp);
        }
        if stored.timestamp < self.floor {
            self.late_since.get_or_insert(now);
            return Inserted::Late;
        }
        self.late_since = None;
        self.packets.insert(at, stored);
        while self.packets.len() > MAX_PACKETS || self.span() > MAX_SPAN {
            self.packets.pop_front();
        }
        Inserted::Kept
    }

    fn span(&self) -> i64 {
        match (self.packets.front(), self.packets.back()) {
            (Some(first), Some(last)) => last.timestamp - first.timestamp,
            _ => 0,
        }
    }

    /// The next packet, without taking it.
    pub fn front(&self) -> Option<&Stored> {
        self.packets.front()
    }

    /// Takes the next packet; everything before its end counts as played.
    pub fn pop(&mut self) -> Option<Stored> {
        let packet = self.packets.pop_front()?;
        self.pass(packet.timestamp + packet.samples as i64);
        Some(packet)
    }

    /// Nothing before `timestamp` will be played any more; drops what waits from before it.
    pub fn pass(&mut self, timestamp: i64) {
        self.floor = self.floor.max(timestamp);
        while self.packets.front().is_some_and(|packet| packet.timestamp < self.floor) {
            self.packets.pop_front();
        }
    }

    /// Nothing that came so far will be played.
    pub fn discard(&mut self) {
        if let Some(newest) = self.newest {
            self.pass(newest.timestamp + 1);
        }
    }

    /// When the sample with `timestamp` should be heard.
    pub fn due(&self, timestamp: i64) -> i64 {
        timestamp + self.delay.base().unwrap_or(0) + self.delay.target()
    }

    /// How long packets are held back beyond the fastest one, samples.
    pub fn target(&self) -> i64 {
        self.delay.target()
    }

    /// Timestamp of the packet whose time to be heard, `lead` samples late, has come last; none when none has come.
    pub fn newest_due(&self, now: i64, lead: i64) -> Option<i64> {
        self.packets.iter().map(|packet| packet.timestamp).take_while(|first| self.due(first + lead) <= now).last()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
