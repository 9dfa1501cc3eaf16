//! Microphones that do not come over the media port.

use super::{Relay, STAGE, lock};
use crate::RelayError;
use majlis_core::SessionId;
use majlis_core::endpoint::Command;

impl Relay {
    /// Adds a session whose microphone comes by [`Relay::speak`].
    pub fn add_outside_session(&self) -> Result<SessionId, RelayError> {
        let session = lock(&self.registry).add_session();
        self.core(Command::AddOutside(session))?;
        Ok(session)
    }

    /// Packets of a stage session's microphone that comes from outside, in order, each with its RTP timestamp.
    pub fn speak(&self, session: u64, packets: Vec<(u32, Vec<u8>)>) -> Result<(), RelayError> {
        let session = lock(&self.registry).session_with(session, STAGE)?;
        self.core(Command::Speak(session, packets))
    }
}
