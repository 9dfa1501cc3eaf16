//! Sound that comes over a stream, in lumps and behind stalls, put back on the time line of its own timestamps.
//!
//! A packet is given out at its timestamp and an offset. The offset is what the latest of the last seconds needed: it
//! grows at once where one comes too late, and falls slowly where all come early. What would need more than
//! [`MOST_DELAY`] beyond the quickest is not said any more: who speaks over a stalled line goes on with what they say now.

use crate::types::{Micros, SECOND};
use std::collections::VecDeque;

/// Most that is waited for late packets, beyond the way of the quickest.
pub const MOST_DELAY: i64 = SECOND as i64;
/// Most sound that may wait here, samples.
pub const MOST_WAITING: i64 = 2 * 48_000;
/// The same in packets, and in bytes.
pub const MOST_PACKETS: usize = 256;
const MOST_BYTES: usize = 64 * 1024;
/// What is waited at first, before anything is known of the line.
const FIRST_DELAY: i64 = 40_000;
/// A packet that came too late puts the line so much behind it.
const MARGIN: i64 = 10_000;
/// What the offset falls with each packet while all come early.
const STEP: i64 = 1_000;
/// How long the latest and the quickest are remembered, at least; at most twice as long.
const REMEMBERED: Micros = 4 * SECOND;
/// A packet so far ahead of its time is the beginning of another time line.
const LEAP: i64 = 2 * SECOND as i64;
/// A line whose packets are all too late for so long is another one too.
const LOST_FOR: Micros = SECOND;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its time.
    Waits,
    /// Too late, or said before.
    Late,
    /// It begins another time line sooner than one may after the last.
    Leaps,
}

/// A packet whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Counts packets, those that were too late included.
    pub index: u64,
    /// Which time line of the source it is on, from 1.
    pub line: u32,
    /// As its sender wrote it.
    pub timestamp: u32,
    /// The Opus packet.
    pub payload: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    at: i64,
    due: Due,
}

/// The extremes of what packets took on their way.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    least: i64,
    most: i64,
}

#[derive(Debug)]
struct Line {
    /// The newest timestamp, without its wraps.
    newest: i64,
    offset: i64,
    now: Extremes,
    before: Extremes,
    turned_at: Micros,
    began_at: Micros,
    late_since: Option<Micros>,
}

impl Line {
    fn new(at: i64, transit: i64, now: Micros) -> Self {
        let only = Extremes { least: transit, most: transit };
        Self {
            newest: at - 1,
            offset: transit + FIRST_DELAY,
            now: only,
            before: only,
            turned_at: now,
            began_at: now,
            late_since: None,
        }
    }

    fn least(&self) -> i64 {
        self.now.least.min(self.before.least)
    }

    fn note(&mut self, transit: i64, now: Micros) {
        if now.saturating_sub(self.turned_at) >= REMEMBERED {
            self.before = std::mem::replace(&mut self.now, Extremes { least: transit, most: transit });
            self.turned_at = now;
        }
        self.now.least = self.now.least.min(transit);
        self.now.most = self.now.most.max(transit);
        if transit > self.offset {
            self.offset = transit + MARGIN;
        } else if self.offset > self.now.most.max(self.before.most) + 2 * MARGIN {
            self.offset -= STEP;
        }
    }
}

/// One speaker's packets.
#[derive(Debug, Default)]
pub struct Pacer {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    line: Option<Line>,
    lines: u32,
    index: u64,
}

impl Pacer {
    /// Takes a packet that has just come.
    pub fn put(&mut self, timestamp: u32, payload: Vec<u8>, now: Micros) -> Taken {
        self.index += 1;
        let at = self.line.as_ref().map_or(i64::from(timestamp), |line| unwrapped(timestamp, line.newest));
        let transit = now.cast_signed() - micros(at);
        let (at, transit) = match self.judge(at, transit, now) {
            Ok(true) => (at, transit),
            Ok(false) => {
                self.begin(i64::from(timestamp), now);
                (i64::from(timestamp), now.cast_signed() - micros(i64::from(timestamp)))
            }
            Err(why) => return why,
        };
        let Some(line) = &mut self.line else { return Taken::Late };
        line.late_since = None;
        line.newest = at;
        line.note(transit, now);
        self.bytes += payload.len();
        let due = Due { index: self.index, line: self.lines, timestamp, payload };
        self.waiting.push_back(Waiting { at, due });
        while self.is_overfull(at) {
            self.drop_oldest();
        }
        Taken::Waits
    }

    /// Whether a packet goes on with the line (or begins another one), or why it does not.
    fn judge(&mut self, at: i64, transit: i64, now: Micros) -> Result<bool, Taken> {
        let Some(line) = &mut self.line else { return Ok(false) };
        let may_begin = now.saturating_sub(line.began_at) >= SECOND;
        if transit < line.least() - LEAP {
            return if may_begin { Ok(false) } else { Err(Taken::Leaps) };
        }
        if at > line.newest && transit <= line.least() + MOST_DELAY {
            return Ok(true);
        }
        let since = *line.late_since.get_or_insert(now);
        if now.saturating_sub(since) >= LOST_FOR && may_begin { Ok(false) } else { Err(Taken::Late) }
    }

    fn begin(&mut self, at: i64, now: Micros) {
        self.forget_waiting();
        self.lines += 1;
        self.line = Some(Line::new(at, now.cast_signed() - micros(at), now));
    }

    fn is_overfull(&self, newest: i64) -> bool {
        let too_long = self.waiting.front().is_some_and(|first| newest - first.at > MOST_WAITING);
        too_long || self.waiting.len() > MOST_PACKETS || self.bytes > MOST_BYTES
    }

    fn drop_oldest(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.bytes -= first.due.payload.len();
        Some(first)
    }

    /// Nothing that waits is said any more.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    /// When the next packet is due.
    pub fn due_at(&self) -> Option<Micros> {
        let (first, line) = (self.waiting.front()?, self.line.as_ref()?);
        Some((micros(first.at) + line.offset).max(0).cast_unsigned())
    }

    /// The next packet, if its time has come.
    pub fn take(&mut self, now: Micros) -> Option<Due> {
        if self.due_at()? > now {
            return None;
        }
        self.drop_oldest().map(|first| first.due)
    }
}

/// Samples at 48 kHz as microseconds.
fn micros(samples: i64) -> i64 {
    samples * 125 / 6
}

/// The timestamp next to another one, without its wraps.
fn unwrapped(timestamp: u32, near: i64) -> i64 {
    near + i64::from(timestamp.wrapping_sub(near as u32).cast_signed())
}
