//! The endpoint itself: finds the session of a datagram and hands it to ICE, DTLS or SRTP.

use super::session::{Role, Session};
use super::timers::Sweep;
use super::{DropReason, EndpointCounters, Event, Sink, StageFact};
use crate::demux::{self, Kind};
use crate::fanout;
use crate::ice::{Outcome, Refusal};
use crate::limits::SourceLimiter;
use crate::stage::Stage;
use crate::stun::Message;
use crate::types::{ChannelId, Micros, Path, SessionId, StageId, WallClock};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// All sessions of one media port.
pub struct Endpoint {
    pub(super) sessions: HashMap<SessionId, Session>,
    ufrags: HashMap<Box<[u8]>, SessionId>,
    paths: HashMap<Path, SessionId>,
    pub(super) stages: HashMap<StageId, Stage>,
    pub(super) audiences: HashMap<ChannelId, usize>,
    pub(super) shards: usize,
    pub(super) clock: WallClock,
    pub(super) cname: String,
    pub(super) counters: EndpointCounters,
    pub(super) hearers: Vec<(SessionId, usize)>,
    pub(super) scratch: Vec<u8>,
    pub(super) round: Sweep,
    pub(super) gauges: super::Gauges,
    handshakes: SourceLimiter,
    /// Sessions whose microphones come from outside.
    pub(super) outside: Vec<SessionId>,
    /// The session being processed, to know whom a panic concerns.
    pub(super) current: Option<SessionId>,
}

impl Endpoint {
    /// An endpoint without sessions whose listeners are spread over `shards` sender threads.
    pub fn new(shards: usize, handshakes_per_source_per_second: u32, clock: WallClock, cname: &str) -> Self {
        Self {
            sessions: HashMap::new(),
            ufrags: HashMap::new(),
            paths: HashMap::new(),
            stages: HashMap::new(),
            audiences: HashMap::new(),
            shards: shards.max(1),
            clock,
            cname: cname.to_owned(),
            counters: EndpointCounters::default(),
            hearers: Vec::new(),
            scratch: Vec::with_capacity(256),
            round: Sweep::default(),
            gauges: super::Gauges::default(),
            handshakes: SourceLimiter::new(handshakes_per_source_per_second),
            outside: Vec::new(),
            current: None,
        }
    }

    /// Totals so far.
    pub fn counters(&self) -> &EndpointCounters {
        &self.counters
    }

    /// Sets the wall clock that reports carry.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Handles a datagram, decrypting it in place. A panic on the way closes the one session it concerns.
    pub fn handle_datagram(&mut self, path: Path, datagram: &mut [u8], now: Micros, sink: &mut impl Sink) {
        self.counters.packets_in += 1;
        self.current = None;
        let result = catch_unwind(AssertUnwindSafe(|| self.dispatch(path, datagram, now, sink)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => self.counters.dropped[reason as usize] += 1,
            Err(_) => self.fail_current(sink),
        }
    }

    /// Ends a session whose processing failed elsewhere, in its sender shard.
    pub fn fail(&mut self, session: SessionId, sink: &mut impl Sink) {
        self.current = Some(session);
        self.fail_current(sink);
    }

    pub(super) fn fail_current(&mut self, sink: &mut impl Sink) {
        self.counters.failed += 1;
        if let Some(session) = self.current.take() {
            self.close(session, sink);
            sink.event(Event::Failed(session, "the packet core failed while processing it".to_owned()));
        }
    }

    fn dispatch(
        &mut self,
        path: Path,
        datagram: &mut [u8],
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        match demux::classify(datagram) {
            Kind::Stun => self.handle_stun(path, datagram, now, sink),
            Kind::Dtls => self.handle_dtls(path, datagram, now, sink),
            Kind::Rtp => self.handle_rtp(path, datagram, now, sink),
            Kind::Rtcp => self.handle_rtcp(path, datagram, now, sink),
            Kind::Unknown => Err(DropReason::Unknown),
        }
    }

    /// The session that owns a validated path.
    pub(super) fn session_at(&mut self, path: &Path) -> Result<SessionId, DropReason> {
        let session = *self.paths.get(path).ok_or(DropReason::NotValidated)?;
        self.current = Some(session);
        Ok(session)
    }

    fn handle_stun(
        &mut self,
        path: Path,
        datagram: &[u8],
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let message = Message::parse(datagram).map_err(|_| DropReason::StunMalformed)?;
        let ufrag = message.local_ufrag().ok_or(DropReason::StunUnknownUfrag)?;
        let id = *self.ufrags.get(ufrag).ok_or(DropReason::StunUnknownUfrag)?;
        self.current = Some(id);
        let session = self.sessions.get_mut(&id).ok_or(DropReason::StunUnknownUfrag)?;
        let outcome =
            session.agent.handle_check(&message, path, now, &mut self.scratch).map_err(|refusal| match refusal {
                Refusal::NotARequest => DropReason::StunNotRequest,
                Refusal::UnknownUfrag => DropReason::StunUnknownUfrag,
                Refusal::Integrity => DropReason::StunIntegrity,
            })?;
        sink.copy(&path, &self.scratch);
        self.counters.stun_replies += 1;
        self.apply_check(id, outcome, sink);
        Ok(())
    }

    fn apply_check(&mut self, id: SessionId, outcome: Outcome, sink: &mut impl Sink) {
        if let Some(path) = outcome.evicted {
            self.forget_path(&path, id);
        }
        if let Some(path) = outcome.validated {
            self.paths.insert(path, id);
        }
        if outcome.woke {
            sink.event(Event::Active(id));
        }
        if let Some(path) = outcome.nominated {
            self.move_media(id, path, sink);
        }
        if outcome.old_credentials_gone {
            self.rebind_ufrags(id);
        }
    }

    /// Tells everyone concerned where a session's media goes now.
    pub(super) fn move_media(&mut self, id: SessionId, path: Path, sink: &mut impl Sink) {
        sink.event(Event::Nominated(id, path));
        if let Some(Role::Listener(role)) = self.sessions.get(&id).map(|session| &session.role) {
            sink.fanout(role.shard, fanout::Command::Path(id, path));
        }
    }

    /// Makes the map of user fragments agree with the session's agent.
    pub(super) fn rebind_ufrags(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        self.ufrags.retain(|_, owner| *owner != id);
        for ufrag in session.agent.ufrags() {
            self.ufrags.insert(ufrag.as_bytes().into(), id);
        }
    }

    /// Adds the first user fragment of a session; false when another session has it.
    pub(super) fn bind_ufrag(&mut self, ufrag: &str, id: SessionId) -> bool {
        if self.ufrags.contains_key(ufrag.as_bytes()) {
            return false;
        }
        self.ufrags.insert(ufrag.as_bytes().into(), id);
        true
    }

    /// Whether another session has this user fragment.
    pub(super) fn ufrag_is_taken(&self, ufrag: &str, id: SessionId) -> bool {
        self.ufrags.get(ufrag.as_bytes()).is_some_and(|owner| *owner != id)
    }

    fn forget_path(&mut self, path: &Path, id: SessionId) {
        if self.paths.get(path) == Some(&id) {
            self.paths.remove(path);
        }
    }

    fn handle_dtls(
        &mut self,
        path: Path,
        datagram: &[u8],
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let id = self.session_at(&path)?;
        if begins_handshake(datagram) && !self.handshakes.allow(path.remote.ip(), now) {
            return Err(DropReason::HandshakeLimit);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            if !session.dtls.take(1, now) {
                return Err(DropReason::Policed);
            }
            session.dtls_path = Some(path);
        }
        if sink.event(Event::Dtls(id, datagram.to_vec())) { Ok(()) } else { Err(DropReason::EventQueue) }
    }

    /// Ends a session: nothing of it remains.
    pub(super) fn close(&mut self, id: SessionId, sink: &mut impl Sink) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.outside.retain(|other| *other != id);
        for ufrag in session.agent.ufrags() {
            if self.ufrags.get(ufrag.as_bytes()) == Some(&id) {
                self.ufrags.remove(ufrag.as_bytes());
            }
        }
        for (path, _) in session.agent.paths() {
            self.forget_path(path, id);
        }
        match session.role {
            Role::None => {}
            Role::Stage(role) => {
                if let Some(stage) = self.stages.get_mut(&role.stage) {
                    stage.leave(id);
                    if let Some(holder) = stage.take_turn() {
                        sink.fact(StageFact::Holds(role.stage, holder));
                    }
                    // Somebody who came back has a new session before the old one ends.
                    let member = role.format.member;
                    sink.fact(if stage.has_member(member) {
                        StageFact::Muted(role.stage, member, stage.is_silent(member))
                    } else {
                        StageFact::Left(role.stage, member)
                    });
                }
            }
            Role::Listener(role) => {
                sink.fanout(role.shard, fanout::Command::Remove(id));
                self.count_audience(role.channel, false, sink);
            }
        }
    }

    /// Counts a listener of a channel in or out, and tells when the first came or the last left.
    pub(super) fn count_audience(&mut self, channel: ChannelId, comes: bool, sink: &mut impl Sink) {
        let count = self.audiences.entry(channel).or_default();
        *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        match (*count, comes) {
            (1, true) => sink.fact(StageFact::Audience(channel, true)),
            (0, _) => {
                self.audiences.remove(&channel);
                sink.fact(StageFact::Audience(channel, false));
            }
            _ => {}
        }
    }
}

/// A ClientHello: a DTLS handshake record whose message type is 1 (RFC 6347 §4.1, §4.2.2).
fn begins_handshake(datagram: &[u8]) -> bool {
    datagram.first() == Some(&22) && datagram.get(13) == Some(&1)
}
