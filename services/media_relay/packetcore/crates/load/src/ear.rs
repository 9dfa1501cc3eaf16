//! One listener's ear: takes redundancy apart (RFC 2198), puts packets in order, decodes, and notes what had to be made up.

use anyhow::Result;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use str0m::rtp::RtpPacket;

/// A packet is waited for until this much later sound has come, samples (200 ms), as a browser would at most.
const PATIENCE: i64 = 9600;
/// Silence up to this is written as such; a longer one is cut, samples (10 s).
const LONGEST_SILENCE: i64 = 480_000;

/// What was heard, in numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Heard {
    /// Frames of 20 ms the speech had.
    pub frames: u64,
    /// Of these, frames that never came and were concealed.
    pub concealed: u64,
    /// Frames that came only as redundancy.
    pub repaired: u64,
    /// Sound decoded, seconds.
    pub seconds: f64,
    /// Contributing sources named.
    pub speakers: BTreeSet<u32>,
    /// Closing (DTX) packets.
    pub closings: u64,
}

struct Block {
    payload: Vec<u8>,
    redundant: bool,
}

/// The ear of one received stream.
pub struct Ear {
    decoder: opus::Decoder,
    waiting: BTreeMap<i64, Block>,
    /// Timestamp after what was played.
    position: Option<i64>,
    newest: Option<(u32, i64)>,
    resting: bool,
    red: Option<u8>,
    /// Frames count from this timestamp on.
    counts_from: i64,
    pcm: Vec<f32>,
    /// Keeps what was heard.
    keeps: bool,
    samples: u64,
    heard: Heard,
}

impl Ear {
    /// An ear; `red` is the payload type of RFC 2198, if that was agreed.
    pub fn new(red: Option<u8>) -> Result<Self> {
        Ok(Self {
            decoder: opus::Decoder::new(48_000, opus::Channels::Mono)?,
            waiting: BTreeMap::new(),
            position: None,
            newest: None,
            resting: true,
            red,
            counts_from: i64::MIN,
            pcm: Vec::new(),
            keeps: true,
            samples: 0,
            heard: Heard::default(),
        })
    }

    /// An ear that only counts: what it heard cannot be written.
    pub fn forgetful(red: Option<u8>) -> Result<Self> {
        Ok(Self { keeps: false, ..Self::new(red)? })
    }

    /// Takes a decrypted packet.
    pub fn hear(&mut self, packet: &RtpPacket) {
        let header = &packet.header;
        self.heard.speakers.extend(&header.csrc[..header.csrc_count]);
        let timestamp = self.unwrap(header.timestamp);
        if self.red == Some(*header.payload_type) {
            for (offset, payload) in red_blocks(&packet.payload) {
                self.place(timestamp - i64::from(offset), payload, offset > 0);
            }
        } else {
            self.place(timestamp, &packet.payload, false);
        }
        self.play(false);
    }

    /// Counts only what comes from now on.
    pub fn begin_counting(&mut self) {
        self.counts_from = self.newest.map_or(i64::MIN, |(_, newest)| newest);
        let speakers = std::mem::take(&mut self.heard.speakers);
        self.heard = Heard { speakers, ..Heard::default() };
    }

    /// What was counted so far.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let whole = match self.newest {
            Some((wrapped, whole)) => whole + i64::from(timestamp.wrapping_sub(wrapped) as i32),
            None => i64::from(timestamp),
        };
        if self.newest.is_none_or(|(_, newest)| whole > newest) {
            self.newest = Some((timestamp, whole));
        }
        whole
    }

    fn place(&mut self, timestamp: i64, payload: &[u8], redundant: bool) {
        if payload.is_empty() || self.position.is_some_and(|position| timestamp < position) {
            return;
        }
        let block = || Block { payload: payload.to_vec(), redundant };
        let known = self.waiting.entry(timestamp).or_insert_with(block);
        known.redundant &= redundant;
    }

    /// Plays what is in order, and what has been waited for long enough.
    fn play(&mut self, all: bool) {
        while let Some((timestamp, _)) = self.waiting.first_key_value() {
            let (timestamp, newest) = (*timestamp, self.newest.map_or(0, |(_, newest)| newest));
            let position = *self.position.get_or_insert(timestamp);
            if timestamp > position && !all && newest - position < PATIENCE {
                return;
            }
            if timestamp > position {
                self.bridge(position, timestamp);
            }
            let Some((_, block)) = self.waiting.pop_first() else { return };
            self.decode(timestamp, &block);
        }
    }

    /// Between two packets: silence after a closing packet, else concealment.
    fn bridge(&mut self, from: i64, to: i64) {
        let missing = (to - from).min(LONGEST_SILENCE) as usize;
        for start in (0..missing).step_by(960) {
            let len = (missing - start).min(960);
            if self.resting {
                self.keep(&[0.0; 960][..len]);
                continue;
            }
            self.count(from + start as i64, |heard| {
                heard.frames += 1;
                heard.concealed += 1;
            });
            let mut room = [0.0; 960];
            let _ = self.decoder.decode_float(&[], &mut room[..len.next_multiple_of(120).min(960)], false);
            self.keep(&room[..len]);
        }
    }

    fn keep(&mut self, sound: &[f32]) {
        self.samples += sound.len() as u64;
        if self.keeps {
            self.pcm.extend_from_slice(sound);
        }
    }

    fn decode(&mut self, timestamp: i64, block: &Block) {
        let mut room = [0.0; 5760];
        let Ok(samples) = self.decoder.decode_float(&block.payload, &mut room, false) else { return };
        self.keep(&room[..samples]);
        self.position = Some(timestamp + samples as i64);
        self.resting = block.payload.len() <= 2;
        let (frames, resting, redundant) = (samples as u64 / 960, self.resting, block.redundant);
        self.count(timestamp, |heard| {
            heard.closings += u64::from(resting);
            heard.frames += if resting { 0 } else { frames };
            heard.repaired += if redundant && !resting { frames } else { 0 };
        });
    }

    fn count(&mut self, timestamp: i64, change: impl FnOnce(&mut Heard)) {
        if timestamp > self.counts_from {
            change(&mut self.heard);
        }
    }

    /// Plays what is left and says what was heard.
    pub fn finish(&mut self) -> Heard {
        self.play(true);
        Heard { seconds: self.samples as f64 / 48_000.0, ..self.heard.clone() }
    }

    /// Appends the silence between the last sound and the end of `length` of listening.
    pub fn fall_silent_until(&mut self, length: Duration) {
        let wanted = (length.as_secs_f64() * 48_000.0) as usize;
        self.pcm.resize(self.pcm.len().max(wanted), 0.0);
    }

    /// Writes what was heard: 48 kHz mono, WAV or, by the name's ending, Ogg Opus.
    pub fn write(&self, path: &Path) -> Result<()> {
        if path.extension().is_some_and(|ending| ending == "ogg" || ending == "opus") {
            return crate::recording::write_ogg(path, &self.pcm);
        }
        crate::recording::write_wav(path, &self.pcm)
    }
}

/// The blocks of a redundant payload: (distance, coded sound), the primary last; nothing when it is malformed.
fn red_blocks(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut headers = Vec::new();
    let mut rest = bytes;
    while let [0x80..=0xff, a, b, c, tail @ ..] = rest {
        let word = u32::from_be_bytes([0, *a, *b, *c]);
        headers.push((word >> 10, (word & 0x3ff) as usize));
        rest = tail;
    }
    let Some((_, mut body)) = rest.split_first() else { return Vec::new() };
    let mut blocks = Vec::new();
    for (offset, len) in headers {
        let Some((payload, tail)) = body.split_at_checked(len) else { return Vec::new() };
        blocks.push((offset, payload));
        body = tail;
    }
    blocks.push((0, body));
    blocks
}
