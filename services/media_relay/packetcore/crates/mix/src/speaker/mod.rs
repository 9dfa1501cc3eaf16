//! One speaker: packets in; out comes either sound (he is *hot*: decoded), or packets as they are (he is *cold*).

mod cold;
mod hot;
mod turn;

use crate::bed::Balance;
use crate::codec::{CodecError, MAX_PACKET, SpeechDecoder};
use crate::jitter::{Inserted, JitterBuffer, Stored};
use crate::level::SpeakerLevel;
use crate::recent::{Recent, Taken};
use crate::record::Record;
use crate::trust::Trust;
use cold::Cold;
use majlis_programme::{Part, RtpIn};

/// What happened to a speaker's packets so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpeakerCounters {
    /// Packets taken for playing.
    pub packets: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Payloads that are not Opus.
    pub malformed: u64,
    /// Restarts of the sender.
    pub restarts: u64,
    /// Samples invented by concealment.
    pub concealed_samples: u64,
    /// Samples rebuilt from in-band FEC.
    pub recovered_samples: u64,
    /// Samples cut out to catch up.
    pub cut_samples: u64,
    /// Samples put in to wait.
    pub stretched_samples: u64,
}

/// What a hand-over makes of a speaker in the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Swap {
    /// Nothing.
    #[default]
    None,
    /// He falls silent with its first samples.
    Going,
    /// He is heard from there on.
    Coming,
}

/// A speaker's buffer, decoder and loudness.
pub struct Speaker {
    buffer: JitterBuffer,
    /// Packets taken out of the buffer.
    recent: Recent,
    decoder: SpeechDecoder,
    /// None while he is decoded for the mix.
    cold: Option<Cold>,
    /// Decoded sound not yet mixed.
    ready: Vec<f32>,
    /// Timestamp after the last sample in `ready`; none while idle, or cold.
    playing: Option<i64>,
    /// Samples extrapolated since the buffer ran dry.
    starved: usize,
    /// The last packet said that silence follows.
    resting: bool,
    /// Sequence number of the packet taken last.
    sequence: Option<i64>,
    /// The sound made last does not lead up to the next packet: join them.
    rejoin: bool,
    record: Record,
    trust: Trust,
    /// His own packets are what listeners hear.
    passed: bool,
    /// He was cut off while his packets were heard: what comes is another stream, or nothing.
    cut: bool,
    /// He became hot in this tick, whose level is known already.
    warmed: bool,
    /// Loudness and speech decision.
    pub level: SpeakerLevel,
    /// Enforced silence.
    pub muted: bool,
    /// What he is in the mix.
    pub part: Part,
    /// What the next frame makes of that.
    pub swap: Swap,
    /// Totals.
    pub counters: SpeakerCounters,
}

impl Speaker {
    /// A speaker of whom nothing is known; the seed is secret.
    pub fn new(seed: u64) -> Result<Self, CodecError> {
        Ok(Self {
            buffer: JitterBuffer::default(),
            recent: Recent::default(),
            decoder: SpeechDecoder::new()?,
            cold: Some(Cold::default()),
            ready: Vec::with_capacity(2 * MAX_PACKET),
            playing: None,
            starved: 0,
            resting: false,
            sequence: None,
            rejoin: false,
            record: Record::default(),
            trust: Trust::new(seed),
            passed: false,
            cut: false,
            warmed: false,
            level: SpeakerLevel::default(),
            muted: false,
            part: Part::default(),
            swap: Swap::default(),
            counters: SpeakerCounters::default(),
        })
    }

    /// Takes a packet that arrived at sample time `now`.
    pub fn insert(&mut self, packet: RtpIn<'_>, now: i64) -> Inserted {
        let outcome = self.buffer.insert(packet, now, self.is_idle_now());
        match outcome {
            Inserted::Kept => self.counters.packets += 1,
            Inserted::Late => self.counters.late += 1,
            Inserted::Duplicate => self.counters.duplicates += 1,
            Inserted::Malformed => self.counters.malformed += 1,
            Inserted::Restarted => {
                self.counters.packets += 1;
                self.counters.restarts += 1;
                self.cut_off();
            }
        }
        outcome
    }

    /// Mutes or unmutes; what was waiting is never heard, what is being heard fades out.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if muted {
            self.buffer.discard();
            self.cut_off();
        }
    }

    /// Whether he speaks and is for listeners to hear.
    pub fn is_to_be_heard(&self, balance: &Balance) -> bool {
        balance.is_open(self.part) && self.level.is_active() && !self.muted
    }

    /// Gives way, or follows who does.
    pub fn become_part(&mut self, part: Part) {
        self.swap = match (self.part, part, self.swap) {
            (Part::Voice, Part::Ready, Swap::Coming) | (Part::Ready, Part::Voice, Swap::Going) => Swap::None,
            (Part::Voice, Part::Ready, _) => Swap::Going,
            (Part::Ready, Part::Voice, _) => Swap::Coming,
            (_, _, swap) => swap,
        };
        if self.swap == Swap::Coming {
            self.level.prepare();
        }
        self.part = part;
    }

    /// The stream that he sent ends here.
    fn cut_off(&mut self) {
        if self.passed {
            // What of him has been heard is needed for his end to fade; the next tick does it.
            self.cut = true;
            return;
        }
        if self.is_hot() {
            self.stop();
        } else {
            self.cold = Some(Cold::default());
        }
        self.recent.clear();
        self.decoder.reset();
    }

    /// How long packets are held back now, samples.
    pub fn target(&self) -> i64 {
        self.buffer.target()
    }

    /// Nothing to hear and nothing to come.
    pub fn is_idle(&self) -> bool {
        self.is_idle_now() && self.ready.is_empty() && self.buffer.is_empty()
    }

    /// Nothing of him is being played.
    fn is_idle_now(&self) -> bool {
        match &self.cold {
            Some(cold) => cold.is_idle(),
            None => self.playing.is_none(),
        }
    }

    /// Keeps a packet that was decoded, with what it measured.
    fn note_decoded(&mut self, packet: Stored, measured: f32) {
        self.trust.compare(packet.stated.map(stated_dbov), measured);
        self.record.took(packet.payload.len());
        self.recent.push(Taken { packet, dbov: measured });
    }
}

/// A level as RFC 6464 states it, as dBov.
fn stated_dbov(stated: u8) -> f32 {
    -f32::from(stated.min(127))
}
