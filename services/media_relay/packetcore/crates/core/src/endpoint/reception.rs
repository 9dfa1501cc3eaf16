//! Statistics of one received stream for receiver reports (RFC 3550 §6.4.1, appendix A).

use crate::rtcp::ReportBlock;
use crate::types::Micros;

/// One SSRC as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Reception {
    ssrc: u32,
    base: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Timestamp units times 16.
    jitter: u32,
    transit: Option<u32>,
    last_report: Option<(u32, Micros)>,
}

impl Reception {
    /// A stream that begins with `index`.
    pub fn new(ssrc: u32, index: u64) -> Self {
        Self {
            ssrc,
            base: index,
            highest: index,
            received: 0,
            expected_before: 0,
            received_before: 0,
            jitter: 0,
            transit: None,
            last_report: None,
        }
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet with its 48-bit index and timestamp (48 kHz).
    pub fn receive(&mut self, index: u64, timestamp: u32, now: Micros) {
        self.received += 1;
        self.highest = self.highest.max(index);
        let arrival = (u128::from(now) * 48 / 1000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit {
            let step = transit.wrapping_sub(before).cast_signed().unsigned_abs().min(48_000);
            self.jitter = self.jitter + step - ((self.jitter + 8) >> 4);
        }
        self.transit = Some(transit);
    }

    /// Remembers the sender's report for the round trip it will compute.
    pub fn sender_report(&mut self, ntp: u64, now: Micros) {
        self.last_report = Some(((ntp >> 16) as u32, now));
    }

    /// The block for the next receiver report; begins a new interval.
    pub fn report(&mut self, now: Micros) -> ReportBlock {
        let expected = (self.highest + 1).saturating_sub(self.base);
        let interval = expected - self.expected_before;
        let lost = interval.saturating_sub(self.received - self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let (last, delay) = match self.last_report {
            Some((middle, at)) => (middle, (u128::from(now.saturating_sub(at)) * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: (lost * 256).checked_div(interval).unwrap_or(0).min(255) as u8,
            total_lost: expected.cast_signed().saturating_sub(self.received.cast_signed()).clamp(-0x80_0000, 0x7f_ffff)
                as i32,
            highest_sequence: self.highest as u32,
            jitter: self.jitter >> 4,
            last_sender_report: last,
            delay,
        }
    }
}
