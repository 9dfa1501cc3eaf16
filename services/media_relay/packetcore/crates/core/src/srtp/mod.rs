//! SRTP and SRTCP (RFC 3711, RFC 7714): keys, sealing, opening.

mod cipher;
mod kdf;
mod open;
mod seal;

pub use open::OpenKey;
pub use seal::{MAX_INDEX, PacketIndex, SealKey, SendStream};

use thiserror::Error;

/// Most bytes that sealing adds to an RTP packet ([`Profile::rtp_overhead`]).
pub const MAX_TAG: usize = 16;

/// A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// AES-128 in GCM, 16-byte tag.
    AeadAes128Gcm,
    /// AES-256 in GCM, 16-byte tag.
    AeadAes256Gcm,
    /// AES-128 in counter mode, HMAC-SHA1 cut to 10 bytes.
    Aes128CmHmacSha1_80,
}

impl Profile {
    /// Length of the master key, bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Length of the master salt, bytes.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 14,
            _ => 12,
        }
    }

    /// Bytes that sealing adds to an RTP packet.
    pub fn rtp_overhead(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 10,
            _ => MAX_TAG,
        }
    }
}

/// Why a packet was not sealed or not opened. None of these panics or changes state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SrtpError {
    /// The key and salt do not have the profile's lengths.
    #[error("key and salt have {got} bytes, the profile needs {needed}")]
    KeyLength {
        /// What the profile needs.
        needed: usize,
        /// What was given.
        got: usize,
    },
    /// Not an RTP or RTCP packet, or too short to carry a tag.
    #[error("packet is too short or malformed")]
    Malformed,
    /// The authentication tag is wrong.
    #[error("packet failed authentication")]
    Authentication,
    /// The index was seen before or is too old to know.
    #[error("packet is a replay")]
    Replay,
    /// The SSRC has a stream under this key already.
    #[error("SSRC is in use under this key")]
    SsrcInUse,
    /// The key has sealed as many packets as it may.
    #[error("key is used up")]
    Exhausted,
    /// No room for the tag behind the packet.
    #[error("buffer has no room for the tag")]
    NoRoom,
}
