//! Reads what of a datagram is in the clear: which protocol it is (RFC 7983) and, of SRTP, the RTP header (RFC 3550, 8285).

/// Which protocol a datagram on a WebRTC port belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Media.
    Rtp,
    /// STUN, DTLS, RTCP and whatever else is for the session to judge.
    Control,
}

/// Tells media from the rest by the first two bytes (RFC 7983, RFC 5761).
pub fn protocol(datagram: &[u8]) -> Protocol {
    match datagram {
        [128..=191, second, ..] if !(192..=223).contains(second) => Protocol::Rtp,
        _ => Protocol::Control,
    }
}

/// The header of an RTP packet; SRTP leaves it readable.
#[derive(Debug, Clone, Copy)]
pub struct RtpView<'a> {
    /// Marker: first packet of a talk.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Bytes of payload, its seal included.
    pub sealed: usize,
    csrcs: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> RtpView<'a> {
    /// Reads the header; none when the packet is too short for what it claims.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let (head, rest) = packet.split_first_chunk::<12>()?;
        let (csrcs, rest) = rest.split_at_checked(4 * usize::from(head[0] & 0x0f))?;
        let (mut extensions, mut sealed): (&[u8], _) = (&[], rest.len());
        if head[0] & 0x10 != 0 {
            let (profile, rest) = rest.split_first_chunk::<4>()?;
            let len = 4 * usize::from(u16::from_be_bytes([profile[2], profile[3]]));
            let body = rest.get(..len)?;
            sealed = rest.len() - len;
            // Only the one-byte form is offered, so only that is read.
            extensions = if profile[..2] == [0xbe, 0xde] { body } else { &[] };
        }
        Some(Self {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            sealed,
            csrcs,
            extensions,
        })
    }

    /// Contributing sources, in order.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs.as_chunks::<4>().0.iter().map(|chunk| u32::from_be_bytes(*chunk))
    }

    /// The header extension with `id`.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        while let [head, tail @ ..] = rest {
            if *head == 0 {
                rest = tail;
                continue;
            }
            let (value, tail) = tail.split_at_checked(usize::from(head & 0x0f) + 1)?;
            if head >> 4 == id {
                return Some(value);
            }
            rest = tail;
        }
        None
    }

    /// Capture time (abs-capture-time), NTP 32.32.
    pub fn capture_ntp(&self, id: u8) -> Option<u64> {
        self.extension(id)?.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
    }
}
