//! All sessions of one media port, sans-IO: datagrams, commands and time go in, datagrams and facts come out.
//!
//! Contract: [`Endpoint::handle_datagram`] for each datagram, [`Endpoint::handle_command`] for each command,
//! [`Endpoint::handle_time`] when it says; everything that results is told to the [`Sink`] at once. Nothing
//! unauthenticated causes a reply, an event or state.

mod commands;
mod engine;
mod info;
mod media;
mod reception;
mod reports;
mod session;
mod timers;
mod uplink;

pub use engine::Endpoint;
pub use info::{Gauges, SessionInfo};
pub use reception::Reception;

use crate::fanout::{self, ListenerFormat, StreamStart, Transmit};
use crate::srtp::{OpenKey, SealKey};
use crate::stage::Place;
use crate::types::{ChannelId, Micros, Path, SessionId, StageId};
use std::collections::BTreeSet;

/// What Python asks for. Handles are minted and arguments checked by the caller; a command for a session that has ended
/// in the meantime is ignored.
pub enum Command {
    /// A new ICE-lite session.
    AddSession {
        /// Its handle.
        session: SessionId,
        /// Local user fragment.
        ufrag: String,
        /// Local password.
        pwd: String,
    },
    /// A new session whose microphone comes from outside, and not over the media port: nothing is sent to it.
    AddOutside(SessionId),
    /// Packets of such a microphone, in order, each with its RTP timestamp.
    Speak(SessionId, Vec<(u32, Vec<u8>)>),
    /// New credentials.
    RestartIce {
        /// Which session.
        session: SessionId,
        /// New local user fragment.
        ufrag: String,
        /// New local password.
        pwd: String,
    },
    /// SRTP keys, derived by the caller so that the packet thread does not.
    SetKeys {
        /// Which session.
        session: SessionId,
        /// Sending keys.
        seal: Box<SealKey>,
        /// Receiving keys.
        open: Box<OpenKey>,
    },
    /// A DTLS datagram to send.
    SendDtls(SessionId, Vec<u8>),
    /// The end of a session.
    Remove(SessionId),
    /// A new stage.
    AddStage(StageId),
    /// The end of a stage.
    RemoveStage(StageId),
    /// A session becomes a stage session.
    Join {
        /// Which session.
        session: SessionId,
        /// Which stage.
        stage: StageId,
        /// What was negotiated.
        format: StageFormat,
    },
    /// Mutes or unmutes a stage session's microphone.
    SetMuted(SessionId, bool),
    /// What a stage session hears beside its partners, and whether it leads its booth.
    SetHearing {
        /// Which session.
        session: SessionId,
        /// What an interpreter works from, or the booth that helps somebody on the floor.
        hears: u32,
        /// Whether it is heard by those who work from its booth.
        leads: bool,
        /// Members for whom it needs no interpreter.
        clear: BTreeSet<u32>,
    },
    /// A session becomes an audience session.
    Attach {
        /// Which session.
        session: SessionId,
        /// Which channel.
        channel: ChannelId,
        /// What was negotiated.
        format: ListenerFormat,
        /// Where its stream begins.
        start: StreamStart,
    },
    /// Another channel for a listener.
    Switch(SessionId, ChannelId),
    /// Pauses or resumes a listener.
    Pause(SessionId, bool),
    /// The end of a channel.
    RemoveChannel(ChannelId),
}

impl Command {
    /// The one session it concerns.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::AddSession { session, .. }
            | Self::RestartIce { session, .. }
            | Self::SetKeys { session, .. }
            | Self::SendDtls(session, _)
            | Self::AddOutside(session)
            | Self::Speak(session, _)
            | Self::Remove(session)
            | Self::Join { session, .. }
            | Self::SetMuted(session, _)
            | Self::SetHearing { session, .. }
            | Self::Attach { session, .. }
            | Self::Switch(session, _)
            | Self::Pause(session, _) => Some(*session),
            Self::AddStage(_) | Self::RemoveStage(_) | Self::RemoveChannel(_) => None,
        }
    }
}

/// What a stage session negotiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFormat {
    /// Member number.
    pub member: u32,
    /// Opus in the direction of the relay.
    pub payload_type: u8,
    /// Extension id of the audio level in the direction of the relay.
    pub level_extension_id: Option<u8>,
    /// The streams to hear others by.
    pub slots: Vec<SlotFormat>,
    /// Where they speak, and what they hear.
    pub place: Place,
}

/// One stream to hear others by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotFormat {
    /// Its SSRC.
    pub ssrc: u32,
    /// Opus in the direction of the client.
    pub payload_type: u8,
    /// Where its stream begins.
    pub start: StreamStart,
}

/// What happened that Python must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A DTLS datagram from a validated address.
    Dtls(SessionId, Vec<u8>),
    /// Media goes to this path now.
    Nominated(SessionId, Path),
    /// The first authenticated RTP of a stage session.
    Media(SessionId),
    /// No valid check and no authenticated packet for 5 s.
    Idle(SessionId),
    /// Signs of life again after idle.
    Active(SessionId),
    /// Consent ran out, or the session never came up; it is closed.
    Expired(SessionId),
    /// Processing the session failed; it is closed.
    Failed(SessionId, String),
}

/// What the programme side learns of the stages and audiences here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageFact {
    /// A member may be mixed.
    Joined(StageId, u32),
    /// A member is gone.
    Left(StageId, u32),
    /// A member's microphone is off or on.
    Muted(StageId, u32, bool),
    /// Who holds the floor from now on.
    Holds(StageId, Option<u32>),
    /// A channel has listeners here, or none any more.
    Audience(ChannelId, bool),
}

/// An authenticated microphone packet for the programme.
#[derive(Debug, Clone, Copy)]
pub struct StageMedia<'a> {
    /// On which stage.
    pub stage: StageId,
    /// Whose.
    pub member: u32,
    /// In which booth it was spoken; [`FLOOR`](crate::stage::FLOOR) on the floor.
    pub booth: u32,
    /// Its source; a change is a restart.
    pub ssrc: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 48 kHz.
    pub timestamp: u32,
    /// The level that its sender states (RFC 6464), -dBov 0..=127; none when it states none.
    pub level: Option<u8>,
    /// The Opus packet.
    pub payload: &'a [u8],
    /// When it arrived.
    pub arrival: Micros,
}

/// Where everything that results goes.
pub trait Sink: Transmit {
    /// Something Python must know; false when there is no room, and the endpoint forgets it.
    fn event(&mut self, event: Event) -> bool;
    /// A command for a sender shard.
    fn fanout(&mut self, shard: usize, command: fanout::Command);
    /// A fact for the programme thread.
    fn fact(&mut self, fact: StageFact);
    /// A packet for the programme thread.
    fn media(&mut self, media: &StageMedia<'_>);
}

/// Why a datagram went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// First byte of no protocol we speak.
    Unknown,
    /// Not a STUN message, or a wrong fingerprint.
    StunMalformed,
    /// STUN, but no request.
    StunNotRequest,
    /// A user fragment of no session.
    StunUnknownUfrag,
    /// MESSAGE-INTEGRITY missing or wrong.
    StunIntegrity,
    /// DTLS, RTP or RTCP from an address that no check has validated.
    NotValidated,
    /// More handshakes than a source may begin.
    HandshakeLimit,
    /// No room for the event.
    EventQueue,
    /// SRTP before the keys are known.
    NotKeyed,
    /// Not RTP or RTCP.
    Malformed,
    /// Wrong authentication tag.
    Authentication,
    /// Seen before.
    Replay,
    /// Not the negotiated payload type, not Opus, or too long to be passed on ([`fanout::MAX_BODY`]).
    Payload,
    /// More than the session may send: twice the sound that time allows, reports or DTLS by the dozen.
    Policed,
    /// Sent while muted, or by nobody on a stage.
    Muted,
    /// Came over a stream when its time was long over.
    Late,
}

impl DropReason {
    /// All, in order of their counters.
    pub const ALL: [Self; 16] = [
        Self::Unknown,
        Self::StunMalformed,
        Self::StunNotRequest,
        Self::StunUnknownUfrag,
        Self::StunIntegrity,
        Self::NotValidated,
        Self::HandshakeLimit,
        Self::EventQueue,
        Self::NotKeyed,
        Self::Malformed,
        Self::Authentication,
        Self::Replay,
        Self::Payload,
        Self::Policed,
        Self::Muted,
        Self::Late,
    ];

    /// As metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::StunMalformed => "stun_malformed",
            Self::StunNotRequest => "stun_not_request",
            Self::StunUnknownUfrag => "stun_unknown_ufrag",
            Self::StunIntegrity => "stun_integrity",
            Self::NotValidated => "not_validated",
            Self::HandshakeLimit => "handshake_limit",
            Self::EventQueue => "event_queue",
            Self::NotKeyed => "not_keyed",
            Self::Malformed => "malformed",
            Self::Authentication => "authentication",
            Self::Replay => "replay",
            Self::Payload => "payload",
            Self::Policed => "policed",
            Self::Muted => "muted",
            Self::Late => "late",
        }
    }
}

/// What the endpoint counts; totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointCounters {
    /// Datagrams received.
    pub packets_in: u64,
    /// RTP packets forwarded to people on stage.
    pub stage_packets_out: u64,
    /// STUN answers.
    pub stun_replies: u64,
    /// RTCP reports read.
    pub reports_in: u64,
    /// Sessions closed for lack of consent or for never coming up.
    pub expired: u64,
    /// Sessions closed because their processing panicked.
    pub failed: u64,
    /// Dropped datagrams by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
}
