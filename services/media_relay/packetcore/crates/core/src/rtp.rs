//! RTP headers (RFC 3550 §5.1) with their extensions (RFC 8285): read, write, and the few fields SRTP needs.

/// Bytes of a header without CSRCs and extensions.
pub const FIXED_HEADER: usize = 12;
/// Most CSRCs the core writes.
pub const MAX_CSRCS: usize = 8;
/// Longest header the core writes: CSRCs, and one-byte extensions for audio level and capture time.
pub const MAX_HEADER: usize = FIXED_HEADER + 4 * MAX_CSRCS + 4 + 12;

const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// A parsed packet borrowing the datagram.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Start of a talk spurt.
    pub marker: bool,
    /// Seven bits.
    pub payload_type: u8,
    /// Wraps at 16 bits.
    pub sequence: u16,
    /// Media clock.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    csrcs: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    /// Without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet (already decrypted); None when it is malformed.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = header_len(bytes)?;
        let csrc_end = FIXED_HEADER + 4 * usize::from(bytes[0] & 0x0f);
        let extension = if bytes[0] & 0x10 != 0 {
            let profile = u16::from_be_bytes([bytes[csrc_end], bytes[csrc_end + 1]]);
            Some((profile, &bytes[csrc_end + 4..header]))
        } else {
            None
        };
        let padding = if bytes[0] & 0x20 != 0 { usize::from(*bytes.last()?).max(1) } else { 0 };
        let end = bytes.len().checked_sub(padding)?;
        let (sequence, ssrc) = sequence_and_ssrc(bytes)?;
        Some(Self {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence,
            timestamp: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            ssrc,
            csrcs: &bytes[FIXED_HEADER..csrc_end],
            extension,
            payload: bytes.get(header..end)?,
        })
    }

    /// A packet that never was a datagram: no more than what a microphone's packet needs.
    pub fn bare(payload_type: u8, (sequence, timestamp, ssrc): (u16, u32, u32), payload: &'a [u8]) -> Self {
        Self { marker: false, payload_type, sequence, timestamp, ssrc, csrcs: &[], extension: None, payload }
    }

    /// Contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs.as_chunks::<4>().0.iter().map(|csrc| u32::from_be_bytes(*csrc))
    }

    /// The value of the header extension with `id`, in either form of RFC 8285.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        match self.extension? {
            (ONE_BYTE_PROFILE, data) => find_one_byte(data, id),
            (profile, data) if profile & 0xfff0 == TWO_BYTE_PROFILE => find_two_byte(data, id),
            _ => None,
        }
    }

    /// Audio level in -dBov 0 (loud) to 127 (silent), RFC 6464.
    pub fn audio_level(&self, id: u8) -> Option<u8> {
        self.extension(id)?.first().map(|byte| byte & 0x7f)
    }
}

fn find_one_byte(mut data: &[u8], id: u8) -> Option<&[u8]> {
    while let [head, rest @ ..] = data {
        if *head == 0 {
            data = rest;
            continue;
        }
        let len = usize::from(head & 0x0f) + 1;
        match head >> 4 {
            15 => return None, // RFC 8285 §4.2: stop at the reserved id
            found if found == id => return rest.get(..len),
            _ => data = rest.get(len..)?,
        }
    }
    None
}

fn find_two_byte(mut data: &[u8], id: u8) -> Option<&[u8]> {
    loop {
        match data {
            [0, rest @ ..] => data = rest,
            [found, len, rest @ ..] if *found == id => return rest.get(..usize::from(*len)),
            [_, len, rest @ ..] => data = rest.get(usize::from(*len)..)?,
            _ => return None,
        }
    }
}

/// Length of the whole header, CSRCs and extension included; None when the packet is too short for it.
pub fn header_len(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < FIXED_HEADER || bytes[0] >> 6 != 2 {
        return None;
    }
    let mut len = FIXED_HEADER + 4 * usize::from(bytes[0] & 0x0f);
    if bytes[0] & 0x10 != 0 {
        let words = bytes.get(len + 2..len + 4)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (len <= bytes.len()).then_some(len)
}

/// The two fields SRTP keys its state by.
pub fn sequence_and_ssrc(bytes: &[u8]) -> Option<(u16, u32)> {
    let fixed: &[u8; FIXED_HEADER] = bytes.first_chunk()?;
    let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
    Some((u16::from_be_bytes([fixed[2], fixed[3]]), ssrc))
}

/// Writes the two fields SRTP keys its state by; `buf` holds at least a fixed header.
pub fn set_sequence_and_ssrc(buf: &mut [u8], sequence: u16, ssrc: u32) {
    buf[2..4].copy_from_slice(&sequence.to_be_bytes());
    buf[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

/// What the core writes into a header; sequence number and SSRC come with the SRTP index.
#[derive(Debug, Clone, Copy, Default)]
pub struct Header<'a> {
    /// Start of a talk spurt.
    pub marker: bool,
    /// Seven bits.
    pub payload_type: u8,
    /// Media clock.
    pub timestamp: u32,
    /// Who contributed, at most [`MAX_CSRCS`]; the rest is left out.
    pub csrcs: &'a [u32],
    /// Extension id (1..=14) and audio level.
    pub level: Option<(u8, u8)>,
    /// Extension id (1..=14) and capture time, NTP 32.32 (abs-capture-time).
    pub capture_time: Option<(u8, u64)>,
}

impl Header<'_> {
    /// Writes the header at the start of `buf`, which has room for [`MAX_HEADER`]; returns its length.
    pub fn write(&self, buf: &mut [u8]) -> usize {
        let csrcs = &self.csrcs[..self.csrcs.len().min(MAX_CSRCS)];
        let has_extension = self.level.is_some() || self.capture_time.is_some();
        buf[0] = 0x80 | u8::from(has_extension) << 4 | csrcs.len() as u8;
        buf[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        buf[2..4].fill(0);
        buf[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        buf[8..12].fill(0);
        let mut at = FIXED_HEADER;
        for csrc in csrcs {
            buf[at..at + 4].copy_from_slice(&csrc.to_be_bytes());
            at += 4;
        }
        if has_extension { self.write_extension(buf, at) } else { at }
    }

    fn write_extension(&self, buf: &mut [u8], start: usize) -> usize {
        let mut at = start + 4;
        if let Some((id, level)) = self.level {
            // The voice-activity bit says what the level says: the programme is sent only while somebody speaks.
            buf[at..at + 2].copy_from_slice(&[id << 4, level & 0x7f | 0x80]);
            at += 2;
        }
        if let Some((id, ntp)) = self.capture_time {
            buf[at] = id << 4 | 7;
            buf[at + 1..at + 9].copy_from_slice(&ntp.to_be_bytes());
            at += 9;
        }
        let end = at.next_multiple_of(4);
        buf[at..end].fill(0);
        buf[start..start + 2].copy_from_slice(&ONE_BYTE_PROFILE.to_be_bytes());
        buf[start + 2..start + 4].copy_from_slice(&(((end - start - 4) / 4) as u16).to_be_bytes());
        end
    }
}

/// Duration of an Opus packet in 48 kHz samples from its first bytes (RFC 6716 §3.1, §3.2); None when it is malformed.
pub fn opus_samples(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    let samples = frame * frames;
    (1..=5760).contains(&samples).then_some(samples)
}
