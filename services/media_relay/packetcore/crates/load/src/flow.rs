//! Frames that a listener has to make up, told from packet headers alone: cheap enough to be counted for everyone.

use crate::receive::ntp_difference_ms;
use crate::wire::RtpView;

/// Samples in a frame.
const FRAME: u32 = 960;
/// A frame this much later than the quickest one comes after its turn, ms.
const PATIENCE_MS: f64 = 100.0;
/// A sealed payload this short closes a talk: at most two bytes and a tag of 16 (RFC 7714).
const CLOSING: usize = 18;

/// One listener's stream.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// Sequence and timestamp after the newest packet, and whether it closed a talk.
    newest: Option<(u16, u32, bool)>,
    /// Samples in a packet, as far as is known.
    length: u32,
    quickest_ms: Option<f64>,
    /// Frames that never came.
    pub missing: u64,
    /// Frames that came too late.
    pub late: u64,
}

impl Flow {
    /// Takes a packet; `captured` and `arrival` are NTP 32.32.
    pub fn note(&mut self, packet: &RtpView<'_>, captured: Option<u64>, arrival: u64) {
        if let Some(captured) = captured {
            let delay = ntp_difference_ms(arrival, captured);
            let quickest = self.quickest_ms.map_or(delay, |quickest| quickest.min(delay));
            self.quickest_ms = Some(quickest);
            self.late += u64::from(delay - quickest > PATIENCE_MS);
        }
        let closes = packet.sealed <= CLOSING;
        let Some((sequence, timestamp, resting)) = self.newest else {
            self.newest = Some((packet.sequence, packet.timestamp, closes));
            return;
        };
        let packets = packet.sequence.wrapping_sub(sequence) as i16;
        let samples = packet.timestamp.wrapping_sub(timestamp);
        if packets <= 0 {
            // Came after a later one, in whose gap it was counted; a doubled one is rare enough to be let off too.
            self.missing = self.missing.saturating_sub(u64::from(self.length.max(FRAME) / FRAME));
            return;
        }
        if packets == 1 && samples > 0 && (self.length == 0 || samples < self.length) {
            self.length = samples;
        }
        let length = self.length.max(FRAME);
        // Between talks time may pass; within one each frame is owed.
        let gap = if packet.marker || resting { (packets as u32 - 1) * length } else { samples.saturating_sub(length) };
        self.missing += u64::from(gap / FRAME);
        self.newest = Some((packet.sequence, packet.timestamp, closes));
    }

    /// Counts from zero.
    pub fn begin_window(&mut self) {
        (self.missing, self.late, self.quickest_ms) = (0, 0, None);
    }
}
