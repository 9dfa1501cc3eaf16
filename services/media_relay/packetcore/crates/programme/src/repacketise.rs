//! Joins a programme's 20 ms frames into listeners' packets of 20, 40 or 60 ms (RFC 6716 §3.2), and the 60 ms frames of a
//! thrifty one in twos; never re-encoding.

use crate::frame::{Csrcs, FRAME_SAMPLES, MAX_CSRCS, MAX_PAYLOAD, ProgrammeFrame, THRIFT_SAMPLES};
use crate::opus_packet::{OpusPacket, pack};
use majlis_core::Micros;

/// Most frames in a packet.
pub const MAX_JOINED: usize = 3;
/// Longest payload of a listener's packet, bytes: with its headers it fits 1,200, which no path cuts.
pub const MAX_PACKET_PAYLOAD: usize = 1120;
/// Bytes that a joined packet has beside its frames: two of its own, and the lengths of two.
const MAX_JOINING: usize = 6;
const _: () = assert!(MAX_PAYLOAD <= MAX_PACKET_PAYLOAD);
/// A frame waits for its companions no longer than this beyond their time, µs.
const PATIENCE: Micros = 15_000;

/// How much sound a listener's packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PacketLength {
    /// One frame: the least delay.
    #[default]
    Ms20,
    /// Two frames.
    Ms40,
    /// Three frames: a third of the packets.
    Ms60,
    /// Two frames of 60 ms: what a thrifty channel has, where headers would cost as much as the sound.
    Ms120,
}

impl PacketLength {
    /// From milliseconds; none for anything but 20, 40 and 60.
    pub fn from_ms(ms: u32) -> Option<Self> {
        match ms {
            20 => Some(Self::Ms20),
            40 => Some(Self::Ms40),
            60 => Some(Self::Ms60),
            _ => None,
        }
    }

    /// Samples in a full packet.
    pub fn samples(self) -> u32 {
        match self {
            Self::Ms20 => FRAME_SAMPLES,
            Self::Ms40 => 2 * FRAME_SAMPLES,
            Self::Ms60 => 3 * FRAME_SAMPLES,
            Self::Ms120 => 2 * THRIFT_SAMPLES,
        }
    }

    /// Milliseconds in a full packet.
    pub fn ms(self) -> u32 {
        self.samples() / 48
    }
}

/// What every listener of a channel gets, before his own RTP header.
#[derive(Clone, Copy)]
pub struct MediaPacket {
    /// First packet after silence: the RTP marker bit.
    pub start_of_talk: bool,
    /// A closing DTX packet.
    pub end_of_talk: bool,
    /// Level of its loudest frame, -dBov.
    pub level: u8,
    /// The mixer instance.
    pub stream: u32,
    /// Sequence of its first frame.
    pub first_sequence: u32,
    /// 48 kHz time of its first sample.
    pub timestamp: u32,
    /// Its duration, samples.
    pub samples: u32,
    /// How many frames of the programme it holds.
    pub frames: u32,
    /// Capture time of its first sample, NTP 32.32.
    pub capture_ntp: u64,
    /// Who speaks in it.
    pub csrcs: Csrcs,
    payload: [u8; MAX_PACKET_PAYLOAD],
    len: usize,
}

impl MediaPacket {
    /// The Opus packet.
    pub fn payload(&self) -> &[u8] {
        &self.payload[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.payload[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// One channel's joiner. Frames go in, packets come out through a callback; nothing is allocated.
#[derive(Default)]
pub struct Repacketiser {
    length: PacketLength,
    waiting: [Option<ProgrammeFrame>; MAX_JOINED],
    count: usize,
    since: Micros,
}

impl Repacketiser {
    /// A joiner of packets of `length`.
    pub fn new(length: PacketLength) -> Self {
        Self { length, ..Self::default() }
    }

    /// Changes the length; what waits goes out at once when it already fills the new one.
    pub fn set_length(&mut self, length: PacketLength, out: impl FnMut(&MediaPacket)) {
        self.length = length;
        if self.held() >= length.samples() {
            self.flush(out);
        }
    }

    /// Takes the next frame, and gives out what is complete: a packet is closed early when the frame does not continue
    /// it, when it would grow too long, when its coding differs (RFC 6716 allows one configuration per packet) or when
    /// the talk ends.
    pub fn push(&mut self, frame: &ProgrammeFrame, now: Micros, mut out: impl FnMut(&MediaPacket)) {
        let samples = samples_of(frame);
        let single = joins(frame) && samples <= self.length.samples();
        let too_long = self.held() + samples > self.length.samples() || self.count == MAX_JOINED;
        if frame.end_of_talk || !single || too_long || !self.continues(frame) || !self.has_room(frame) {
            self.flush(&mut out);
        }
        if self.count == 0 {
            self.since = now;
        }
        self.waiting[self.count] = Some(*frame);
        self.count += 1;
        if frame.end_of_talk || !single || self.held() >= self.length.samples() {
            self.flush(out);
        }
    }

    /// Gives out what has waited too long for frames that do not come.
    pub fn poll(&mut self, now: Micros, out: impl FnMut(&MediaPacket)) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.flush(out);
        }
    }

    /// When [`Repacketiser::poll`] must be called, if anything waits.
    pub fn deadline(&self) -> Option<Micros> {
        let first = self.waiting[0].as_ref().filter(|_| self.count > 0)?;
        let rest = self.length.samples().saturating_sub(samples_of(first));
        Some(self.since + Micros::from(rest) * 1000 / 48 + PATIENCE)
    }

    /// Samples that wait.
    fn held(&self) -> u32 {
        self.waiting[..self.count].iter().flatten().map(samples_of).sum()
    }

    fn continues(&self, frame: &ProgrammeFrame) -> bool {
        let Some(last) = self.waiting[..self.count].last().copied().flatten() else { return true };
        last.stream == frame.stream
            && last.timestamp.wrapping_add(samples_of(&last)) == frame.timestamp
            && last.payload.as_slice()[0] & 0xfc == frame.payload.as_slice()[0] & 0xfc
    }

    fn has_room(&self, frame: &ProgrammeFrame) -> bool {
        let waiting = self.waiting[..self.count].iter().flatten();
        let joined: usize = waiting.chain([frame]).map(|frame| frame.payload.as_slice().len()).sum();
        joined + MAX_JOINING <= MAX_PACKET_PAYLOAD
    }

    /// Gives out what waits, however short.
    pub fn flush(&mut self, mut out: impl FnMut(&MediaPacket)) {
        let count = std::mem::take(&mut self.count);
        if let Some(packet) = self.waiting[0].filter(|_| count > 0).map(|first| join(&first, &self.waiting[..count])) {
            out(&packet);
        }
    }
}

/// How long a frame lasts.
fn samples_of(frame: &ProgrammeFrame) -> u32 {
    OpusPacket::parse(frame.payload.as_slice()).map_or(FRAME_SAMPLES, |packet| packet.samples())
}

/// Whether others may stand in a packet with it.
fn joins(frame: &ProgrammeFrame) -> bool {
    OpusPacket::parse(frame.payload.as_slice())
        .is_ok_and(|packet| packet.frames().len() == 1 && matches!(packet.samples(), FRAME_SAMPLES | THRIFT_SAMPLES))
}

fn join(first: &ProgrammeFrame, frames: &[Option<ProgrammeFrame>]) -> MediaPacket {
    let all = || frames.iter().flatten();
    let mut packet = MediaPacket {
        start_of_talk: first.start_of_talk,
        end_of_talk: first.end_of_talk,
        level: all().map(|frame| frame.level).min().unwrap_or(127),
        stream: first.stream,
        first_sequence: first.sequence,
        timestamp: first.timestamp,
        samples: all().map(samples_of).sum(),
        frames: frames.len() as u32,
        capture_ntp: first.capture_ntp,
        csrcs: union(frames),
        payload: [0; MAX_PACKET_PAYLOAD],
        len: 0,
    };
    if frames.len() == 1 {
        packet.put(first.payload.as_slice());
        return packet;
    }
    let mut inner: [&[u8]; MAX_JOINED] = [&[]; MAX_JOINED];
    all().zip(&mut inner).for_each(|(frame, place)| *place = &frame.payload.as_slice()[1..]);
    pack(first.payload.as_slice()[0], &inner[..frames.len()], |bytes| packet.put(bytes));
    packet
}

/// Everyone who speaks in any of the frames, the newest frame's loudest first.
fn union(frames: &[Option<ProgrammeFrame>]) -> Csrcs {
    let mut list = [0u32; MAX_CSRCS];
    let mut len = 0;
    for member in frames.iter().rev().flatten().flat_map(|frame| frame.csrcs.as_slice().iter().copied()) {
        if len < MAX_CSRCS && !list[..len].contains(&member) {
            list[len] = member;
            len += 1;
        }
    }
    Csrcs::from_loudest(list[..len].iter().copied())
}
