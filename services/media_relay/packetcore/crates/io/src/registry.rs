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
///
/// A stage's number says which programme thread has it and all its channels ([`thread_of`]), so that nobody has to be
/// told or to look it up.
#[derive(Debug)]
pub struct Registry {
    next: u64,
    sessions: HashMap<u64, Known>,
    stages: HashSet<u64>,
    /// Whether the channel is remote.
    channels: HashMap<u64, bool>,
    /// Stages and channels on each programme thread.
    loads: Vec<usize>,
}

/// The programme thread, of so many, that a stage or a channel is on.
pub fn thread_of(handle: u64, threads: usize) -> usize {
    (handle % threads.max(1) as u64) as usize
}

impl Registry {
    /// Nothing given out, for so many programme threads.
    pub fn new(programme_threads: usize) -> Self {
        Self {
            next: 0,
            sessions: HashMap::new(),
            stages: HashSet::new(),
            channels: HashMap::new(),
            loads: vec![0; programme_threads.max(1)],
        }
    }

    fn mint(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A number that belongs to a thread.
    fn mint_on(&mut self, thread: usize) -> u64 {
        let threads = self.loads.len();
        let id = (self.next + 1..).find(|id| thread_of(*id, threads) == thread).unwrap_or(self.next + 1);
        self.next = id;
        self.loads[thread] += 1;
        id
    }

    fn least_loaded(&self) -> usize {
        (0..self.loads.len()).min_by_key(|thread| self.loads[*thread]).unwrap_or(0)
    }

    fn unload(&mut self, handle: u64) {
        let thread = thread_of(handle, self.loads.len());
        self.loads[thread] = self.loads[thread].saturating_sub(1);
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
        let id = self.mint_on(self.least_loaded());
        self.stages.insert(id);
        StageId(id)
    }

    /// Forgets a stage.
    pub fn remove_stage(&mut self, stage: u64) -> Result<StageId, RelayError> {
        if !self.stages.remove(&stage) {
            return Err(RelayError::UnknownStage(stage));
        }
        self.unload(stage);
        Ok(StageId(stage))
    }

    /// A stage that exists.
    pub fn stage(&self, stage: u64) -> Result<StageId, RelayError> {
        self.stages.contains(&stage).then_some(StageId(stage)).ok_or(RelayError::UnknownStage(stage))
    }

    /// A new channel, on the thread of its stage; without one it is remote.
    pub fn add_channel(&mut self, stage: Option<StageId>) -> ChannelId {
        let thread = stage.map_or_else(|| self.least_loaded(), |stage| thread_of(stage.0, self.loads.len()));
        let id = self.mint_on(thread);
        self.channels.insert(id, stage.is_none());
        ChannelId(id)
    }

    /// Forgets a channel.
    pub fn remove_channel(&mut self, channel: u64) -> Result<ChannelId, RelayError> {
        self.channels.remove(&channel).ok_or(RelayError::UnknownChannel(channel))?;
        self.unload(channel);
        Ok(ChannelId(channel))
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

#[cfg(test)]
mod tests {
    use super::{Registry, thread_of};

    #[test]
    fn rooms_spread_over_the_threads_and_a_stages_channels_stay_with_it() {
        let mut registry = Registry::new(3);
        let mut on = [0; 3];
        for room in 0..30 {
            registry.add_session();
            let stage = registry.add_stage();
            for _ in 0..=room % 2 {
                let channel = registry.add_channel(Some(stage));
                assert_eq!(thread_of(channel.0, 3), thread_of(stage.0, 3));
                on[thread_of(channel.0, 3)] += 1;
            }
        }
        assert!(on.iter().all(|count| (14..=16).contains(count)), "{on:?}");
    }

    #[test]
    fn a_thread_whose_rooms_have_ended_gets_the_next_ones() {
        let mut registry = Registry::new(2);
        let stages: Vec<_> = (0..10).map(|_| registry.add_stage()).collect();
        let emptied = thread_of(stages[0].0, 2);
        for stage in stages.iter().filter(|stage| thread_of(stage.0, 2) == emptied) {
            registry.remove_stage(stage.0).expect("added");
        }
        let next: Vec<_> = (0..5).map(|_| registry.add_channel(None)).collect();
        assert!(next.iter().all(|channel| thread_of(channel.0, 2) == emptied), "{next:?}");
    }

    #[test]
    fn no_number_is_given_out_twice() {
        let mut registry = Registry::new(4);
        let mut numbers = Vec::new();
        for _ in 0..50 {
            numbers.push(registry.add_session().0);
            numbers.push(registry.add_stage().0);
            numbers.push(registry.add_channel(None).0);
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 150);
    }
}
