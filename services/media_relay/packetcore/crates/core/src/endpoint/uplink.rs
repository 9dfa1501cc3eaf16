//! Microphones that come from outside: no ICE, no SRTP, and from there on like any other on the stage.

use super::session::{Role, Session};
use super::{DropReason, Endpoint, Sink};
use crate::pacer::{Due, Taken};
use crate::rtp::{Packet, opus_samples};
use crate::types::{Micros, SessionId};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The least sound of a packet, 10 ms: what is cut finer costs more than it says.
const LEAST_SAMPLES: u32 = 480;

impl Endpoint {
    pub(super) fn add_outside(&mut self, id: SessionId, now: Micros) {
        self.sessions.insert(id, Session::outside(now));
        self.outside.push(id);
    }

    /// Takes packets that have just come, each with its timestamp.
    pub(super) fn speak(&mut self, id: SessionId, packets: Vec<(u32, Vec<u8>)>, now: Micros, sink: &mut impl Sink) {
        for (timestamp, payload) in packets {
            self.counters.packets_in += 1;
            if let Err(reason) = self.wait(id, timestamp, payload, now) {
                self.counters.dropped[reason as usize] += 1;
            }
        }
        self.say(id, now, sink);
    }

    fn wait(&mut self, id: SessionId, timestamp: u32, payload: Vec<u8>, now: Micros) -> Result<(), DropReason> {
        let session = self.sessions.get_mut(&id).ok_or(DropReason::NotValidated)?;
        let pacer = session.outside.as_mut().ok_or(DropReason::NotValidated)?;
        opus_samples(&payload).filter(|samples| *samples >= LEAST_SAMPLES).ok_or(DropReason::Payload)?;
        session.packets_received += 1;
        match pacer.put(timestamp, payload, now) {
            Taken::Waits => Ok(()),
            Taken::Late => Err(DropReason::Late),
            Taken::Leaps => Err(DropReason::Policed),
        }
    }

    /// When [`Endpoint::handle_outside`] has something to do next.
    pub fn speech_due(&self) -> Option<Micros> {
        let pacers = self.outside.iter().filter_map(|id| self.sessions.get(id)?.outside.as_ref()?.due_at());
        pacers.min()
    }

    /// Says what is due of those who speak from outside. A panic on the way closes the session it concerns.
    pub fn handle_outside(&mut self, now: Micros, sink: &mut impl Sink) {
        for at in 0..self.outside.len() {
            let Some(id) = self.outside.get(at).copied() else { return };
            self.current = Some(id);
            if catch_unwind(AssertUnwindSafe(|| self.say(id, now, sink))).is_err() {
                self.fail_current(sink);
            }
        }
    }

    fn say(&mut self, id: SessionId, now: Micros, sink: &mut impl Sink) {
        while let Some((payload_type, due)) = self.take_due(id, now) {
            let packet = Packet::bare(payload_type, (due.index as u16, due.timestamp, due.line), &due.payload);
            if let Err(reason) = self.hear(id, packet, due.index, now, sink) {
                self.counters.dropped[reason as usize] += 1;
            }
        }
    }

    fn take_due(&mut self, id: SessionId, now: Micros) -> Option<(u8, Due)> {
        let session = self.sessions.get_mut(&id)?;
        let due = session.outside.as_mut()?.take(now)?;
        let Role::Stage(role) = &session.role else { return None };
        Some((role.format.payload_type, due))
    }
}
