//! Moments that channels share, so that a thread with a hundred of them wakes for all of them at once.

use majlis_core::Micros;

/// Distance between two moments at which anything happens, µs.
pub const STEP: Micros = 5_000;
/// Moments within a frame.
const PHASES: usize = 4;

/// The first moment of the grid that is not before `at`.
pub fn round_up(at: Micros) -> Micros {
    at.checked_next_multiple_of(STEP).unwrap_or(at)
}

/// How many mixers tick at each of the four moments of a frame: all at one would make each wait for the others' work.
#[derive(Debug, Default)]
pub struct Phases {
    used: [usize; PHASES],
}

impl Phases {
    /// Takes a place for a new mixer at the least used phase; gives the moment of its first tick, less than 20 ms ahead.
    pub fn enter(&mut self, now: Micros) -> Micros {
        let first = round_up(now);
        let ahead = (0..PHASES as Micros).map(|steps| first + steps * STEP);
        let tick = ahead.min_by_key(|at| self.used[phase(*at)]).unwrap_or(first);
        self.used[phase(tick)] += 1;
        tick
    }

    /// Gives back the place of a mixer whose first tick was at `tick`.
    pub fn leave(&mut self, tick: Micros) {
        let used = &mut self.used[phase(tick)];
        *used = used.saturating_sub(1);
    }
}

fn phase(at: Micros) -> usize {
    (at / STEP) as usize % PHASES
}

#[cfg(test)]
mod tests {
    use super::{Phases, STEP, phase, round_up};

    #[test]
    fn moments_are_rounded_up_and_never_down() {
        assert_eq!([0, 1, STEP, STEP + 1].map(round_up), [0, STEP, STEP, 2 * STEP]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn mixers_spread_evenly_and_fill_the_gaps_that_others_leave() {
        let mut phases = Phases::default();
        let ticks: Vec<_> = (0..40).map(|at| phases.enter(at * 777)).collect();
        assert_eq!(phases.used, [10; 4]);
        for (at, tick) in ticks.iter().enumerate() {
            let now = at as u64 * 777;
            assert!((now..now + 4 * STEP).contains(tick) && tick.is_multiple_of(STEP));
        }
        let gone = ticks[3];
        phases.leave(gone);
        assert_eq!(phase(phases.enter(1_000_000)), phase(gone));
    }
}
