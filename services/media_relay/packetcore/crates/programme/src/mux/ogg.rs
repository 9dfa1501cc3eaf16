//! Ogg Opus (RFC 3533, RFC 7845).

use super::{Line, MAX_SAMPLES, Mux, MuxError, SAMPLE_RATE, Sound, samples_of};

/// A page closes when its sound lasts this long: a listener of a live stream waits for no more, unless it is told otherwise.
const PAGE_SAMPLES: u64 = SAMPLE_RATE as u64 / 5;
/// As many lacing values as a page can hold (RFC 3533 §6).
const MAX_SEGMENTS: usize = 255;
/// The pages before it are the head's.
const FIRST_PAGE: u32 = 2;
/// A gap is filled with packets without sound up to here; a longer one, or one before all sound, is a jump of the position.
const MAX_FILL: u64 = 3600 * SAMPLE_RATE as u64;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// Writes one logical stream of Opus.
#[derive(Debug)]
pub struct Ogg {
    sound: Sound,
    serial: u32,
    longest: u64,
    sequence: u32,
    line: Line,
    lacing: Vec<u8>,
    body: Vec<u8>,
    page_start: u64,
}

impl Ogg {
    /// A stream; `serial` tells it from others in the same file.
    pub fn new(sound: Sound, serial: u32) -> Self {
        let (lacing, body, longest) = (Vec::new(), Vec::new(), PAGE_SAMPLES);
        Self { sound, serial, longest, sequence: FIRST_PAGE, line: Line::default(), lacing, body, page_start: 0 }
    }

    /// The same with pages of so many samples.
    pub fn with_longest(mut self, samples: Option<u32>) -> Self {
        self.longest = samples.map_or(self.longest, u64::from);
        self
    }

    fn add(&mut self, packet: &[u8]) {
        self.lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.lacing.push((packet.len() % 255) as u8);
        self.body.extend(packet);
    }

    /// Closes the page that is filling, which ends at a position.
    fn close(&mut self, end: u64, flags: u8, out: &mut Vec<u8>) {
        let body = std::mem::take(&mut self.body);
        let lacing = std::mem::take(&mut self.lacing);
        write_page(out, flags, end, self.serial, self.sequence, &lacing, &body);
        self.sequence += 1;
        self.page_start = end;
    }

    /// Fills a gap as RFC 7845 §4.1 has it: packets of frames without bytes, which decoders play as what was lost.
    fn fill(&mut self, toc: u8, from: u64, gap: u64, out: &mut Vec<u8>) -> Result<(), MuxError> {
        let begins = self.sequence == FIRST_PAGE && self.lacing.is_empty();
        if gap > MAX_FILL || begins {
            if !self.lacing.is_empty() {
                self.close(from, 0, out);
            }
            self.page_start = from + gap;
            return Ok(());
        }
        let frame = u64::from(samples_of(&[toc & !3])?);
        let mut left = gap / frame;
        while left > 0 {
            let frames = left.min(u64::from(MAX_SAMPLES) / frame);
            if self.lacing.len() == MAX_SEGMENTS {
                self.close(from + gap - left * frame, 0, out);
            }
            self.add(&[toc | 3, frames as u8]);
            left -= frames;
        }
        Ok(())
    }
}

impl Mux for Ogg {
    fn head(&self) -> Vec<u8> {
        let head = self.sound.opus_head();
        let mut tags = b"OpusTags".to_vec();
        tags.extend(6u32.to_le_bytes());
        tags.extend(b"majlis");
        tags.extend(0u32.to_le_bytes());
        let mut out = Vec::new();
        write_page(&mut out, FIRST, 0, self.serial, 0, &[head.len() as u8], &head);
        write_page(&mut out, 0, 0, self.serial, 1, &[tags.len() as u8], &tags);
        out
    }

    fn packet(&mut self, at: u64, packet: &[u8]) -> Result<Vec<u8>, MuxError> {
        let place = self.line.place(at, packet)?;
        let mut out = Vec::new();
        if place.gap > 0 {
            // In the mode of what follows: a decoder that changes modes in silence is not heard.
            self.fill(packet[0], place.start - place.gap, place.gap, &mut out)?;
        }
        let needed = packet.len() / 255 + 1;
        if !self.lacing.is_empty() && self.lacing.len() + needed > MAX_SEGMENTS {
            self.close(place.start, 0, &mut out);
        }
        self.add(packet);
        let end = place.start + u64::from(place.samples);
        if end - self.page_start >= self.longest {
            self.close(end, 0, &mut out);
        }
        Ok(out)
    }

    fn cut(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.lacing.is_empty() {
            self.close(self.line.end, 0, &mut out);
        }
        out
    }

    fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.close(self.line.end, LAST, &mut out);
        out
    }
}

/// One page (RFC 3533 §6).
fn write_page(out: &mut Vec<u8>, flags: u8, position: u64, serial: u32, sequence: u32, lacing: &[u8], body: &[u8]) {
    let start = out.len();
    out.extend(b"OggS\0");
    out.push(flags);
    out.extend(position.to_le_bytes());
    out.extend(serial.to_le_bytes());
    out.extend(sequence.to_le_bytes());
    out.extend([0; 4]);
    out.push(lacing.len() as u8);
    out.extend(lacing);
    out.extend(body);
    let sum = checksum(&out[start..]);
    out[start + 22..start + 26].copy_from_slice(&sum.to_le_bytes());
}

/// The CRC of RFC 3533 §6: polynomial 0x04c11db7, not reflected, no preset.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = 0u32;
    for &byte in bytes {
        sum ^= u32::from(byte) << 24;
        for _ in 0..8 {
            sum = if sum & 0x8000_0000 != 0 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
        }
    }
    sum
}
