//! A thread under load curves, in virtual time.

use super::*;

const SECOND: Micros = 1_000_000;
const TURN: Micros = 5_000;
const COSTS: EncoderCosts = [(1, 55), (3, 70), (5, 95), (7, 120), (10, 160)];

/// A thread that encodes for `channels` at what the effort costs, with so much other work beside.
struct Thread {
    effort: Effort,
    now: Micros,
    /// Work that waits, µs.
    backlog: f64,
    /// When the complexity changed, from what to what.
    changes: Vec<(Micros, u8, u8)>,
    worst: Micros,
}

impl Thread {
    fn new() -> Self {
        Self { effort: Effort::new(&COSTS, 0), now: 0, backlog: 0.0, changes: Vec::new(), worst: 0 }
    }

    /// One turn with so many channels, a quarter of which are due in it.
    fn turn(&mut self, channels: f64) {
        let cost = COSTS.iter().find(|(complexity, _)| *complexity == self.effort.complexity());
        let (_, cost) = cost.expect("a step");
        let frames = channels / 4.0;
        self.backlog += frames * (f64::from(*cost) + 20.0);
        let worked = self.backlog.min(TURN as f64);
        self.backlog -= worked;
        self.now += TURN;
        let lag = self.backlog as Micros;
        self.worst = self.worst.max(lag);
        let before = self.effort.complexity();
        let load = Load { busy: worked as Micros, encoded: frames as u64, lag, ..Load::default() };
        if self.effort.note(load, self.now) && self.effort.complexity() != before {
            self.changes.push((self.now, before, self.effort.complexity()));
        }
    }

    fn run(&mut self, seconds: f64, channels: impl Fn(f64) -> f64) {
        let from = self.now;
        while self.now < from + (seconds * SECOND as f64) as Micros {
            self.turn(channels((self.now - from) as f64 / SECOND as f64));
        }
    }
}

#[test]
fn a_load_that_grows_costs_effort_and_no_frame_is_late() {
    let mut thread = Thread::new();
    thread.run(60.0, |seconds| 40.0 + 200.0 * seconds / 60.0);
    assert_eq!(thread.effort.complexity(), 1, "{:?}", thread.changes);
    assert!(thread.worst < LATE, "{} µs", thread.worst);
    assert!(thread.changes.windows(2).all(|pair| pair[1].2 < pair[0].2), "it only went down: {:?}", thread.changes);
}

#[test]
fn a_load_that_comes_at_once_is_carried_within_a_few_tenths_of_a_second() {
    let mut thread = Thread::new();
    thread.run(5.0, |_| 10.0);
    thread.run(5.0, |_| 190.0);
    let late = thread.now - 4 * SECOND - SECOND / 2;
    assert!(thread.changes.iter().all(|(at, ..)| *at < late), "{:?}", thread.changes);
    assert_eq!(thread.backlog, 0.0);
}

#[test]
fn effort_comes_back_last_and_a_step_in_ten_seconds() {
    let mut thread = Thread::new();
    thread.run(10.0, |_| 220.0);
    assert_eq!(thread.effort.complexity(), 1);
    thread.run(9.0, |_| 5.0);
    assert_eq!(thread.effort.complexity(), 1, "too early to tell");
    thread.run(60.0, |_| 5.0);
    assert_eq!(thread.effort.complexity(), 10);
    let ups: Vec<Micros> = thread.changes.iter().filter(|(_, from, to)| to > from).map(|(at, ..)| *at).collect();
    assert_eq!(ups.len(), COSTS.len() - 1);
    assert!(ups.windows(2).all(|pair| pair[1] - pair[0] >= CALM), "{ups:?}");
}

#[test]
fn what_the_next_step_would_need_is_known_before_it_is_taken() {
    // At 3 it works for 60 % of its time; at 5 it would for 77 %.
    let mut thread = Thread::new();
    thread.run(120.0, |_| 134.0);
    let ups = thread.changes.iter().filter(|(_, from, to)| to > from).count();
    assert_eq!((thread.effort.complexity(), ups), (3, 0), "{:?}", thread.changes);
}

#[test]
fn no_load_curve_makes_it_flap() {
    for seed in 1..=50u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        let mut thread = Thread::new();
        for _ in 0..40 {
            let (level, swing, length) = (random() * 200.0, random() * 60.0, 0.2 + random() * 12.0);
            thread.run(length, |seconds| (level + swing * (seconds * 7.0).sin()).max(0.0));
        }
        let ups: Vec<Micros> = thread.changes.iter().filter(|(_, from, to)| to > from).map(|(at, ..)| *at).collect();
        assert!(ups.windows(2).all(|pair| pair[1] - pair[0] >= CALM), "seed {seed}: {:?}", thread.changes);
        let after_a_change = thread.changes.windows(2).filter(|pair| pair[1].2 > pair[1].1);
        assert!(after_a_change.clone().all(|pair| pair[1].0 - pair[0].0 >= CALM), "seed {seed}: {:?}", thread.changes);
    }
}

#[test]
fn a_single_stall_costs_one_step() {
    let mut thread = Thread::new();
    thread.run(5.0, |_| 20.0);
    thread.backlog += 30_000.0;
    thread.run(5.0, |_| 20.0);
    assert_eq!(thread.changes.len(), 1, "{:?}", thread.changes);
    assert_eq!(thread.effort.complexity(), 7);
}

#[test]
fn the_ceiling_is_kept_whatever_the_load() {
    let mut thread = Thread::new();
    thread.effort.set_ceiling(5);
    assert_eq!(thread.effort.complexity(), 5);
    thread.run(60.0, |_| 1.0);
    assert_eq!(thread.effort.complexity(), 5);
    thread.effort.set_ceiling(10);
    thread.run(30.0, |_| 1.0);
    assert_eq!(thread.effort.complexity(), 10);
    thread.effort.set_ceiling(0);
    assert_eq!(thread.effort.complexity(), 0, "lower than any step");
}

#[test]
fn a_step_that_saves_nothing_here_is_left_out() {
    let mut effort = Effort::new(&[(1, 50), (3, 98), (5, 100), (7, 101), (10, 160)], 0);
    let mut seen = vec![effort.complexity()];
    for turn in 1..10 {
        effort.note(Load { busy: WINDOW * 8 / 10, encoded: 1, ..Load::default() }, turn * WINDOW);
        seen.push(effort.complexity());
    }
    seen.dedup();
    assert_eq!(seen[0], 10);
    assert!(!seen.contains(&5) && !seen.contains(&3), "{seen:?}");
    effort.set_costs(&COSTS);
    assert_eq!(effort.complexity(), 1, "what is known now changes no step by itself");
}

/// One core: what the programme thread, which goes first, leaves of it is a sender thread's.
struct Core {
    effort: Effort,
    now: Micros,
    mixing: f64,
    /// Packets that wait for the sender: when they were made, and work that is left on them, µs.
    sending: std::collections::VecDeque<(Micros, f64)>,
    spent: std::collections::VecDeque<f64>,
    waited: Micros,
    complexities: Vec<u8>,
}

/// What it takes to send a frame to the ten listeners of a room, and to mix it but for encoding, µs.
const SEND: f64 = 43.0;
const MIX: f64 = 45.0;

impl Core {
    fn new() -> Self {
        let (sending, spent) = Default::default();
        Self { effort: Effort::new(&COSTS, 0), now: 0, mixing: 0.0, sending, spent, waited: 0, complexities: vec![10] }
    }

    /// So many rooms mix, a quarter of them in each turn; others need so much of the core too.
    fn turn(&mut self, rooms: usize, others: f64) {
        let cost = COSTS.iter().find(|(complexity, _)| *complexity == self.effort.complexity()).expect("a step").1;
        let mut left = TURN as f64 * (1.0 - others);
        let frames = rooms / 4;
        self.mixing += frames as f64 * (f64::from(cost) + MIX);
        let mixed = self.mixing.min(left);
        self.mixing -= mixed;
        left -= mixed;
        self.sending.extend(std::iter::repeat_n((self.now, SEND), frames));
        self.now += TURN;
        while let Some((_, work)) = self.sending.front_mut().filter(|_| left > 0.0) {
            let sent = work.min(left);
            *work -= sent;
            left -= sent;
            if *work <= 0.0 {
                self.sending.pop_front();
            }
        }
        let waited = self.sending.front().map_or(0, |(made, _)| self.now - made - TURN);
        self.waited = self.waited.max(waited);
        self.spent.push_back(1.0 - others - left / TURN as f64);
        self.spent.truncate(40);
        if self.spent.len() == 40 {
            self.spent.pop_front();
        }
        let relay = self.spent.iter().sum::<f64>() / 40.0;
        let lag = self.mixing as Micros;
        let load = Load { busy: mixed as Micros, encoded: frames as u64, lag, relay, waited, lost: waited > 50_000 };
        if self.effort.note(load, self.now) {
            self.complexities.push(self.effort.complexity());
        }
    }
}

#[test]
fn a_sender_on_the_same_core_loses_nothing_to_encoders_as_rooms_come() {
    let mut core = Core::new();
    for rooms in 1..=100 {
        (0..20).for_each(|_| core.turn(rooms, 0.0));
    }
    (0..1000).for_each(|_| core.turn(100, 0.0));
    assert!(core.waited < FAR, "{} µs", core.waited);
    assert!(core.complexities.is_sorted_by(|before, after| before > after), "{:?}", core.complexities);
    assert_eq!(core.sending.len(), 0);
}

#[test]
fn rooms_that_begin_to_mix_all_at_once_cost_the_listeners_nothing() {
    let mut core = Core::new();
    (0..400).for_each(|_| core.turn(20, 0.0));
    (0..400).for_each(|_| core.turn(100, 0.0));
    assert!(core.waited < 50_000, "{} µs", core.waited);
    assert_eq!(core.effort.complexity(), 1, "all the way at once: {:?}", core.complexities);
    assert!(core.complexities.len() <= 4, "{:?}", core.complexities);
    assert_eq!(core.sending.len(), 0);
}

#[test]
fn what_others_take_of_the_core_makes_encoders_cheaper_and_comes_back_last() {
    let mut core = Core::new();
    (0..400).for_each(|_| core.turn(40, 0.0));
    assert_eq!(core.effort.complexity(), 10);
    // Somebody else takes six tenths of it.
    (0..400).for_each(|_| core.turn(40, 0.6));
    assert!(core.effort.complexity() < 10, "{:?}", core.complexities);
    assert!(core.waited < 50_000, "{} µs", core.waited);
    assert_eq!(core.sending.len(), 0);
    let low = core.effort.complexity();
    (0..1500).for_each(|_| core.turn(4, 0.0));
    assert_eq!(core.effort.complexity(), low, "too early to tell");
    (0..10_000).for_each(|_| core.turn(4, 0.0));
    assert_eq!(core.effort.complexity(), 10);
}

#[test]
fn a_sender_that_is_behind_for_itself_costs_no_effort() {
    let mut effort = Effort::new(&COSTS, 0);
    for turn in 1..1000 {
        // One room of thousands: encoding it is nothing.
        let load = Load { busy: 60, encoded: turn % 4 / 3, relay: 0.9, waited: 30_000, lost: true, lag: 0 };
        effort.note(load, turn * TURN);
    }
    assert_eq!(effort.complexity(), 10);
}
