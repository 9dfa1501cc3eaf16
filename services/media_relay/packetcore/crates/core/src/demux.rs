//! Tells the protocols that share the port apart by their first bytes (RFC 7983, RFC 5761).

/// What a datagram claims to be; nothing has been checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191, second not an RTCP type.
    Rtp,
    /// First byte 128 to 191, second byte 192 to 223.
    Rtcp,
    /// Anything else, and what is too short to be anything.
    Unknown,
}

/// Classifies a datagram.
pub fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Unknown,
    }
}
