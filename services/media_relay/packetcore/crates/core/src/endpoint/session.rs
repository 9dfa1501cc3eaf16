//! One session as the endpoint keeps it.

use super::reception::Reception;
use super::{SlotFormat, StageFormat};
use crate::ice::LiteAgent;
use crate::limits::{Ear, Policer, TokenBucket};
use crate::pacer::Pacer;
use crate::rewrite::Rewriter;
use crate::srtp::{OpenKey, SealKey, SendStream};
use crate::types::{ChannelId, Micros, Path, SECOND, StageId};

/// A listener whose reports show at least this loss (of 256) gets RED.
const RED_ON: u8 = 5;
/// From here on (5 %) two packets in a row are lost often enough to be heard: each payload repeats two before it.
const RED_TWICE: u8 = 13;
/// So many reports in a row with at most [`RED_OFF`] lost end it.
const RED_OFF_REPORTS: u8 = 3;
const RED_OFF: u8 = 1;

/// RTCP compounds heard from one session: a browser sends a few a second at most.
const REPORTS_PER_SECOND: u64 = 50;
/// DTLS datagrams heard from one session: both flights of a handshake, each sent several times, and then an alert.
const DTLS_PER_SECOND: u64 = 20;
const DTLS_BURST: u64 = 60;

pub(super) struct Session {
    pub agent: LiteAgent,
    pub created: Micros,
    /// None before the keys are known, and once they have moved to a sender shard.
    pub seal: Option<SealKey>,
    pub open: Option<OpenKey>,
    pub role: Role,
    /// The validated path that last sent DTLS: where a handshake is answered before nomination.
    pub dtls_path: Option<Path>,
    pub media_seen: bool,
    pub packets_received: u64,
    pub feedback: Feedback,
    /// RTCP, and RTP of who is not on stage.
    pub ear: Ear,
    /// DTLS datagrams, which Python reads.
    pub dtls: TokenBucket,
    /// Of one whose microphone comes from outside.
    pub outside: Option<Box<Pacer>>,
}

pub(super) enum Role {
    /// Not said yet.
    None,
    Stage(Box<StageRole>),
    Listener(ListenerRole),
}

pub(super) struct StageRole {
    pub stage: StageId,
    pub format: StageFormat,
    pub slots: Vec<SlotSender>,
    pub policer: Policer,
    pub reception: Option<Reception>,
    pub report_at: Micros,
    pub muted: bool,
    pub sent_packets: u64,
    pub sent_bytes: u64,
}

pub(super) struct SlotSender {
    pub format: SlotFormat,
    pub stream: Option<SendStream>,
    pub rewriter: Rewriter,
    pub packets: u32,
    pub octets: u32,
}

pub(super) struct ListenerRole {
    pub channel: ChannelId,
    pub shard: usize,
    pub ssrc: u32,
    pub offered_red: bool,
    /// Earlier packets that each payload repeats; 0: no RED.
    pub red: u8,
    clean_reports: u8,
}

/// What the other side reports of what it receives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Feedback {
    pub reports: u64,
    pub fraction_lost: u8,
    /// Timestamp units, 48 kHz.
    pub jitter: u32,
    /// 1/65536 s.
    pub round_trip: Option<u32>,
}

impl Session {
    pub fn new(ufrag: &str, pwd: &str, now: Micros) -> Self {
        Self {
            agent: LiteAgent::new(ufrag, pwd, now),
            created: now,
            seal: None,
            open: None,
            role: Role::None,
            dtls_path: None,
            media_seen: false,
            packets_received: 0,
            feedback: Feedback::default(),
            ear: Ear::new(REPORTS_PER_SECOND, 2 * REPORTS_PER_SECOND, SECOND, now),
            dtls: TokenBucket::new(DTLS_PER_SECOND, DTLS_BURST, now),
            outside: None,
        }
    }

    /// One whose microphone comes from outside: no check can ever be one of its own.
    pub fn outside(now: Micros) -> Self {
        Self { outside: Some(Box::default()), ..Self::new("", "", now) }
    }

    pub fn is_connected(&self) -> bool {
        self.outside.is_some() || self.open.is_some() && self.agent.nominated().is_some()
    }

    /// Whether RTP is worth decrypting now.
    pub fn listens_to_rtp(&self, now: Micros) -> bool {
        match &self.role {
            Role::Stage(role) => role.policer.listens(now),
            Role::None | Role::Listener(_) => self.ear.listens(now),
        }
    }

    /// Opens the slots' streams once key and role are both there.
    pub fn open_slots(&mut self) {
        let (Some(key), Role::Stage(role)) = (&mut self.seal, &mut self.role) else { return };
        for slot in role.slots.iter_mut().filter(|slot| slot.stream.is_none()) {
            slot.stream = key.open_stream(slot.format.ssrc, slot.format.start.sequence).ok();
        }
    }
}

impl SlotSender {
    pub fn new(format: SlotFormat) -> Self {
        Self { format, stream: None, rewriter: Rewriter::new(format.start.timestamp), packets: 0, octets: 0 }
    }
}

impl ListenerRole {
    pub fn new(channel: ChannelId, shard: usize, ssrc: u32, offered_red: bool) -> Self {
        Self { channel, shard, ssrc, offered_red, red: 0, clean_reports: 0 }
    }

    /// Judges a report's loss; Some(earlier packets to repeat) when that changes.
    pub fn judge_loss(&mut self, fraction_lost: u8) -> Option<u8> {
        self.clean_reports = if fraction_lost <= RED_OFF { self.clean_reports.saturating_add(1) } else { 0 };
        let wanted = match fraction_lost {
            _ if !self.offered_red || self.clean_reports >= RED_OFF_REPORTS => 0,
            RED_TWICE.. => 2,
            RED_ON.. => self.red.max(1),
            _ => self.red,
        };
        if wanted == self.red {
            return None;
        }
        self.red = wanted;
        Some(wanted)
    }
}
