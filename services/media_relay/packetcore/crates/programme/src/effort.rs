//! How hard the encoders of one thread work: less before a frame is late, and more again once there is time for it.

use majlis_core::Micros;

/// What encoding a frame costs at each complexity that libopus is asked for, µs, the cheapest first.
pub type EncoderCosts = [(u8, u32); 5];

/// The complexities, and costs in the proportions that speech at 32 kbit/s was measured to have.
pub const DEFAULT_COSTS: EncoderCosts = [(1, 72), (3, 107), (5, 133), (7, 154), (10, 178)];

/// Time over which the share of work is taken.
const WINDOW: Micros = 200_000;
/// A thread that works for more than this share of its time lowers the effort.
const HIGH: f64 = 0.70;
/// It raises the effort when it would work for less than this share with more effort,
const LOW: f64 = 0.45;
/// for so long.
const CALM: Micros = 10_000_000;
/// A frame that is so late lowers the effort at once: it would be heard at three times that.
const LATE: Micros = 8_000;
/// A packet that waits so long for a sender thread lowers the effort, and one that waits so long lowers it all the way:
/// some twice as long and what waits finds no place.
const WAITED: Micros = 8_000;
const FAR: Micros = 20_000;
/// After a step down what waited already waits still for so long, and says nothing.
const SETTLING: Micros = 40_000;
/// Where encoding as hard as can be takes less than this share of the time, less of it helps nobody else.
const WORTH: f64 = 0.05;
/// A step that saves less than this share of the one above it is none.
const LEAST_SAVING: f64 = 0.08;

/// What a thread did since it told last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    /// Time that it worked.
    pub busy: Micros,
    /// Frames that it encoded.
    pub encoded: u64,
    /// Most that a frame of it was late.
    pub lag: Micros,
    /// Share of the cores that all threads of the relay may use which they took lately.
    pub relay: f64,
    /// Most that a packet has waited for a sender thread.
    pub waited: Micros,
    /// Packets were given up because senders were behind.
    pub lost: bool,
}

/// One thread's effort. It goes down to the next step that is cheap enough for the thread and for those that it shares its
/// core with, all the way when listeners would lose sound, and comes back step by step, at most one in
/// ten seconds.
#[derive(Debug)]
pub struct Effort {
    /// Complexity and cost, the cheapest first.
    steps: Vec<(u8, f64)>,
    at: usize,
    ceiling: u8,
    since: Micros,
    load: Load,
    calm_since: Option<Micros>,
    /// Share of the time that the last window was worked for.
    busy: f64,
    lag: Micros,
    /// The same share, or that of all threads on the cores they share, if that is more and encoding is part of it.
    tight: f64,
    /// Frames encoded in a microsecond of the last window.
    rate: f64,
    settled_at: Micros,
}

impl Effort {
    /// As hard as can be, from `now` on.
    pub fn new(costs: &EncoderCosts, now: Micros) -> Self {
        let steps = steps(costs);
        Self {
            at: steps.len() - 1,
            steps,
            ceiling: 10,
            since: now,
            load: Load::default(),
            calm_since: None,
            busy: 0.0,
            lag: 0,
            tight: 0.0,
            rate: 0.0,
            settled_at: now,
        }
    }

    /// The complexity to encode with.
    pub fn complexity(&self) -> u8 {
        self.steps[self.at].0.min(self.ceiling)
    }

    /// Share of its time that the thread worked in the last window.
    pub fn busy(&self) -> f64 {
        self.busy
    }

    /// Most that a frame was late in the last window.
    pub fn lag(&self) -> Micros {
        self.lag
    }

    /// No more than this from now on.
    pub fn set_ceiling(&mut self, complexity: u8) {
        self.ceiling = complexity;
        self.at = self.at.min(self.highest());
        self.calm_since = None;
    }

    /// What encoding was measured to cost here.
    pub fn set_costs(&mut self, costs: &EncoderCosts) {
        let now = self.steps[self.at].0;
        self.steps = steps(costs);
        let kept = self.steps.iter().rposition(|(complexity, _)| *complexity <= now).unwrap_or(0);
        self.at = kept.min(self.highest());
    }

    /// Takes what the thread did until `now`; true when [`Effort::complexity`] may have changed.
    pub fn note(&mut self, load: Load, now: Micros) -> bool {
        let before = self.load;
        self.load = Load {
            busy: before.busy + load.busy,
            encoded: before.encoded + load.encoded,
            lag: before.lag.max(load.lag),
            relay: load.relay,
            waited: before.waited.max(load.waited),
            lost: before.lost || load.lost,
        };
        let whole = now.saturating_sub(self.since) >= WINDOW;
        // After a step down what was late already is late still for a while, and says nothing.
        let late = self.load.lag >= LATE && self.lag < LATE;
        let behind = self.senders_are_behind(now);
        if !(whole || late || behind && self.at > 0) {
            return false;
        }
        let load = std::mem::take(&mut self.load);
        let elapsed = now.saturating_sub(self.since).max(1) as f64;
        self.since = now;
        self.busy = (load.busy as f64 / elapsed).min(1.0);
        self.lag = load.lag;
        self.rate = load.encoded as f64 / elapsed;
        self.tight = if self.is_worth_it() { self.busy.max(load.relay) } else { self.busy };
        let before = self.at;
        if behind {
            self.calm_since = None;
            self.settled_at = now + SETTLING;
            self.at = if load.lost || load.waited >= FAR { 0 } else { self.at.saturating_sub(1) };
        } else if whole && self.tight > HIGH {
            self.lower();
        } else if late {
            self.calm_since = None;
            self.at = self.at.saturating_sub(1);
        } else {
            self.raise(now);
        }
        self.at != before
    }

    /// Whether listeners are about to lose sound, or do, and cheaper encoders leave the senders more time.
    fn senders_are_behind(&self, now: Micros) -> bool {
        let waited = self.load.waited;
        let behind = self.load.lost || waited >= FAR || waited >= WAITED && now >= self.settled_at;
        behind && self.is_worth_it()
    }

    fn is_worth_it(&self) -> bool {
        let (_, dearest) = self.steps[self.steps.len() - 1];
        self.rate * dearest >= WORTH
    }

    /// To the best step that would leave the thread its time, one lower than now at least.
    fn lower(&mut self) {
        self.calm_since = None;
        let enough = (0..self.at).rev().find(|step| self.would_work(*step) <= HIGH);
        self.at = enough.unwrap_or(0);
    }

    fn raise(&mut self, now: Micros) {
        let next = self.at + 1;
        if next > self.highest() || self.would_work(next) >= LOW {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now - since >= CALM {
            self.at = next;
            self.calm_since = None;
        }
    }

    /// Share of the time that this step would take.
    fn would_work(&self, step: usize) -> f64 {
        self.tight + self.rate * (self.steps[step].1 - self.steps[self.at].1)
    }

    fn highest(&self) -> usize {
        self.steps.iter().rposition(|(complexity, _)| *complexity <= self.ceiling).unwrap_or(0)
    }
}

/// The steps that are worth taking: each costs noticeably less than the one above it.
fn steps(costs: &EncoderCosts) -> Vec<(u8, f64)> {
    let mut steps: Vec<(u8, f64)> = Vec::new();
    for (complexity, cost) in costs.iter().rev().map(|(complexity, cost)| (*complexity, f64::from(*cost).max(1.0))) {
        if steps.last().is_none_or(|(_, above)| cost <= above * (1.0 - LEAST_SAVING)) {
            steps.push((complexity, cost));
        }
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests;
