//! The packets of a speaker that were taken for playing, and the 20 ms of them that a listener can be sent as they are.

use crate::jitter::Stored;
use majlis_programme::{FRAME_SAMPLES, MAX_FRAMES, MAX_PAYLOAD, OpusPacket, Payload, pack};
use std::collections::VecDeque;

/// How much is kept, samples (240 ms): a decoder that begins there has forgotten by the end that it began.
const KEPT: i64 = 12 * FRAME_SAMPLES as i64;
/// Most packets kept: those of 2.5 ms in that time.
const MAX_KEPT: usize = 128;

/// Why 20 ms cannot be sent as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A packet is not there.
    Missing,
    /// They do not begin where a frame begins.
    Phase,
    /// Frames longer than 20 ms, two channels, several configurations, or too many bytes.
    Coding,
}

/// 20 ms as a listener gets them.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// The Opus packet.
    pub payload: Payload,
    /// Its level, dBov.
    pub dbov: f32,
}

/// A packet that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// As it came.
    pub packet: Stored,
    /// Its level, dBov: as decoded, or as stated.
    pub dbov: f32,
}

impl Taken {
    fn first(&self) -> i64 {
        self.packet.timestamp
    }

    fn end(&self) -> i64 {
        self.packet.timestamp + self.packet.samples as i64
    }
}

/// The last packets, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    packets: VecDeque<Taken>,
}

impl Recent {
    /// Keeps a packet, and gives up the oldest.
    pub fn push(&mut self, taken: Taken) {
        let oldest = taken.end() - KEPT;
        self.packets.push_back(taken);
        while self.packets.len() > MAX_KEPT || self.packets.front().is_some_and(|first| first.end() <= oldest) {
            self.packets.pop_front();
        }
    }

    /// Forgets all: what comes is another stream.
    pub fn clear(&mut self) {
        self.packets.clear();
    }

    /// The last packets that follow one another without a gap.
    pub fn unbroken(&self) -> impl Iterator<Item = &Taken> {
        let last_gap = (1..self.packets.len()).rev().find(|at| self.packets[*at].first() != self.packets[at - 1].end());
        self.packets.iter().skip(last_gap.unwrap_or(0))
    }

    /// The newest packet.
    pub fn last(&self) -> Option<&Taken> {
        self.packets.back()
    }

    /// The time nearest to `at` but not before `least` at which a frame begins that can be sent.
    pub fn boundary(&self, least: i64) -> Option<i64> {
        let starts = self.packets.iter().flat_map(|taken| {
            let frames = (taken.packet.samples as i64 / i64::from(FRAME_SAMPLES)).max(1);
            (0..frames).map(|frame| taken.first() + frame * i64::from(FRAME_SAMPLES))
        });
        starts.filter(|start| *start >= least).min()
    }

    /// The 20 ms from `at` on, exactly as they came.
    pub fn unit(&self, at: i64) -> Result<Unit, Unfit> {
        let index = self.packets.partition_point(|taken| taken.end() <= at);
        let first = self.packets.get(index).filter(|first| first.first() <= at).ok_or(Unfit::Missing)?;
        if first.first() == at && first.packet.samples == FRAME_SAMPLES as usize {
            let parsed = OpusPacket::parse(&first.packet.payload).map_err(|_| Unfit::Coding)?;
            return whole(&first.packet.payload, parsed.is_stereo(), first.dbov);
        }
        self.joined(index, at)
    }

    /// Frames out of longer packets, or of several shorter ones, as one packet.
    fn joined(&self, index: usize, at: i64) -> Result<Unit, Unfit> {
        let mut frames: [&[u8]; MAX_FRAMES] = [&[]; MAX_FRAMES];
        let (mut count, mut next, mut dbov) = (0, at, f32::MIN);
        let mut config = None;
        for taken in self.packets.iter().skip(index) {
            let parsed = OpusPacket::parse(&taken.packet.payload).map_err(|_| Unfit::Coding)?;
            let each = i64::from(parsed.frame_samples());
            if each > i64::from(FRAME_SAMPLES) || *config.get_or_insert(parsed.config()) != parsed.config() {
                return Err(Unfit::Coding);
            }
            let skipped = next - taken.first();
            if skipped < 0 {
                return Err(Unfit::Missing);
            }
            if skipped % each != 0 {
                return Err(Unfit::Phase);
            }
            for frame in parsed.frames().iter().skip((skipped / each) as usize) {
                if next < at + i64::from(FRAME_SAMPLES) {
                    frames[count] = frame;
                    count += 1;
                    next += each;
                }
            }
            dbov = dbov.max(taken.dbov);
            if next == at + i64::from(FRAME_SAMPLES) {
                let config = parsed.config();
                let mut bytes = Vec::with_capacity(MAX_PAYLOAD);
                pack(config, &frames[..count], |piece| bytes.extend_from_slice(piece));
                return whole(&bytes, parsed.is_stereo(), dbov);
            }
        }
        Err(Unfit::Missing)
    }
}

fn whole(bytes: &[u8], stereo: bool, dbov: f32) -> Result<Unit, Unfit> {
    let payload = Payload::new(bytes).map_err(|_| Unfit::Coding)?;
    if stereo { Err(Unfit::Coding) } else { Ok(Unit { payload, dbov }) }
}
