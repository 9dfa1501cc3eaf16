//! What watchers may know of the endpoint.

use super::Endpoint;
use super::session::{Role, Session};
use crate::stage::MemberLevel;
use crate::types::{ChannelId, Micros, SessionId, StageId};
use std::net::SocketAddr;

/// One session's numbers; what a listener was sent is known by its shard.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SessionInfo {
    /// The shard that sends to it, for listeners.
    pub shard: Option<usize>,
    /// A listener's channel.
    pub channel: Option<ChannelId>,
    /// A stage session's stage and member number.
    pub stage: Option<(StageId, u32)>,
    /// Muted on stage.
    pub muted: bool,
    /// RED is on.
    pub red: bool,
    /// RTP packets forwarded to a stage session.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Authenticated RTP packets.
    pub packets_received: u64,
    /// 0..1, last report.
    pub fraction_lost: f64,
    /// Last report.
    pub jitter_seconds: f64,
    /// Last report that allows it.
    pub round_trip_seconds: Option<f64>,
    /// Whether media goes over TCP.
    pub tcp: bool,
    /// Where media goes.
    pub address: Option<SocketAddr>,
    /// Nominated and keyed.
    pub connected: bool,
}

/// Sums over all sessions at the last sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauges {
    /// All sessions.
    pub sessions: u64,
    /// Nominated and keyed.
    pub connected: u64,
    /// On a stage.
    pub stage_sessions: u64,
    /// Listeners.
    pub listeners: u64,
    /// Listeners that get RED.
    pub red_listeners: u64,
    /// Sessions whose media goes over TCP.
    pub tcp_sessions: u64,
    /// Of those, listeners.
    pub tcp_listeners: u64,
    /// Sessions that reported at least once.
    pub reporting: u64,
    /// Sum of their last fractions lost, 1/256.
    pub lost_256: u64,
    /// Sum of their jitters, µs.
    pub jitter_micros: u64,
    /// Sum of their round trips, µs.
    pub round_trip_micros: u64,
}

impl Gauges {
    pub(super) fn add(&mut self, session: &Session) {
        self.sessions += 1;
        self.connected += u64::from(session.is_connected());
        let tcp = u64::from(session.agent.nominated().is_some_and(|path| path.is_tcp()));
        self.tcp_sessions += tcp;
        match &session.role {
            Role::None => {}
            Role::Stage(_) => self.stage_sessions += 1,
            Role::Listener(role) => {
                self.listeners += 1;
                self.tcp_listeners += tcp;
                self.red_listeners += u64::from(role.red > 0);
            }
        }
        let feedback = &session.feedback;
        if feedback.reports > 0 {
            self.reporting += 1;
            self.lost_256 += u64::from(feedback.fraction_lost);
            self.jitter_micros += u64::from(feedback.jitter) * 1000 / 48;
            self.round_trip_micros += u64::from(feedback.round_trip.unwrap_or(0)) * 1_000_000 / 65_536;
        }
    }
}

impl Endpoint {
    /// Sums of the last sweep (at most 200 ms old).
    pub fn gauges(&self) -> Gauges {
        self.gauges
    }

    /// One session; None when it has ended.
    pub fn session_info(&self, id: SessionId) -> Option<SessionInfo> {
        let session = self.sessions.get(&id)?;
        let feedback = &session.feedback;
        let mut info = SessionInfo {
            packets_received: session.packets_received,
            fraction_lost: f64::from(feedback.fraction_lost) / 256.0,
            jitter_seconds: f64::from(feedback.jitter) / 48_000.0,
            round_trip_seconds: feedback.round_trip.map(|trip| f64::from(trip) / 65_536.0),
            tcp: session.agent.nominated().is_some_and(|path| path.is_tcp()),
            address: session.agent.nominated().map(|path| path.remote),
            connected: session.is_connected(),
            ..SessionInfo::default()
        };
        match &session.role {
            Role::None => {}
            Role::Stage(role) => {
                info.stage = Some((role.stage, role.format.member));
                info.muted = role.muted;
                info.packets_sent = role.sent_packets;
                info.bytes_sent = role.sent_bytes;
            }
            Role::Listener(role) => {
                info.shard = Some(role.shard);
                info.channel = Some(role.channel);
                info.red = role.red > 0;
            }
        }
        Some(info)
    }

    /// All sessions, in order of their handles.
    pub fn session_ids(&self) -> Vec<SessionId> {
        let mut ids: Vec<_> = self.sessions.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// All stages, in order of their handles.
    pub fn stage_ids(&self) -> Vec<StageId> {
        let mut ids: Vec<_> = self.stages.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Channels that have listeners here, with how many.
    pub fn audiences(&self) -> Vec<(ChannelId, usize)> {
        let mut audiences: Vec<_> = self.audiences.iter().map(|(channel, count)| (*channel, *count)).collect();
        audiences.sort_unstable();
        audiences
    }

    /// Levels of everyone on a stage.
    pub fn stage_levels(&self, stage: StageId, now: Micros) -> Vec<MemberLevel> {
        self.stages.get(&stage).map(|stage| stage.levels(now)).unwrap_or_default()
    }
}
