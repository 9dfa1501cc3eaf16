//! One programme channel: its source (a mixer or a playout buffer), and the packets its listeners get.

use crate::frame::{FRAME_SAMPLES, ProgrammeFrame};
use crate::mixing::{DEFAULT_BITRATE, MixerConfig, Mixing, RtpIn};
use crate::playout::{Playout, Pushed};
use crate::red::RedHistory;
use crate::repacketise::{MediaPacket, PacketLength, Repacketiser};
use majlis_core::fanout::ProgrammePacket;
use majlis_core::{ChannelId, Micros, StageId, WallClock};
use std::collections::BTreeSet;

/// Replaced for each listener by what it negotiated.
const ANY_PAYLOAD_TYPE: u8 = 111;
/// Frames lost in a row that listeners see as loss; a longer gap is a pause.
const MAX_VISIBLE_LOSS: u32 = 50;

/// Where packets and exported frames go.
pub trait Output {
    /// A packet for all listeners of its channel.
    fn packet(&mut self, packet: &ProgrammePacket);
    /// A frame in wire form for the outside.
    fn export(&mut self, channel: ChannelId, frame: Vec<u8>);
    /// How long a remote channel's buffer held the frame captured at that NTP time.
    fn held(&mut self, capture_ntp: u64, held: Micros);
}

enum Source<M> {
    Home(Box<Home<M>>),
    Remote(Box<Playout>),
}

struct Home<M> {
    stage: StageId,
    /// Whom it mixes when they are on the stage; nobody at first.
    sources: BTreeSet<u32>,
    /// None while nobody listens.
    mixer: Option<M>,
    mixed: BTreeSet<u32>,
    muted: BTreeSet<u32>,
    bitrate: u32,
    seed: u32,
    instances: u32,
    /// The mixer is there if it is wanted, and has everyone it should have.
    settled: bool,
}

/// A channel.
pub struct Channel<M> {
    id: ChannelId,
    source: Source<M>,
    export: bool,
    audience: bool,
    length: PacketLength,
    joiner: Repacketiser,
    line: Line,
}

impl<M: Mixing> Channel<M> {
    /// A home channel of `stage`, or a remote one.
    pub fn new(id: ChannelId, stage: Option<StageId>, seed: u32) -> Self {
        let home = |stage| Home {
            stage,
            sources: BTreeSet::new(),
            mixer: None,
            mixed: BTreeSet::new(),
            muted: BTreeSet::new(),
            bitrate: DEFAULT_BITRATE,
            seed,
            instances: 0,
            settled: true,
        };
        Self {
            id,
            source: match stage {
                Some(stage) => Source::Home(Box::new(home(stage))),
                None => Source::Remote(Box::default()),
            },
            export: false,
            audience: false,
            length: PacketLength::Ms20,
            joiner: Repacketiser::new(PacketLength::Ms20),
            line: Line::new(id),
        }
    }

    /// The stage that feeds it.
    pub fn stage(&self) -> Option<StageId> {
        match &self.source {
            Source::Home(home) => Some(home.stage),
            Source::Remote(_) => None,
        }
    }

    /// Whether a mixer runs.
    pub fn has_mixer(&self) -> bool {
        matches!(&self.source, Source::Home(home) if home.mixer.is_some())
    }

    /// Depth of a remote channel's buffer.
    pub fn playout_depth_ms(&self) -> u32 {
        match &self.source {
            Source::Home(_) => 0,
            Source::Remote(playout) => playout.depth_ms(),
        }
    }

    /// Frames that never came.
    pub fn missing(&self) -> u64 {
        match &self.source {
            Source::Home(_) => 0,
            Source::Remote(playout) => playout.counters.missing,
        }
    }

    /// Which members are mixed, and nobody else; takes effect with the next [`Channel::reconcile`].
    pub fn set_sources(&mut self, members: Vec<u32>) {
        if let Source::Home(home) = &mut self.source {
            home.sources = members.into_iter().collect();
        }
    }

    /// Whether frames are wanted outside; takes effect with the next [`Channel::set_audience`].
    pub fn set_export(&mut self, wanted: bool) {
        self.export = wanted;
    }

    /// Whether anybody listens here. A channel that nobody hears runs no mixer.
    pub fn set_audience(&mut self, present: bool, now: Micros) {
        self.audience = present;
        let wanted = self.audience || self.export;
        let Source::Home(home) = &mut self.source else { return };
        if !wanted {
            home.stop();
        } else if home.mixer.is_none() {
            home.start(now);
        }
    }

    /// Makes the mixer's members agree with who is on the stage.
    pub fn reconcile(&mut self, all: &BTreeSet<u32>, muted: &BTreeSet<u32>) {
        if let Source::Home(home) = &mut self.source {
            home.reconcile(all, muted);
        }
    }

    /// Whether [`Channel::set_audience`] and [`Channel::reconcile`] did all that was asked; else they are called again.
    pub fn is_settled(&self) -> bool {
        !matches!(&self.source, Source::Home(home) if !home.settled)
    }

    /// Changes the length of listeners' packets.
    pub fn set_packet_length(&mut self, length: PacketLength, now: Micros, out: &mut impl Output) {
        self.length = length;
        let (line, audience) = (&mut self.line, self.audience);
        self.joiner.set_length(length, |media| line.send(media, now, audience, out));
    }

    /// Changes the encoder's target.
    pub fn set_bitrate(&mut self, bits_per_second: u32) {
        if let Source::Home(home) = &mut self.source {
            home.bitrate = bits_per_second;
            if let Some(mixer) = &mut home.mixer {
                // The range is checked where the call came in; a refusal leaves the old rate.
                mixer.set_bitrate(bits_per_second);
            }
        }
    }

    /// A microphone packet of the stage.
    pub fn hear(&mut self, member: u32, packet: RtpIn<'_>, arrival: Micros) {
        if let Source::Home(home) = &mut self.source
            && let Some(mixer) = &mut home.mixer
        {
            mixer.handle_rtp(member, packet, arrival);
        }
    }

    /// A frame from outside; false when it is refused.
    pub fn push(&mut self, frame: ProgrammeFrame, arrival: Micros) -> bool {
        match &mut self.source {
            Source::Home(_) => false,
            Source::Remote(playout) => matches!(playout.push(frame, arrival), Pushed::Kept),
        }
    }

    /// Begins anew after a panic; members come back with the next [`Channel::reconcile`].
    pub fn restart(&mut self) {
        match &mut self.source {
            Source::Home(home) => {
                home.stop();
                home.settled = false;
            }
            Source::Remote(playout) => **playout = Playout::default(),
        }
        self.joiner = Repacketiser::new(self.length);
    }

    /// Does what is due; returns how many frames there were.
    pub fn poll(&mut self, now: Micros, clock: &WallClock, out: &mut impl Output) -> u64 {
        let mut frames = 0;
        while let Some(frame) = self.source.next_frame(now, clock) {
            frames += 1;
            match &self.source {
                Source::Home(_) if self.export => out.export(self.id, frame.encode()),
                Source::Home(_) => {}
                Source::Remote(playout) => out.held(frame.capture_ntp, playout.held()),
            }
            let (line, audience) = (&mut self.line, self.audience);
            self.joiner.push(&frame, now, |media| line.send(media, now, audience, out));
        }
        let (line, audience) = (&mut self.line, self.audience);
        self.joiner.poll(now, |media| line.send(media, now, audience, out));
        frames
    }

    /// When [`Channel::poll`] has something to do.
    pub fn next_due(&self) -> Option<Micros> {
        let source = match &self.source {
            Source::Home(home) => home.mixer.as_ref().map(Mixing::next_poll),
            Source::Remote(playout) => playout.next_due(),
        };
        [source, self.joiner.deadline()].into_iter().flatten().min()
    }

    /// A JSON object.
    pub fn dump(&self) -> String {
        let source = match &self.source {
            Source::Home(home) => home.dump(),
            Source::Remote(playout) => {
                let counters = &playout.counters;
                format!(
                    r#""remote":true,"depth_ms":{},"played":{},"missing":{},"late":{}"#,
                    playout.depth_ms(),
                    counters.played,
                    counters.missing,
                    counters.late
                )
            }
        };
        let (id, ms) = (self.id.0, self.length.frames() * 20);
        let (export, audience, packets) = (self.export, self.audience, self.line.next);
        format!(
            r#"{{"channel":{id},"packet_ms":{ms},"export":{export},"audience":{audience},"packets":{packets},{source}}}"#
        )
    }
}

impl<M: Mixing> Source<M> {
    fn next_frame(&mut self, now: Micros, clock: &WallClock) -> Option<ProgrammeFrame> {
        match self {
            Self::Home(home) => home.mixer.as_mut()?.poll_frame(now, clock.ntp(now)),
            Self::Remote(playout) => playout.poll(now),
        }
    }
}

impl<M: Mixing> Home<M> {
    fn start(&mut self, now: Micros) {
        // An odd step visits all 32-bit numbers before it repeats one.
        let stream = self.seed.wrapping_add(self.instances.wrapping_mul(0x9e37_79b9));
        self.instances += 1;
        let config = MixerConfig {
            stream,
            first_sequence: stream,
            first_timestamp: stream.rotate_left(16),
            bits_per_second: self.bitrate,
        };
        self.mixer = M::begin(config, now);
        self.settled = self.mixer.is_some();
    }

    fn stop(&mut self) {
        self.mixer = None;
        self.mixed.clear();
        self.muted.clear();
        self.settled = true;
    }

    fn reconcile(&mut self, all: &BTreeSet<u32>, muted: &BTreeSet<u32>) {
        let Some(mixer) = &mut self.mixer else { return };
        let wanted: BTreeSet<u32> = all.intersection(&self.sources).copied().collect();
        for member in self.mixed.difference(&wanted) {
            mixer.remove_member(*member);
        }
        // Fails only without memory.
        let mixed: BTreeSet<u32> = wanted.iter().copied().filter(|member| mixer.add_member(*member)).collect();
        for member in &mixed {
            let is_muted = muted.contains(member);
            if is_muted != self.muted.contains(member) || !self.mixed.contains(member) {
                mixer.set_muted(*member, is_muted);
            }
        }
        self.settled = mixed.len() == wanted.len();
        self.muted = muted.clone();
        self.mixed = mixed;
    }

    fn dump(&self) -> String {
        let speakers: Vec<String> = self.mixer.iter().flat_map(Mixing::dump).collect();
        let (stage, running, bitrate) = (self.stage.0, self.mixer.is_some(), self.bitrate);
        format!(r#""stage":{stage},"mixing":{running},"bitrate":{bitrate},"speakers":[{}]"#, speakers.join(","))
    }
}

/// The listeners' stream of a channel on this relay: one sequence and one time line, whatever happens upstream.
struct Line {
    packet: Box<ProgrammePacket>,
    history: RedHistory,
    red: Vec<u8>,
    next: u64,
    /// Stream, sequence expected next, timestamp offset.
    upstream: Option<(u32, u32, u32)>,
    last: Option<(u32, Micros)>,
}

impl Line {
    fn new(id: ChannelId) -> Self {
        Self {
            packet: Box::new(ProgrammePacket::new(id)),
            history: RedHistory::default(),
            red: Vec::with_capacity(1500),
            next: 0,
            upstream: None,
            last: None,
        }
    }

    /// Places a packet on the line and gives it out when anybody listens.
    fn send(&mut self, media: &MediaPacket, now: Micros, audience: bool, out: &mut impl Output) {
        let frames = (media.samples / FRAME_SAMPLES).max(1);
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
            self.history.wrap(media, ANY_PAYLOAD_TYPE, depth + 1, &mut self.red);
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
