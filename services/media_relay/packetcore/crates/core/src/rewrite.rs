//! Makes packets of changing sources one continuous stream: sequence numbers, timestamps, marker.

use crate::srtp::{PacketIndex, SendStream};
use crate::types::Micros;

/// A jump of the source's sequence beyond this is a restart of the source, not loss.
const MAX_GAP: u64 = 3000;
/// Samples in 20 ms at 48 kHz.
const FRAME: u32 = 960;

/// Maps (source, its index, its timestamp) onto one outgoing stream.
///
/// Within a source gaps are kept, so that the receiver sees loss as loss. Across sources the sequence continues without
/// a gap and the timestamp by the time that has passed.
#[derive(Debug, Clone, Default)]
pub struct Rewriter {
    source: Option<u64>,
    /// First and newest index of the source since it was taken on.
    base: u64,
    newest: u64,
    index_offset: i64,
    timestamp_offset: u32,
    last: Option<(u32, Micros)>,
}

/// Where a packet goes in the outgoing stream.
#[derive(Debug)]
pub struct Placed {
    /// The right to seal it.
    pub index: PacketIndex,
    /// Outgoing timestamp.
    pub timestamp: u32,
    /// The source changed: the first packet of a spurt for this receiver.
    pub is_start: bool,
}

impl Rewriter {
    /// A stream whose first timestamp is `timestamp` (random, RFC 3550 §5.1).
    pub fn new(timestamp: u32) -> Self {
        Self { timestamp_offset: timestamp, ..Self::default() }
    }

    /// Forgets the source: the next packet continues the stream even when its index is far away.
    pub fn detach(&mut self) {
        self.source = None;
    }

    /// The outgoing timestamp of the newest packet and when it was placed.
    pub fn last(&self) -> Option<(u32, Micros)> {
        self.last
    }

    /// Places a packet; None when it is too old, or its index was used.
    pub fn place(
        &mut self,
        stream: &mut SendStream,
        source: u64,
        index: u64,
        timestamp: u32,
        now: Micros,
    ) -> Option<Placed> {
        let is_start = self.source != Some(source) || index.abs_diff(self.newest) > MAX_GAP;
        if is_start {
            self.take_on(stream, source, index, timestamp, now);
        } else if index < self.base {
            return None;
        }
        let out = u64::try_from(i64::try_from(index).ok()? + self.index_offset).ok()?;
        let claimed = stream.claim(out)?;
        let timestamp = timestamp.wrapping_add(self.timestamp_offset);
        if index >= self.newest {
            self.newest = index;
            self.last = Some((timestamp, now));
        }
        Some(Placed { index: claimed, timestamp, is_start })
    }

    fn take_on(&mut self, stream: &SendStream, source: u64, index: u64, timestamp: u32, now: Micros) {
        self.source = Some(source);
        self.base = index;
        self.newest = index;
        self.index_offset = stream.next_index().cast_signed() - index.cast_signed();
        let wanted = match self.last {
            Some((last, at)) => last.wrapping_add(FRAME.max(samples_between(at, now))),
            None => self.timestamp_offset,
        };
        self.timestamp_offset = wanted.wrapping_sub(timestamp);
    }
}

/// Whole frames, so that a receiver's frame grid stays where it was.
fn samples_between(from: Micros, to: Micros) -> u32 {
    let samples = to.saturating_sub(from).wrapping_mul(48) / 1000;
    (samples as u32 / FRAME) * FRAME
}
