//! One audience session as a sender shard keeps it: key, format, and its place in the channel's stream.

use super::packet::{Body, MAX_RED, ProgrammePacket};
use crate::rewrite::Rewriter;
use crate::rtcp;
use crate::rtp::Header;
use crate::srtp::{SealKey, SendStream, SrtpError};
use crate::types::{MTU, Micros, Path, SECOND, SessionId, WallClock};

/// Sender reports go out this often.
const REPORT_INTERVAL: Micros = 5 * SECOND;

/// What an audience session negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerFormat {
    /// The one stream's SSRC.
    pub ssrc: u32,
    /// Opus.
    pub payload_type: u8,
    /// RFC 2198, when offered.
    pub red_payload_type: Option<u8>,
    /// Extension id of abs-capture-time, when offered.
    pub abs_capture_time_id: Option<u8>,
    /// Extension id of the audio level, when offered.
    pub level_extension_id: Option<u8>,
}

/// Random numbers a stream begins with (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStart {
    /// First sequence number; 15 bits of it are used.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
}

/// What was sent to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// RTP packets.
    pub packets: u64,
    /// RTP datagram bytes, SRTP overhead included.
    pub bytes: u64,
}

/// A listener of one channel.
pub struct Listener {
    /// Whose.
    pub session: SessionId,
    path: Option<Path>,
    paused: bool,
    red: u8,
    format: ListenerFormat,
    start: StreamStart,
    keyed: Option<(SealKey, SendStream)>,
    rewriter: Rewriter,
    report_at: Micros,
    sent: Sent,
    payload_bytes: u64,
}

impl Listener {
    /// A listener that is sent nothing until it has a key and a path.
    pub fn new(session: SessionId, format: ListenerFormat, start: StreamStart) -> Self {
        Self {
            session,
            path: None,
            paused: false,
            red: 0,
            format,
            start,
            keyed: None,
            rewriter: Rewriter::new(start.timestamp),
            report_at: 0,
            sent: Sent::default(),
            payload_bytes: 0,
        }
    }

    /// Takes the sending key, which nobody else has.
    pub fn set_key(&mut self, mut key: SealKey, now: Micros) -> Result<(), SrtpError> {
        let stream = key.open_stream(self.format.ssrc, self.start.sequence)?;
        self.keyed = Some((key, stream));
        // Spread over the interval by identity, so that a room's reports do not come in one burst.
        self.report_at = now + REPORT_INTERVAL / 10 + self.session.0.wrapping_mul(37_951) % REPORT_INTERVAL;
        Ok(())
    }

    /// Media goes to `path` from now on.
    pub fn set_path(&mut self, path: Path) {
        self.path = Some(path);
    }

    /// Pauses or resumes.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
        self.rewriter.detach();
    }

    /// The next packet continues the stream whatever its sequence number.
    pub fn leave_source(&mut self) {
        self.rewriter.detach();
    }

    /// How many earlier packets payloads repeat; without effect when RED was not offered.
    pub fn set_red(&mut self, depth: u8) {
        self.red = if self.format.red_payload_type.is_some() { depth.min(MAX_RED as u8) } else { 0 };
    }

    /// What was sent so far.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Writes the sealed packet into `buf`, which holds [`MTU`] bytes; None when this listener gets nothing now.
    pub fn build(&mut self, packet: &ProgrammePacket, now: Micros, buf: &mut [u8]) -> Option<usize> {
        let (key, stream) = self.keyed.as_mut()?;
        let placed = self.rewriter.place(stream, packet.channel.0, packet.sequence, packet.timestamp, now)?;
        let redundant = usize::from(self.red).checked_sub(1).and_then(|at| packet.red.get(at)).map(Body::as_slice);
        let (body, payload_type) = match (redundant, self.format.red_payload_type) {
            (Some(body), Some(red)) if !body.is_empty() => (body, red),
            _ => (packet.plain.as_slice(), self.format.payload_type),
        };
        let header = Header {
            marker: packet.marker || placed.is_start,
            payload_type,
            timestamp: placed.timestamp,
            csrcs: packet.csrcs(),
            level: self.format.level_extension_id.filter(|_| !packet.bare).map(|id| (id, packet.level)),
            capture_time: self.format.abs_capture_time_id.filter(|_| !packet.bare).map(|id| (id, packet.capture_ntp)),
        };
        let at = header.write(buf);
        let payload = &mut buf[at..at + body.len()];
        payload.copy_from_slice(body);
        if Some(payload_type) == self.format.red_payload_type {
            name_red_blocks(payload, self.format.payload_type);
        }
        let len = key.seal_rtp(placed.index, &mut buf[..MTU], at, at + body.len()).ok()?;
        self.sent.packets += 1;
        self.sent.bytes += len as u64;
        self.payload_bytes += body.len() as u64;
        Some(len)
    }

    /// Where to send now; None while paused or without key or address.
    pub fn destination(&self) -> Option<Path> {
        if self.paused || self.keyed.is_none() {
            return None;
        }
        self.path
    }

    /// A sealed sender report in `out` when one is due.
    pub fn report(&mut self, now: Micros, clock: &WallClock, cname: &str, out: &mut Vec<u8>) -> bool {
        if now < self.report_at {
            return false;
        }
        let (Some((key, stream)), Some((timestamp, at))) = (self.keyed.as_mut(), self.rewriter.last()) else {
            return false;
        };
        self.report_at = now + REPORT_INTERVAL;
        out.clear();
        let timestamp = timestamp.wrapping_add((now.saturating_sub(at) * 48 / 1000) as u32);
        let ssrc = stream.ssrc();
        rtcp::write_sender_report(
            out,
            ssrc,
            clock.ntp(now),
            timestamp,
            self.sent.packets as u32,
            self.payload_bytes as u32,
        );
        rtcp::write_cname(out, ssrc, cname);
        key.seal_rtcp(out).is_ok()
    }
}

/// The payload is shared, but what its blocks' coding is called differs by listener (RFC 2198 §3: the low seven bits
/// of each block header; the top bit says that another header follows).
fn name_red_blocks(payload: &mut [u8], payload_type: u8) {
    let mut at = 0;
    while let Some(head) = payload.get_mut(at) {
        let more = *head & 0x80;
        *head = more | payload_type & 0x7f;
        if more == 0 {
            return;
        }
        at += 4;
    }
}
