//! Redundant audio (RFC 2198): builds payloads that carry the packets before, and takes such payloads apart.

use crate::repacketise::{MAX_PACKET_PAYLOAD, MediaPacket};
use thiserror::Error;

/// Most earlier packets one payload repeats.
pub const MAX_DEPTH: usize = 2;
/// Most blocks a received payload may have, the primary included; browsers hold to the same bound.
pub const MAX_BLOCKS: usize = 32;
/// Largest distance and length a redundant block's header can say (RFC 2198 §3).
const MAX_OFFSET: u32 = (1 << 14) - 1;
const MAX_BLOCK: usize = (1 << 10) - 1;
/// Most bytes a payload may grow to by repetition; beyond, a datagram would outgrow common paths.
const MAX_RED: usize = 1100;

/// Why bytes are not a redundant payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedError {
    /// A header or a block runs past the end.
    #[error("a redundant payload is cut short")]
    Truncated,
    /// More blocks than [`MAX_BLOCKS`].
    #[error("a redundant payload has more than 32 blocks")]
    TooManyBlocks,
}

/// One block of a redundant payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedBlock<'a> {
    /// Payload type of its coding.
    pub payload_type: u8,
    /// How much earlier than the packet's timestamp it plays, samples; 0 for the primary.
    pub offset: u32,
    /// The coded sound.
    pub payload: &'a [u8],
}

/// Calls `each` with the blocks of a redundant payload, oldest as sent first and the primary last; refuses the whole
/// payload before the first call when anything is malformed.
pub fn parse_red<'a>(bytes: &'a [u8], mut each: impl FnMut(RedBlock<'a>)) -> Result<(), RedError> {
    let mut headers = [(0u8, 0u32, 0usize); MAX_BLOCKS];
    let (mut count, mut rest) = (0, bytes);
    let primary_type = loop {
        match rest {
            [head, tail @ ..] if head & 0x80 == 0 => {
                rest = tail;
                break head & 0x7f;
            }
            [head, a, b, c, tail @ ..] => {
                let word = u32::from_be_bytes([0, *a, *b, *c]);
                let slot = headers[..MAX_BLOCKS - 1].get_mut(count).ok_or(RedError::TooManyBlocks)?;
                *slot = (head & 0x7f, word >> 10, (word & 0x3ff) as usize);
                count += 1;
                rest = tail;
            }
            _ => return Err(RedError::Truncated),
        }
    };
    let redundant: usize = headers[..count].iter().map(|(_, _, len)| len).sum();
    if redundant > rest.len() {
        return Err(RedError::Truncated);
    }
    for (payload_type, offset, len) in &headers[..count] {
        let (payload, tail) = rest.split_at(*len);
        each(RedBlock { payload_type: *payload_type, offset: *offset, payload });
        rest = tail;
    }
    each(RedBlock { payload_type: primary_type, offset: 0, payload: rest });
    Ok(())
}

#[derive(Clone, Copy)]
struct Past {
    stream: u32,
    timestamp: u32,
    payload: [u8; MAX_PACKET_PAYLOAD],
    len: usize,
}

/// The packets just sent on one channel at one packet length, kept for the next payload's redundancy.
#[derive(Default)]
pub struct RedHistory {
    past: [Option<Box<Past>>; MAX_DEPTH],
}

impl RedHistory {
    /// Writes the redundant payload of `packet` into `out` (cleared first): up to `depth` earlier packets, then the
    /// packet itself, all of `payload_type`. A packet too far back, too long or of another mixer is left out.
    pub fn wrap(&self, packet: &MediaPacket, payload_type: u8, depth: usize, out: &mut Vec<u8>) {
        out.clear();
        let primary = packet.payload();
        let mut size = 1 + primary.len();
        let mut chosen: [Option<(&Past, u32)>; MAX_DEPTH] = [None; MAX_DEPTH];
        for (slot, past) in chosen.iter_mut().zip(self.past.iter().flatten()).take(depth) {
            let offset = packet.timestamp.wrapping_sub(past.timestamp);
            let fits = past.len <= MAX_BLOCK && size + 4 + past.len <= MAX_RED;
            if past.stream != packet.stream || offset == 0 || offset > MAX_OFFSET || !fits {
                break;
            }
            size += 4 + past.len;
            *slot = Some((past, offset));
        }
        for (past, offset) in chosen.iter().rev().flatten() {
            let word = (0x80 | u32::from(payload_type & 0x7f)) << 24 | offset << 10 | past.len as u32;
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.push(payload_type & 0x7f);
        for (past, _) in chosen.iter().rev().flatten() {
            out.extend_from_slice(&past.payload[..past.len]);
        }
        out.extend_from_slice(primary);
    }

    /// Keeps `packet` for the payloads after it; call it once for each packet, after wrapping.
    pub fn remember(&mut self, packet: &MediaPacket) {
        self.past.rotate_right(1);
        let slot = self.past[0].get_or_insert_with(|| {
            Box::new(Past { stream: 0, timestamp: 0, payload: [0; MAX_PACKET_PAYLOAD], len: 0 })
        });
        slot.stream = packet.stream;
        slot.timestamp = packet.timestamp;
        slot.len = packet.payload().len();
        slot.payload[..slot.len].copy_from_slice(packet.payload());
    }
}
