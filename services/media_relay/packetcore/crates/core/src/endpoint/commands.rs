//! What Python asks of the endpoint.

use super::session::{ListenerRole, Role, Session, SlotSender, StageRole};
use super::{Command, Endpoint, Event, Sink, StageFact, StageFormat};
use crate::fanout::{self, ListenerFormat, StreamStart};
use crate::limits::Policer;
use crate::srtp::{OpenKey, SealKey};
use crate::stage::Stage;
use crate::types::{ChannelId, Micros, SECOND, SessionId, StageId};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Endpoint {
    /// Applies a command. A panic on the way closes the session it concerns.
    pub fn handle_command(&mut self, command: Command, now: Micros, sink: &mut impl Sink) {
        self.current = command.session();
        if catch_unwind(AssertUnwindSafe(|| self.apply(command, now, sink))).is_err() {
            self.fail_current(sink);
        }
    }

    fn apply(&mut self, command: Command, now: Micros, sink: &mut impl Sink) {
        match command {
            Command::AddSession { session, ufrag, pwd } => self.add_session(session, &ufrag, &pwd, now, sink),
            Command::AddOutside(session) => self.add_outside(session, now),
            Command::Speak(session, packets) => self.speak(session, packets, now, sink),
            Command::RestartIce { session, ufrag, pwd } => self.restart_ice(session, &ufrag, &pwd, sink),
            Command::SetKeys { session, seal, open } => self.set_keys(session, *seal, *open, sink),
            Command::SendDtls(session, datagram) => self.send_dtls(session, &datagram, sink),
            Command::Remove(session) => self.close(session, sink),
            Command::AddStage(stage) => drop(self.stages.insert(stage, Stage::default())),
            Command::RemoveStage(stage) => self.remove_stage(stage, sink),
            Command::Join { session, stage, format } => self.join(session, stage, format, now, sink),
            Command::SetMuted(session, muted) => self.set_muted(session, muted, sink),
            Command::SetHearing { session, hears, leads, clear } => self.set_hearing(session, hears, leads, clear),
            Command::Attach { session, channel, format, start } => self.attach(session, channel, format, start, sink),
            Command::Switch(session, channel) => self.switch(session, channel, sink),
            Command::Pause(session, paused) => self.to_shard(session, sink, |id| fanout::Command::Pause(id, paused)),
            Command::RemoveChannel(channel) => {
                for shard in 0..self.shards {
                    sink.fanout(shard, fanout::Command::RemoveChannel(channel));
                }
            }
        }
    }

    fn add_session(&mut self, id: SessionId, ufrag: &str, pwd: &str, now: Micros, sink: &mut impl Sink) {
        if !self.bind_ufrag(ufrag, id) {
            sink.event(Event::Failed(id, "another session has this user fragment".to_owned()));
            return;
        }
        self.sessions.insert(id, Session::new(ufrag, pwd, now));
    }

    fn restart_ice(&mut self, id: SessionId, ufrag: &str, pwd: &str, sink: &mut impl Sink) {
        if self.ufrag_is_taken(ufrag, id) {
            self.close(id, sink);
            sink.event(Event::Failed(id, "another session has this user fragment".to_owned()));
            return;
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.agent.restart(ufrag, pwd);
            self.rebind_ufrags(id);
        }
    }

    /// Keys come once: a second set is refused by the caller, and ignored here.
    fn set_keys(&mut self, id: SessionId, seal: SealKey, open: OpenKey, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.open.is_some() {
            return;
        }
        session.open = Some(open);
        session.seal = Some(seal);
        session.open_slots();
        self.hand_over_key(id, sink);
    }

    /// A listener's sending key lives in its shard, and nowhere else.
    fn hand_over_key(&mut self, id: SessionId, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Role::Listener(role) = &session.role
            && let Some(key) = session.seal.take()
        {
            sink.fanout(role.shard, fanout::Command::Key(id, Box::new(key)));
        }
    }

    fn send_dtls(&mut self, id: SessionId, datagram: &[u8], sink: &mut impl Sink) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let Some(path) = session.agent.nominated().or(session.dtls_path) {
            sink.copy(&path, datagram);
        }
    }

    fn join(&mut self, id: SessionId, stage_id: StageId, format: StageFormat, now: Micros, sink: &mut impl Sink) {
        let (Some(session), Some(stage)) = (self.sessions.get_mut(&id), self.stages.get_mut(&stage_id)) else { return };
        if !matches!(session.role, Role::None) {
            return;
        }
        stage.join(id, format.member, format.slots.len(), format.place);
        sink.fact(StageFact::Joined(stage_id, format.member));
        session.role = Role::Stage(Box::new(StageRole {
            stage: stage_id,
            slots: format.slots.iter().copied().map(SlotSender::new).collect(),
            policer: Policer::new(now),
            reception: None,
            report_at: now + SECOND,
            muted: false,
            sent_packets: 0,
            sent_bytes: 0,
            format,
        }));
        session.open_slots();
    }

    /// The sessions stay; nobody is heard on a stage that is not there.
    fn remove_stage(&mut self, id: StageId, sink: &mut impl Sink) {
        let Some(stage) = self.stages.remove(&id) else { return };
        for session in stage.sessions() {
            if let Some(Role::Stage(role)) = self.sessions.get(&session).map(|session| &session.role) {
                sink.fact(StageFact::Left(id, role.format.member));
            }
        }
    }

    fn set_muted(&mut self, id: SessionId, muted: bool, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Role::Stage(role) = &mut session.role else { return };
        role.muted = muted;
        if let Some(pacer) = &mut session.outside {
            // What was said while the microphone was shut is not heard once it is open.
            pacer.forget_waiting();
        }
        if let Some(stage) = self.stages.get_mut(&role.stage) {
            stage.set_muted(id, muted);
            // A session that was replaced is shut, perhaps after its successor came: the person is heard all the same.
            let is_silent = stage.is_silent(role.format.member);
            sink.fact(StageFact::Muted(role.stage, role.format.member, is_silent));
        }
    }

    fn set_hearing(&mut self, id: SessionId, hears: u32, leads: bool, clear: BTreeSet<u32>) {
        if let Some(Role::Stage(role)) = self.sessions.get(&id).map(|session| &session.role)
            && let Some(stage) = self.stages.get_mut(&role.stage)
        {
            stage.set_hearing(id, hears, leads, clear);
        }
    }

    fn attach(
        &mut self,
        id: SessionId,
        channel: ChannelId,
        format: ListenerFormat,
        start: StreamStart,
        sink: &mut impl Sink,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !matches!(session.role, Role::None) {
            return;
        }
        let shard = (id.0 % self.shards as u64) as usize;
        session.role =
            Role::Listener(ListenerRole::new(channel, shard, format.ssrc, format.red_payload_type.is_some()));
        let path = session.agent.nominated();
        sink.fanout(shard, fanout::Command::Attach { session: id, channel, format, start });
        if let Some(path) = path {
            sink.fanout(shard, fanout::Command::Path(id, path));
        }
        self.hand_over_key(id, sink);
        self.count_audience(channel, true, sink);
    }

    fn switch(&mut self, id: SessionId, channel: ChannelId, sink: &mut impl Sink) {
        let Some(Role::Listener(role)) = self.sessions.get_mut(&id).map(|session| &mut session.role) else { return };
        let before = std::mem::replace(&mut role.channel, channel);
        sink.fanout(role.shard, fanout::Command::Switch(id, channel));
        if before != channel {
            self.count_audience(channel, true, sink);
            self.count_audience(before, false, sink);
        }
    }

    fn to_shard(&self, id: SessionId, sink: &mut impl Sink, command: impl FnOnce(SessionId) -> fanout::Command) {
        if let Some(Role::Listener(role)) = self.sessions.get(&id).map(|session| &session.role) {
            sink.fanout(role.shard, command(id));
        }
    }
}
