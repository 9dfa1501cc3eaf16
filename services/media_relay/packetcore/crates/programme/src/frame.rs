//! The programme frame: one Opus frame of one programme channel as it travels between relays and gateways.
//!
//! Wire form, version 1, all integers big-endian:
//!
//! ```text
//!  0      version (high 4 bits) | flags (low 4 bits: 1 = first frame of a talk, 2 = closing frame)
//!  1      audio level, -dBov 0..=127 (as RFC 6464)
//!  2      number of CSRCs, 0..=8
//!  3      reserved, zero
//!  4..8   stream: a new mixer instance has a new one
//!  8..12  sequence: one more per frame sent
//! 12..16  timestamp of the first sample, 48 kHz; advances through silence
//! 16..24  capture time of the first sample, NTP 32.32
//! 24..    CSRCs (member numbers, loudest first), then the Opus packet (1..=400 bytes)
//! ```

use thiserror::Error;

/// The only wire version this build speaks.
pub const VERSION: u8 = 1;
/// Bytes before the CSRC list.
pub const HEADER_LEN: usize = 24;
/// Most speakers named in one frame.
pub const MAX_CSRCS: usize = 8;
/// Longest Opus packet a frame carries, bytes.
pub const MAX_PAYLOAD: usize = 400;
/// Longest encoded frame, bytes.
pub const MAX_FRAME: usize = HEADER_LEN + 4 * MAX_CSRCS + MAX_PAYLOAD;
/// Samples in a programme frame (20 ms at 48 kHz).
pub const FRAME_SAMPLES: u32 = 960;
/// Samples in a frame of a thrifty programme (60 ms).
pub const THRIFT_SAMPLES: u32 = 3 * FRAME_SAMPLES;

const FLAG_START: u8 = 1;
const FLAG_END: u8 = 2;

/// Why bytes are not a programme frame, or a frame cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Fewer bytes than the header and its CSRCs need.
    #[error("programme frame is cut short at {0} bytes")]
    Truncated(usize),
    /// A version this build does not speak.
    #[error("programme frame has unknown version {0}")]
    Version(u8),
    /// Reserved bits set, or a level above 127.
    #[error("programme frame sets reserved bits")]
    Reserved,
    /// More CSRCs than [`MAX_CSRCS`].
    #[error("programme frame names {0} speakers, at most 8 are allowed")]
    TooManyCsrcs(usize),
    /// No Opus packet, or one longer than [`MAX_PAYLOAD`].
    #[error("programme frame has an Opus packet of {0} bytes, 1 to 400 are allowed")]
    PayloadLength(usize),
}

/// Up to [`MAX_CSRCS`] member numbers, kept inline so that a frame can be copied between threads without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Csrcs {
    items: [u32; MAX_CSRCS],
    len: u8,
}

impl Csrcs {
    /// Takes the first [`MAX_CSRCS`] of `members`.
    pub fn from_loudest(members: impl IntoIterator<Item = u32>) -> Self {
        let mut list = Self::default();
        for member in members.into_iter().take(MAX_CSRCS) {
            list.items[usize::from(list.len)] = member;
            list.len += 1;
        }
        list
    }

    /// The member numbers, loudest first.
    pub fn as_slice(&self) -> &[u32] {
        &self.items[..usize::from(self.len)]
    }
}

/// An Opus packet of 1 to [`MAX_PAYLOAD`] bytes, kept inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    bytes: [u8; MAX_PAYLOAD],
    len: u16,
}

impl Payload {
    /// Copies `bytes`; refuses an empty or too long packet.
    pub fn new(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.is_empty() || bytes.len() > MAX_PAYLOAD {
            return Err(FrameError::PayloadLength(bytes.len()));
        }
        let mut payload = Self { bytes: [0; MAX_PAYLOAD], len: bytes.len() as u16 };
        payload.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(payload)
    }

    /// The Opus packet.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Payload({} bytes)", self.len)
    }
}

/// One 20 ms frame of a programme channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgrammeFrame {
    /// First frame after silence: the RTP marker bit.
    pub start_of_talk: bool,
    /// A closing DTX frame: nothing may follow for a while, and that is not loss.
    pub end_of_talk: bool,
    /// Level of this frame in -dBov, 0 (loudest) to 127 (silence).
    pub level: u8,
    /// Which mixer instance made it.
    pub stream: u32,
    /// One more than the frame sent before, wrapping.
    pub sequence: u32,
    /// 48 kHz time of the first sample, wrapping.
    pub timestamp: u32,
    /// When the first sample left the mix, NTP 32.32.
    pub capture_ntp: u64,
    /// Who speaks, loudest first.
    pub csrcs: Csrcs,
    /// The Opus packet.
    pub payload: Payload,
}

impl ProgrammeFrame {
    /// Length of the wire form, bytes.
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + 4 * self.csrcs.as_slice().len() + self.payload.as_slice().len()
    }

    /// Appends the wire form to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let flags = if self.start_of_talk { FLAG_START } else { 0 } | if self.end_of_talk { FLAG_END } else { 0 };
        out.reserve(self.encoded_len());
        out.extend_from_slice(&[VERSION << 4 | flags, self.level.min(127), self.csrcs.len, 0]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.capture_ntp.to_be_bytes());
        for member in self.csrcs.as_slice() {
            out.extend_from_slice(&member.to_be_bytes());
        }
        out.extend_from_slice(self.payload.as_slice());
    }

    /// The wire form in a new vector.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out
    }

    /// Reads the wire form; every limit is checked and nothing panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let cut = FrameError::Truncated(bytes.len());
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(cut)?;
        if header[0] >> 4 != VERSION {
            return Err(FrameError::Version(header[0] >> 4));
        }
        let flags = header[0] & 0x0f;
        if flags & !(FLAG_START | FLAG_END) != 0 || header[1] > 127 || header[3] != 0 {
            return Err(FrameError::Reserved);
        }
        let count = usize::from(header[2]);
        if count > MAX_CSRCS {
            return Err(FrameError::TooManyCsrcs(count));
        }
        let (list, payload) = rest.split_at_checked(4 * count).ok_or(cut)?;
        Ok(Self {
            start_of_talk: flags & FLAG_START != 0,
            end_of_talk: flags & FLAG_END != 0,
            level: header[1],
            stream: word(header, 4),
            sequence: word(header, 8),
            timestamp: word(header, 12),
            capture_ntp: u64::from(word(header, 16)) << 32 | u64::from(word(header, 20)),
            csrcs: Csrcs::from_loudest(list.as_chunks::<4>().0.iter().map(|chunk| u32::from_be_bytes(*chunk))),
            payload: Payload::new(payload)?,
        })
    }
}

fn word(header: &[u8; HEADER_LEN], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
