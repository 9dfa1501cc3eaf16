//! Sound that comes in lumps is put back on its own time line.

use majlis_core::pacer::{Due, MOST_DELAY, Pacer, Taken};
use majlis_core::{Micros, SECOND};

const FRAME: Micros = 20_000;

/// Puts in packets `from..to` of 20 ms, all at `now`; says what became of the last.
fn lump(pacer: &mut Pacer, from: u64, to: u64, now: Micros) -> Taken {
    (from..to).map(|at| pacer.put((at * 960) as u32, vec![at as u8; 30], now)).last().expect("one at least")
}

/// What comes out in each millisecond until `to`.
fn play(pacer: &mut Pacer, from: Micros, to: Micros) -> Vec<(Micros, Due)> {
    let mut said = Vec::new();
    for now in (from..to).step_by(1000) {
        while let Some(due) = pacer.take(now) {
            said.push((now, due));
        }
    }
    said
}

#[test]
fn lumps_of_200_ms_come_out_as_one_stream() {
    let mut pacer = Pacer::default();
    let mut said = Vec::new();
    for piece in 0..50 {
        let now = SECOND + piece * 10 * FRAME;
        lump(&mut pacer, piece * 10, piece * 10 + 10, now);
        said.extend(play(&mut pacer, now, now + 10 * FRAME));
    }
    let steps: Vec<Micros> = said.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(said.len() >= 485, "nothing is lost: {}", said.len());
    assert!(steps.iter().all(|step| (10_000..=25_000).contains(step)), "one each 20 ms: {steps:?}");
    assert!(said.windows(2).all(|pair| pair[1].1.index == pair[0].1.index + 1));
}

#[test]
fn who_was_stalled_goes_on_with_what_is_said_now() {
    let mut pacer = Pacer::default();
    for at in 0..50 {
        let now = SECOND + at * FRAME;
        lump(&mut pacer, at, at + 1, now);
        play(&mut pacer, now, now + FRAME);
    }
    // Five seconds at once, after five seconds of nothing.
    let now = SECOND + 300 * FRAME;
    let last = lump(&mut pacer, 50, 301, now);
    assert_eq!(last, Taken::Waits);
    let said = play(&mut pacer, now, now + 3 * SECOND);
    assert!(said.len() <= 52, "no more than a second of what was said before: {}", said.len());
    assert!(said.windows(2).all(|pair| pair[1].0 - pair[0].0 >= FRAME - 2000), "and that at its own pace");
    let behind = said.last().expect("some").0 - now;
    assert!(behind <= MOST_DELAY as u64 + 50_000, "the newest is said within a second: {behind}");
}

#[test]
fn a_line_that_is_quick_again_is_not_kept_waiting_for_long() {
    let mut pacer = Pacer::default();
    let mut said = Vec::new();
    for at in 0..1500 {
        let stalled = (100..140).contains(&at);
        let now = SECOND + if stalled { 140 } else { at } * FRAME;
        lump(&mut pacer, at, at + 1, now);
        if !stalled {
            said.extend(play(&mut pacer, now, now + FRAME).into_iter().map(|(now, due)| (now - SECOND, due)));
        }
    }
    let behind = |(now, due): &(Micros, Due)| now - u64::from(due.timestamp) * 125 / 6;
    assert!(said.iter().map(behind).max().expect("some") > 700_000, "it was late");
    assert!(behind(said.last().expect("some")) < 60_000, "{}", behind(said.last().expect("some")));
}

#[test]
fn what_was_said_before_is_not_said_again() {
    let mut pacer = Pacer::default();
    lump(&mut pacer, 0, 10, SECOND);
    assert_eq!(lump(&mut pacer, 3, 4, SECOND), Taken::Late);
    assert_eq!(play(&mut pacer, SECOND, 2 * SECOND).len(), 10);
}

#[test]
fn timestamps_may_wrap() {
    let mut pacer = Pacer::default();
    let first = u32::MAX - 10 * 960;
    for at in 0..40 {
        assert_eq!(pacer.put(first.wrapping_add(at * 960), vec![1], SECOND + u64::from(at) * FRAME), Taken::Waits);
    }
    assert_eq!(play(&mut pacer, SECOND, 3 * SECOND).len(), 40);
}

#[test]
fn a_sender_that_begins_anew_is_heard_within_a_second_or_two() {
    let mut pacer = Pacer::default();
    for at in 0..100 {
        lump(&mut pacer, 10_000 + at, 10_001 + at, SECOND + at * FRAME);
    }
    play(&mut pacer, SECOND, 4 * SECOND);
    for at in 0..150 {
        let now = 4 * SECOND + at * FRAME;
        pacer.put((at * 960) as u32, vec![2], now);
    }
    let said = play(&mut pacer, 4 * SECOND, 8 * SECOND);
    assert!(said.len() >= 90, "{}", said.len());
    assert_eq!(said[0].1.line, 2, "as another source");
}

#[test]
fn hostile_timestamps_fill_nothing() {
    let mut pacer = Pacer::default();
    let mut seed = 7_u32;
    let mut said = 0;
    for step in 0..20_000_u64 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pacer.put(seed, vec![0; 400], SECOND + step * 100);
        assert!(pacer.due_at().is_none_or(|due| due < 10 * SECOND), "nothing waits for ever");
        said += usize::from(pacer.take(SECOND + step * 100).is_some());
    }
    assert!(said < 200, "and next to nothing of it is said: {said}");
}
