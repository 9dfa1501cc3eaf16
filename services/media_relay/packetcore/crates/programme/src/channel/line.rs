//! The listeners' stream of a channel on this relay.

use super::Output;
use crate::frame::FRAME_SAMPLES;
use crate::red::RedHistory;
use crate::repacketise::MediaPacket;
use majlis_core::fanout::ProgrammePacket;
use majlis_core::{ChannelId, Micros};

/// Replaced for each listener by what it negotiated.
const ANY_PAYLOAD_TYPE: u8 = 111;
/// Frames lost in a row that listeners see as loss; a longer gap is a pause.
const MAX_VISIBLE_LOSS: u32 = 50;

/// One sequence and one time line, whatever happens upstream.
pub(super) struct Line {
    packet: Box<ProgrammePacket>,
    history: RedHistory,
    red: Vec<u8>,
    /// Whether packets repeat earlier ones for listeners who asked for it.
    pub redundancy: bool,
    pub next: u64,
    /// Stream, sequence expected next, timestamp offset.
    upstream: Option<(u32, u32, u32)>,
    last: Option<(u32, Micros)>,
}

impl Line {
    pub fn new(id: ChannelId) -> Self {
        Self {
            packet: Box::new(ProgrammePacket::new(id)),
            history: RedHistory::default(),
            red: Vec::with_capacity(1500),
            redundancy: true,
            next: 0,
            upstream: None,
            last: None,
        }
    }

    /// Sends nothing from now on that sound does without.
    pub fn be_thrifty(&mut self) {
        self.redundancy = false;
        self.packet.bare = true;
    }

    /// Places a packet on the line and gives it out when anybody listens.
    pub fn send(&mut self, media: &MediaPacket, now: Micros, audience: bool, out: &mut impl Output) {
        let frames = media.frames;
        let (lost, offset) = self.follow(media, frames, now);
        let packet = &mut *self.packet;
        packet.sequence = self.next + u64::from(lost);
        packet.timestamp = media.timestamp.wrapping_add(offset);
        self.next = packet.sequence + 1;
        self.last = Some((packet.timestamp.wrapping_add(media.samples), now));
        self.upstream = Some((media.stream, media.first_sequence.wrapping_add(frames), offset));
        packet.marker = media.start_of_talk;
        packet.level = media.level;
        packet.capture_ntp = media.capture_ntp;
        let csrcs = media.csrcs.as_slice();
        packet.csrc_count = csrcs.len() as u8;
        packet.csrcs[..csrcs.len()].copy_from_slice(csrcs);
        packet.plain.set(media.payload());
        for (depth, body) in packet.red.iter_mut().enumerate() {
            self.red.clear();
            if self.redundancy {
                self.history.wrap(media, ANY_PAYLOAD_TYPE, depth + 1, &mut self.red);
            }
            body.set(&self.red);
        }
        self.history.remember(media);
        if audience {
            out.packet(packet);
        }
    }

    /// Packets lost upstream before this one, and the timestamp offset that continues the line.
    fn follow(&self, media: &MediaPacket, frames: u32, now: Micros) -> (u32, u32) {
        match (self.upstream, self.last) {
            (Some((stream, expected, offset)), _) if stream == media.stream => {
                let gap = media.first_sequence.wrapping_sub(expected);
                let lost = if gap <= MAX_VISIBLE_LOSS { gap.div_ceil(frames) } else { 0 };
                (lost, offset)
            }
            (_, Some((end, at))) => {
                let passed = (now.saturating_sub(at) * 48 / 1000) as u32 / FRAME_SAMPLES * FRAME_SAMPLES;
                (0, end.wrapping_add(passed.saturating_sub(FRAME_SAMPLES)).wrapping_sub(media.timestamp))
            }
            (_, None) => (0, 0),
        }
    }
}
