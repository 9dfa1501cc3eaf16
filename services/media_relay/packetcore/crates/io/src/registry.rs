//! What the callers' side knows of the handles it has given out, so that a wrong call is refused at once.

use crate::RelayError;
use majlis_core::{ChannelId, SessionId, StageId};
use std::collections::{HashMap, HashSet};

/// One session as its owner sees it.
#[derive(Debug, Default)]
struct Known {
    keyed: bool,
    role: Option<&'static str>,
}

/// All handles that were given out and not taken back.
#[derive(Debug, Default)]
pub struct Registry {
    next: u64,
    sessions: HashMap<u64, Known>,
    stages: HashSet<u64>,
    /// Whether the channel is remote.
    channels: HashMap<u64, bool>,
}

impl Registry {
    fn mint(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A new session.
    pub fn add_session(&mut self) -> SessionId {
        let id = self.mint();
        self.sessions.insert(id, Known::default());
        SessionId(id)
    }

    /// Forgets a session; false when it was not known.
    pub fn remove_session(&mut self, session: u64) -> bool {
        self.sessions.remove(&session).is_some()
    }

    /// A session that exists.
    pub fn session(&self, session: u64) -> Result<SessionId, RelayError> {
        self.sessions.contains_key(&session).then_some(SessionId(session)).ok_or(RelayError::UnknownSession(session))
    }

    /// Marks a session as keyed, once.
    pub fn key_session(&mut self, session: u64) -> Result<SessionId, RelayError> {
        let known = self.sessions.get_mut(&session).ok_or(RelayError::UnknownSession(session))?;
        if std::mem::replace(&mut known.keyed, true) {
            return Err(RelayError::KeyedTwice(session));
        }
        Ok(SessionId(session))
    }

    /// Gives a session its role, once.
    pub fn assign(&mut self, session: u64, role: &'static str) -> Result<SessionId, RelayError> {
        let known = self.sessions.get_mut(&session).ok_or(RelayError::UnknownSession(session))?;
        match known.role {
            Some(role) => Err(RelayError::HasRole { session, role }),
            None => {
                known.role = Some(role);
                Ok(SessionId(session))
            }
        }
    }

    /// A session that has this role.
    pub fn session_with(&self, session: u64, wanted: &'static str) -> Result<SessionId, RelayError> {
        let known = self.sessions.get(&session).ok_or(RelayError::UnknownSession(session))?;
        if known.role != Some(wanted) {
            return Err(RelayError::LacksRole { session, role: wanted });
        }
        Ok(SessionId(session))
    }

    /// A new stage.
    pub fn add_stage(&mut self) -> StageId {
        let id = self.mint();
        self.stages.insert(id);
        StageId(id)
    }

    /// Forgets a stage.
    pub fn remove_stage(&mut self, stage: u64) -> Result<StageId, RelayError> {
        self.stages.remove(&stage).then_some(StageId(stage)).ok_or(RelayError::UnknownStage(stage))
    }

    /// A stage that exists.
    pub fn stage(&self, stage: u64) -> Result<StageId, RelayError> {
        self.stages.contains(&stage).then_some(StageId(stage)).ok_or(RelayError::UnknownStage(stage))
    }

    /// A new channel.
    pub fn add_channel(&mut self, remote: bool) -> ChannelId {
        let id = self.mint();
        self.channels.insert(id, remote);
        ChannelId(id)
    }

    /// Forgets a channel.
    pub fn remove_channel(&mut self, channel: u64) -> Result<ChannelId, RelayError> {
        self.channels.remove(&channel).map(|_| ChannelId(channel)).ok_or(RelayError::UnknownChannel(channel))
    }

    /// A channel that exists.
    pub fn channel(&self, channel: u64) -> Result<ChannelId, RelayError> {
        self.channels.contains_key(&channel).then_some(ChannelId(channel)).ok_or(RelayError::UnknownChannel(channel))
    }

    /// A channel of this kind.
    pub fn channel_of(&self, channel: u64, remote: bool) -> Result<ChannelId, RelayError> {
        match self.channels.get(&channel) {
            None => Err(RelayError::UnknownChannel(channel)),
            Some(kind) if *kind != remote => Err(RelayError::WrongChannel { channel, remote }),
            Some(_) => Ok(ChannelId(channel)),
        }
    }
}
