//! What time alone brings: idleness, expiry, reports.

use super::session::Role;
use super::{Endpoint, Event, Gauges, Sink};
use crate::ice::Liveness;
use crate::types::{Micros, SECOND, SessionId};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// All sessions are looked at this often.
pub const SWEEP_INTERVAL: Micros = 200_000;
/// A session that is not nominated and keyed by then never will be.
const HALF_OPEN: Micros = 10 * SECOND;

/// Sessions looked at between two looks at the sockets.
const SLICE: usize = 256;

/// One round over all sessions, a slice at a time.
#[derive(Default)]
pub(super) struct Sweep {
    began: Micros,
    /// A buffer that is kept.
    sessions: Vec<SessionId>,
    done: usize,
    gauges: Gauges,
}

impl Sweep {
    /// When the next slice is due: a round's are spread over its interval.
    fn due(&self) -> Micros {
        match self.sessions.len() {
            all if self.done == all => self.began + SWEEP_INTERVAL,
            all => self.began + SWEEP_INTERVAL * self.done as u64 / all as u64,
        }
    }
}

impl Endpoint {
    /// Does what is due at `now`, for a slice of the sessions; returns when to call again, perhaps at once.
    pub fn handle_time(&mut self, now: Micros, sink: &mut impl Sink) -> Micros {
        let mut round = std::mem::take(&mut self.round);
        if now >= round.due() {
            self.sweep_slice(&mut round, now, sink);
        }
        self.round = round;
        self.round.due()
    }

    fn sweep_slice(&mut self, round: &mut Sweep, now: Micros, sink: &mut impl Sink) {
        if round.done == round.sessions.len() {
            round.sessions.clear();
            round.sessions.extend(self.sessions.keys());
            (round.began, round.done, round.gauges) = (now, 0, Gauges::default());
        }
        let end = (round.done + SLICE).min(round.sessions.len());
        for id in &round.sessions[round.done..end] {
            self.current = Some(*id);
            let result = catch_unwind(AssertUnwindSafe(|| self.sweep(*id, now, &mut round.gauges, sink)));
            if result.is_err() {
                self.fail_current(sink);
            }
        }
        round.done = end;
        if end == round.sessions.len() {
            self.gauges = round.gauges;
        }
    }

    fn sweep(&mut self, id: SessionId, now: Micros, gauges: &mut Gauges, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let half_open = !session.is_connected() && now.saturating_sub(session.created) > HALF_OPEN;
        let liveness = session.agent.poll(now);
        let is_on_stage = matches!(session.role, Role::Stage(_));
        gauges.add(session);
        if half_open || liveness == Some(Liveness::ConsentGone) {
            self.counters.expired += 1;
            self.close(id, sink);
            sink.event(Event::Expired(id));
            return;
        }
        match liveness {
            Some(Liveness::Idle) => {
                sink.event(Event::Idle(id));
            }
            Some(Liveness::Moved(path)) => self.move_media(id, path, sink),
            _ => {}
        }
        if is_on_stage {
            self.report_to_stage(id, now, sink);
        }
    }
}
