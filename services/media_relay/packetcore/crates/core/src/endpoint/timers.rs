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

impl Endpoint {
    /// Does what is due at `now`; returns when to call again.
    pub fn handle_time(&mut self, now: Micros, sink: &mut impl Sink) -> Micros {
        if now.saturating_sub(self.swept_at) < SWEEP_INTERVAL {
            return self.swept_at + SWEEP_INTERVAL;
        }
        self.swept_at = now;
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        let mut gauges = Gauges::default();
        for id in sessions {
            self.current = Some(id);
            let result = catch_unwind(AssertUnwindSafe(|| self.sweep(id, now, &mut gauges, sink)));
            if result.is_err() {
                self.fail_current(sink);
            }
        }
        self.gauges = gauges;
        now + SWEEP_INTERVAL
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
