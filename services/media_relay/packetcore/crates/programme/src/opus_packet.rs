//! Reads the framing of an Opus packet (RFC 6716 §3): its TOC and where its frames lie, without decoding anything.

use thiserror::Error;

/// Most frames one packet can hold: 120 ms of 2.5 ms frames.
pub const MAX_FRAMES: usize = 48;
/// Longest legal frame, bytes (RFC 6716 §3.4, R2).
pub const MAX_FRAME_BYTES: usize = 1275;
/// Longest legal packet, samples at 48 kHz (120 ms).
const MAX_SAMPLES: u32 = 5760;

/// Why bytes are not an Opus packet; the numbers are the requirements of RFC 6716 §3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpusError {
    /// R1: no byte at all.
    #[error("an Opus packet has at least one byte")]
    Empty,
    /// R2: a frame above 1275 bytes.
    #[error("an Opus frame has at most 1275 bytes")]
    FrameTooLong,
    /// R3, R6: two equal frames, or CBR frames, that do not divide the bytes.
    #[error("equal Opus frames do not divide the packet")]
    Uneven,
    /// R4, R7: a length that runs past the end, or a missing one.
    #[error("an Opus frame length runs past the packet")]
    Truncated,
    /// R5: no frame, or more than 120 ms.
    #[error("an Opus packet lasts at most 120 ms and has at least one frame")]
    Duration,
}

/// An Opus packet taken apart; borrows the bytes.
#[derive(Debug, Clone, Copy)]
pub struct OpusPacket<'a> {
    toc: u8,
    frames: [&'a [u8]; MAX_FRAMES],
    count: usize,
}

impl<'a> OpusPacket<'a> {
    /// Takes a packet apart; every malformed one is refused (RFC 6716 §3.4).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, OpusError> {
        let (&toc, rest) = bytes.split_first().ok_or(OpusError::Empty)?;
        let mut packet = Self { toc, frames: [&[]; MAX_FRAMES], count: 0 };
        match toc & 3 {
            0 => packet.add(rest)?,
            1 => packet.add_equal(rest, 2)?,
            2 => {
                let (len, rest) = frame_length(rest)?;
                let (first, second) = rest.split_at_checked(len).ok_or(OpusError::Truncated)?;
                packet.add(first)?;
                packet.add(second)?;
            }
            _ => packet.add_counted(rest)?,
        }
        Ok(packet)
    }

    fn add(&mut self, frame: &'a [u8]) -> Result<(), OpusError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(OpusError::FrameTooLong);
        }
        *self.frames.get_mut(self.count).ok_or(OpusError::Duration)? = frame;
        self.count += 1;
        Ok(())
    }

    fn add_equal(&mut self, bytes: &'a [u8], count: usize) -> Result<(), OpusError> {
        if !bytes.len().is_multiple_of(count) {
            return Err(OpusError::Uneven);
        }
        let len = bytes.len() / count;
        for index in 0..count {
            self.add(&bytes[index * len..(index + 1) * len])?;
        }
        Ok(())
    }

    /// Code 3: a frame count, optional padding, and constant or variable lengths.
    fn add_counted(&mut self, bytes: &'a [u8]) -> Result<(), OpusError> {
        let (&head, mut rest) = bytes.split_first().ok_or(OpusError::Truncated)?;
        let count = usize::from(head & 0x3f);
        if count == 0 || count as u32 * self.frame_samples() > MAX_SAMPLES {
            return Err(OpusError::Duration);
        }
        if head & 0x40 != 0 {
            rest = strip_padding(rest)?;
        }
        if head & 0x80 == 0 {
            return self.add_equal(rest, count);
        }
        let mut lengths = [0usize; MAX_FRAMES];
        for length in lengths.iter_mut().take(count - 1) {
            (*length, rest) = frame_length(rest)?;
        }
        for length in &lengths[..count - 1] {
            let (frame, tail) = rest.split_at_checked(*length).ok_or(OpusError::Truncated)?;
            self.add(frame)?;
            rest = tail;
        }
        self.add(rest)
    }

    /// Mode, bandwidth, frame size and channels: the TOC without its frame count code. Frames may share a packet only
    /// when this is equal.
    pub fn config(&self) -> u8 {
        self.toc & 0xfc
    }

    /// Two channels, whatever they hold.
    pub fn is_stereo(&self) -> bool {
        self.toc & 4 != 0
    }

    /// The frames, in order; an empty one is DTX or loss (RFC 6716 §3.2.1).
    pub fn frames(&self) -> &[&'a [u8]] {
        &self.frames[..self.count]
    }

    /// Samples in one frame at 48 kHz (RFC 6716 table 2).
    pub fn frame_samples(&self) -> u32 {
        let config = self.toc >> 3;
        match config {
            0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
            12..=15 => [480, 960][usize::from(config & 1)],
            _ => [120, 240, 480, 960][usize::from(config & 3)],
        }
    }

    /// Samples in the whole packet at 48 kHz.
    pub fn samples(&self) -> u32 {
        self.frame_samples() * self.count as u32
    }

    /// No coded sound in it: the encoder's discontinuous transmission.
    pub fn is_dtx(&self) -> bool {
        self.frames().iter().all(|frame| frame.len() <= 1)
    }
}

/// Writes one packet of `frames` that share a configuration (RFC 6716 §3.2), in the shortest form, piece by piece.
pub fn pack(config: u8, frames: &[&[u8]], mut put: impl FnMut(&[u8])) {
    let config = config & 0xfc;
    let Some((last, before)) = frames.split_last() else { return };
    let equal = before.iter().all(|frame| frame.len() == last.len());
    match (frames.len(), equal) {
        (1, _) => put(&[config]),
        (2, true) => put(&[config | 1]),
        (2, false) => put(&[config | 2]),
        (count, _) => put(&[config | 3, if equal { 0 } else { 0x80 } | count as u8]),
    }
    if !equal {
        before.iter().for_each(|frame| put_length(frame.len(), &mut put));
    }
    frames.iter().for_each(|frame| put(frame));
}

fn put_length(len: usize, put: &mut impl FnMut(&[u8])) {
    if len < 252 {
        put(&[len as u8]);
    } else {
        let low = 252 + (len & 3);
        put(&[low as u8, ((len - low) / 4) as u8]);
    }
}

/// One or two length bytes (RFC 6716 §3.2.1).
fn frame_length(bytes: &[u8]) -> Result<(usize, &[u8]), OpusError> {
    match bytes {
        [first @ 0..=251, rest @ ..] => Ok((usize::from(*first), rest)),
        [first, second, rest @ ..] => Ok((usize::from(*second) * 4 + usize::from(*first), rest)),
        _ => Err(OpusError::Truncated),
    }
}

/// Padding length bytes in front, padding bytes at the end (RFC 6716 §3.2.5).
fn strip_padding(mut bytes: &[u8]) -> Result<&[u8], OpusError> {
    let mut padding = 0usize;
    loop {
        let (&value, rest) = bytes.split_first().ok_or(OpusError::Truncated)?;
        bytes = rest;
        if value < 255 {
            padding += usize::from(value);
            break;
        }
        padding += 254;
    }
    let kept = bytes.len().checked_sub(padding).ok_or(OpusError::Truncated)?;
    Ok(&bytes[..kept])
}
