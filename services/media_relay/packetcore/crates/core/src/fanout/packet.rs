//! One packet of a programme channel as all its listeners get it: payloads built once, headers per listener.

use crate::types::{ChannelId, MAX_DATAGRAM};

/// Longest payload that is sure to fit a datagram.
pub const MAX_BODY: usize = MAX_DATAGRAM - crate::rtp::MAX_HEADER - crate::srtp::MAX_TAG;
/// Most earlier packets that a payload in RFC 2198 form repeats.
pub const MAX_RED: usize = 2;

/// Payload bytes kept inline.
#[derive(Clone)]
pub struct Body {
    len: u16,
    bytes: [u8; MAX_BODY],
}

impl Default for Body {
    fn default() -> Self {
        Self { len: 0, bytes: [0; MAX_BODY] }
    }
}

impl Body {
    /// Copies a payload in; false (and empty) when it is too long.
    pub fn set(&mut self, payload: &[u8]) -> bool {
        self.len = 0;
        let Some(place) = self.bytes.get_mut(..payload.len()) else { return false };
        place.copy_from_slice(payload);
        self.len = payload.len() as u16;
        true
    }

    /// The payload.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// One packet of a channel.
#[derive(Clone)]
pub struct ProgrammePacket {
    /// Whose listeners get it.
    pub channel: ChannelId,
    /// One more than the packet before, plus what was lost upstream; minted on this relay.
    pub sequence: u64,
    /// 48 kHz, continuous on this relay whatever happens upstream; advances through silence.
    pub timestamp: u32,
    /// First packet after silence.
    pub marker: bool,
    /// -dBov.
    pub level: u8,
    /// Capture time of the first sample, NTP 32.32.
    pub capture_ntp: u64,
    /// Without header extensions, level and capture time: each byte counts for those who hear it.
    pub bare: bool,
    /// Member numbers of who speaks; the first `csrc_count` count.
    pub csrcs: [u32; crate::rtp::MAX_CSRCS],
    /// How many.
    pub csrc_count: u8,
    /// The Opus packet.
    pub plain: Body,
    /// The same in RFC 2198 form, by how many earlier packets it repeats, one first; empty: none.
    pub red: [Body; MAX_RED],
}

impl ProgrammePacket {
    /// An empty packet of a channel.
    pub fn new(channel: ChannelId) -> Self {
        Self {
            channel,
            sequence: 0,
            timestamp: 0,
            marker: false,
            level: 127,
            capture_ntp: 0,
            bare: false,
            csrcs: [0; crate::rtp::MAX_CSRCS],
            csrc_count: 0,
            plain: Body::default(),
            red: Default::default(),
        }
    }

    /// Who speaks.
    pub fn csrcs(&self) -> &[u32] {
        &self.csrcs[..usize::from(self.csrc_count)]
    }
}
