//! Sealing: a (key, SSRC, index) is used once, whatever happens above.
//!
//! The proof is in the types. A [`SealKey`] can be neither copied nor rebuilt from a session; it mints one
//! [`SendStream`] per SSRC; the stream mints each [`PacketIndex`] once; sealing consumes it.

use super::cipher::Cipher;
use super::kdf::{self, Use};
use super::{Profile, SrtpError};
use crate::replay::ReplayWindow;
use crate::rtp;

/// Indices are 48 bits: 32 of roll-over counter, 16 of sequence number.
pub const MAX_INDEX: u64 = (1 << 48) - 1;
const MAX_RTCP_INDEX: u32 = 0x7fff_ffff;

/// The sending keys of one session.
pub struct SealKey {
    rtp: Cipher,
    rtcp: Box<Cipher>,
    rtcp_index: u32,
    ssrcs: Vec<u32>,
}

/// The right to seal one packet.
#[derive(Debug)]
#[must_use = "an index that is not sealed leaves a gap the receiver takes for loss"]
pub struct PacketIndex {
    ssrc: u32,
    index: u64,
}

impl PacketIndex {
    /// The sequence number on the wire.
    pub fn sequence(&self) -> u16 {
        self.index as u16
    }

    /// Roll-over counter and sequence number.
    pub fn value(&self) -> u64 {
        self.index
    }
}

/// One outgoing SSRC under one key.
#[derive(Debug)]
pub struct SendStream {
    ssrc: u32,
    first: u64,
    used: ReplayWindow,
}

impl SendStream {
    /// The SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The index after the newest one used.
    pub fn next_index(&self) -> u64 {
        self.used.highest().map_or(self.first, |highest| highest + 1)
    }

    /// Takes `index`; None when it was taken before, is too old to know, precedes the first or exceeds 48 bits.
    pub fn claim(&mut self, index: u64) -> Option<PacketIndex> {
        if index < self.first || index > MAX_INDEX || !self.used.accept(index) {
            return None;
        }
        Some(PacketIndex { ssrc: self.ssrc, index })
    }

    /// Takes the next index.
    pub fn claim_next(&mut self) -> Option<PacketIndex> {
        self.claim(self.next_index())
    }
}

impl SealKey {
    /// Keys from the exported key followed by its salt.
    pub fn new(profile: Profile, master: &[u8]) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::new(profile, &kdf::derive(profile, master, Use::Rtp)?)?,
            rtcp: Box::new(Cipher::new(profile, &kdf::derive(profile, master, Use::Rtcp)?)?),
            rtcp_index: 0,
            ssrcs: Vec::new(),
        })
    }

    /// Opens the stream of an SSRC, once. `first` is cut to 15 bits, so that a receiver that misses the first packets
    /// cannot guess the roll-over counter wrong (RFC 3711 §3.3.1).
    pub fn open_stream(&mut self, ssrc: u32, first: u16) -> Result<SendStream, SrtpError> {
        if self.ssrcs.contains(&ssrc) {
            return Err(SrtpError::SsrcInUse);
        }
        self.ssrcs.push(ssrc);
        Ok(SendStream { ssrc, first: u64::from(first & 0x7fff), used: ReplayWindow::default() })
    }

    /// Seals the RTP packet of `len` bytes in `buf`, whose header is `header` bytes long, under `index`: writes its
    /// sequence number and SSRC, encrypts, appends the tag. Returns the datagram's length.
    pub fn seal_rtp(&self, index: PacketIndex, buf: &mut [u8], header: usize, len: usize) -> Result<usize, SrtpError> {
        if header < rtp::FIXED_HEADER {
            return Err(SrtpError::Malformed);
        }
        rtp::set_sequence_and_ssrc(buf, index.sequence(), index.ssrc);
        self.rtp.seal_rtp(buf, header, len, index.ssrc, index.index)
    }

    /// Seals a compound RTCP packet; one index counts for all SSRCs of the session.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if self.rtcp_index > MAX_RTCP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        let head: [u8; 8] = packet.get(..8).and_then(|head| head.try_into().ok()).ok_or(SrtpError::Malformed)?;
        let ssrc = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let index = self.rtcp_index;
        self.rtcp_index += 1;
        self.rtcp.seal_rtcp(packet, ssrc, index)
    }
}
