//! One programme channel: its source (a mixer or a playout buffer), and the packets its listeners get.

mod home;
mod line;

use crate::frame::ProgrammeFrame;
use crate::mixing::{MixTotals, Mixing, RtpIn, THRIFT_BITRATE};
use crate::plan::{Members, MixPlan};
use crate::playout::{Playout, Pushed};
use crate::repacketise::{PacketLength, Repacketiser};
use home::Home;
use line::Line;
use majlis_core::fanout::ProgrammePacket;
use majlis_core::{ChannelId, Micros, StageId, WallClock};

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

/// A channel.
pub struct Channel<M> {
    id: ChannelId,
    source: Source<M>,
    export: bool,
    audience: bool,
    thrift: bool,
    length: PacketLength,
    joiner: Repacketiser,
    line: Line,
}

impl<M: Mixing> Channel<M> {
    /// A home channel of `stage`, or a remote one.
    pub fn new(id: ChannelId, stage: Option<StageId>, seed: u32) -> Self {
        Self {
            id,
            source: match stage {
                Some(stage) => Source::Home(Box::new(Home::new(stage, seed))),
                None => Source::Remote(Box::default()),
            },
            export: false,
            audience: false,
            thrift: false,
            length: PacketLength::Ms20,
            joiner: Repacketiser::new(PacketLength::Ms20),
            line: Line::new(id),
        }
    }

    /// Makes it a thrifty one, before anything else happens to it: few bits, long frames, long packets, no repetitions. It
    /// stays that way, however relays shed load.
    pub fn be_thrifty(&mut self) {
        self.thrift = true;
        self.length = PacketLength::Ms120;
        self.joiner = Repacketiser::new(self.length);
        self.line.be_thrifty();
        if let Source::Home(home) = &mut self.source {
            home.stop();
            (home.thrift, home.bitrate, home.settled) = (true, THRIFT_BITRATE, false);
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

    /// Whom it mixes, and nobody else; takes effect with the next [`Channel::reconcile`].
    pub fn set_plan(&mut self, plan: MixPlan) {
        if let Source::Home(home) = &mut self.source {
            home.plan = plan;
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
    pub fn reconcile(&mut self, there: &Members, now: Micros) {
        if let Source::Home(home) = &mut self.source {
            home.reconcile(there, now);
        }
    }

    /// Whether [`Channel::set_audience`] and [`Channel::reconcile`] did all that was asked; else they are called again.
    pub fn is_settled(&self) -> bool {
        !matches!(&self.source, Source::Home(home) if !home.settled)
    }

    /// Changes the length of listeners' packets; those of a thrifty channel stay long.
    pub fn set_packet_length(&mut self, length: PacketLength, now: Micros, out: &mut impl Output) {
        if self.thrift {
            return;
        }
        self.length = length;
        let (line, audience) = (&mut self.line, self.audience);
        self.joiner.set_length(length, |media| line.send(media, now, audience, out));
    }

    /// Whether listeners who asked for redundancy get it; without it they get plain packets.
    pub fn set_redundancy(&mut self, wanted: bool) {
        self.line.redundancy = wanted && !self.thrift;
    }

    /// Changes the encoder's target; that of a thrifty channel stays low.
    pub fn set_bitrate(&mut self, bits_per_second: u32) {
        if let Source::Home(home) = &mut self.source
            && !self.thrift
        {
            home.bitrate = bits_per_second;
            if let Some(mixer) = &mut home.mixer {
                // The range is checked where the call came in; a refusal leaves the old rate.
                mixer.set_bitrate(bits_per_second);
            }
        }
    }

    /// How hard its encoders work (0 to 10), those of mixers that begin later too.
    pub fn set_effort(&mut self, complexity: u8) {
        if let Source::Home(home) = &mut self.source {
            home.complexity = complexity;
            if let Some(mixer) = &mut home.mixer {
                mixer.set_effort(complexity);
            }
        }
    }

    /// What its mixers did, those that have ended too.
    pub fn totals(&self) -> MixTotals {
        match &self.source {
            Source::Home(home) => home.totals(),
            Source::Remote(_) => MixTotals::default(),
        }
    }

    /// A microphone packet of the stage, and in which booth it was spoken.
    pub fn hear(&mut self, (member, booth): (u32, u32), packet: RtpIn<'_>, arrival: Micros) {
        if let Source::Home(home) = &mut self.source
            && home.plan.takes(member, booth)
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

    /// Gives out the next frame that is due, if one is, and what waits for no companion; returns how many frames it was.
    pub fn poll(&mut self, now: Micros, clock: &WallClock, out: &mut impl Output) -> u64 {
        let frame = self.source.next_frame(now, clock);
        let (line, audience) = (&mut self.line, self.audience);
        if let Some(frame) = &frame {
            match &self.source {
                Source::Home(_) if self.export => out.export(self.id, frame.encode()),
                Source::Home(_) => {}
                Source::Remote(playout) => out.held(frame.capture_ntp, playout.held()),
            }
            self.joiner.push(frame, now, |media| line.send(media, now, audience, out));
        }
        self.joiner.poll(now, |media| line.send(media, now, audience, out));
        u64::from(frame.is_some())
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
        let (id, ms) = (self.id.0, self.length.ms());
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
