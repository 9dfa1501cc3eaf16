//! Frames of a remote channel leave evenly, in order, once, or not at all.

#[path = "../../mix/tests/support/mod.rs"]
mod support;

use majlis_programme::{Csrcs, Payload, Playout, ProgrammeFrame, Pushed};
use support::Seeded;

const TICK: u64 = 20_000;

fn frame(number: u32) -> ProgrammeFrame {
    ProgrammeFrame {
        start_of_talk: number == 0,
        end_of_talk: false,
        level: 30,
        stream: 1,
        sequence: u32::MAX.wrapping_add(number).wrapping_sub(50),
        timestamp: (u32::MAX - 100_000).wrapping_add(number.wrapping_mul(960)),
        capture_ntp: u64::from(number),
        csrcs: Csrcs::default(),
        payload: Payload::new(&[0x78, 1]).unwrap(),
    }
}

/// Pushes frames at their arrivals and polls whenever something is due; returns (time, frame) as they left.
fn play(playout: &mut Playout, mut arrivals: Vec<(u64, ProgrammeFrame)>) -> Vec<(u64, ProgrammeFrame)> {
    arrivals.sort_by_key(|(at, _)| *at);
    let mut left = Vec::new();
    for (at, frame) in arrivals.into_iter().map(|(at, frame)| (at, Some(frame))).chain([(u64::MAX / 1_000_000, None)]) {
        while let Some(due) = playout.next_due().filter(|due| *due <= at) {
            while let Some(frame) = playout.poll(due) {
                left.push((due, frame));
            }
        }
        if let Some(frame) = frame {
            playout.push(frame, at);
            while let Some(frame) = playout.poll(at) {
                left.push((at, frame));
            }
        }
    }
    left
}

fn gaps(left: &[(u64, ProgrammeFrame)]) -> Vec<u64> {
    left.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[test]
fn on_a_calm_bus_frames_leave_at_once() {
    let mut playout = Playout::default();
    let left = play(&mut playout, (0..200).map(|n| (1_000_000 + u64::from(n) * TICK, frame(n))).collect());
    assert_eq!(left.len(), 200);
    assert_eq!(playout.depth_ms(), 0);
    assert!(left.iter().zip(0..).all(|((at, _), n)| *at <= 1_000_100 + n * TICK));
}

#[test]
fn jitter_of_forty_milliseconds_is_evened_out() {
    let mut seed = Seeded(7);
    let mut playout = Playout::default();
    let left = play(&mut playout, (0..500).map(|n| (u64::from(n) * TICK + seed.below(40_000), frame(n))).collect());
    assert!(left.len() >= 495, "{:?}", playout.counters);
    let uneven = gaps(&left[100..]).iter().filter(|gap| gap.abs_diff(TICK) > 2_000).count();
    assert!(uneven <= 8, "{uneven} of 400 gaps are uneven");
    assert!((25..=60).contains(&playout.depth_ms()), "{} ms", playout.depth_ms());
}

#[test]
fn calm_after_jitter_shortens_the_wait_again() {
    let mut seed = Seeded(8);
    let mut playout = Playout::default();
    let jitter = |n: u32, seed: &mut Seeded| if n < 200 { seed.below(50_000) } else { 0 };
    play(&mut playout, (0..3500).map(|n| (u64::from(n) * TICK + jitter(n, &mut seed), frame(n))).collect());
    assert!(playout.depth_ms() <= 5, "{} ms", playout.depth_ms());
}

#[test]
fn frames_leave_in_order_and_never_twice_whatever_the_bus_does() {
    for seed in 0..50 {
        let mut random = Seeded(seed);
        let mut arrivals = Vec::new();
        for n in 0..300 {
            let at = u64::from(n) * TICK + random.below(90_000);
            if random.below(10) > 0 {
                arrivals.push((at, frame(n)));
            }
            if random.below(10) == 0 {
                arrivals.push((at + random.below(300_000), frame(n)));
            }
        }
        let left = play(&mut Playout::default(), arrivals);
        assert!(left.windows(2).all(|pair| pair[0].1.capture_ntp < pair[1].1.capture_ntp), "seed {seed}");
        assert!(left.len() > 200, "seed {seed}: {}", left.len());
    }
}

#[test]
fn a_reordered_frame_takes_its_place_when_there_is_time() {
    let mut playout = Playout::default();
    let mut random = Seeded(3);
    play(&mut playout, (0..100).map(|n| (u64::from(n) * TICK + random.below(50_000), frame(n))).collect());
    let swapped = vec![(101 * TICK, frame(101)), (101 * TICK + 5_000, frame(100)), (102 * TICK, frame(102))];
    let left: Vec<_> = play(&mut playout, swapped).into_iter().map(|(_, frame)| frame.capture_ntp).collect();
    assert_eq!(left, [100, 101, 102]);
}

#[test]
fn a_lost_frame_leaves_a_gap_and_delays_nothing() {
    let mut playout = Playout::default();
    let left = play(&mut playout, (0..100).filter(|n| *n != 40).map(|n| (u64::from(n) * TICK, frame(n))).collect());
    assert_eq!(left.len(), 99);
    assert_eq!(playout.counters.missing, 1);
    assert!(left.iter().all(|(at, frame)| *at <= frame.capture_ntp * TICK + 100));
}

#[test]
fn a_stall_of_a_tenth_of_a_second_loses_no_frame() {
    let mut playout = Playout::default();
    let stalled = |n: u64| if (50..55).contains(&n) { 55 * TICK } else { n * TICK };
    let left = play(&mut playout, (0..150).map(|n| (stalled(n.into()), frame(n))).collect());
    assert_eq!(left.len(), 150);
    assert!(left.iter().all(|(at, frame)| *at <= frame.capture_ntp * TICK + 101_000));
}

#[test]
fn a_stall_of_a_second_is_not_replayed() {
    let mut playout = Playout::default();
    let stalled = |n: u64| if (50..100).contains(&n) { 100 * TICK } else { n * TICK };
    let left = play(&mut playout, (0..150).map(|n| (stalled(n.into()), frame(n))).collect());
    assert!(left.iter().all(|(at, frame)| *at <= frame.capture_ntp * TICK + 270_000));
    assert!(playout.counters.late >= 30, "{:?}", playout.counters);
    assert_eq!(left.last().unwrap().1.capture_ntp, 149);
}

#[test]
fn a_path_that_became_slower_for_good_is_followed() {
    let mut playout = Playout::default();
    let slower = |n: u64| n * TICK + if n >= 50 { 500_000 } else { 0 };
    let left = play(&mut playout, (0..200).map(|n| (slower(n.into()), frame(n))).collect());
    assert!(left.len() >= 180, "{}", left.len());
    assert!(left.iter().any(|(_, frame)| frame.capture_ntp == 199));
}

#[test]
fn a_new_mixer_follows_the_last_frames_of_the_old_one_whose_stragglers_are_dropped() {
    let mut playout = Playout::default();
    let new = |n: u32| ProgrammeFrame { stream: 2, sequence: n, timestamp: 77 + n * 960, ..frame(n) };
    let mut arrivals: Vec<_> = (0..50).map(|n| (u64::from(n) * TICK, frame(n))).collect();
    arrivals.extend((50..100).map(|n| (u64::from(n) * TICK + 3_000, new(n))));
    arrivals.push((51 * TICK + 10_000, frame(50)));
    let left = play(&mut playout, arrivals);
    let order: Vec<_> = left.iter().map(|(_, frame)| (frame.stream, frame.capture_ntp)).collect();
    let expected: Vec<_> = (0..100).map(|n| (if n < 50 { 1 } else { 2 }, n)).collect();
    assert_eq!(order, expected);
    assert_eq!(playout.counters.retired, 1);
}

#[test]
fn silence_of_an_hour_ends_without_a_wait() {
    let mut playout = Playout::default();
    let mut arrivals: Vec<_> = (0..50).map(|n| (u64::from(n) * TICK, frame(n))).collect();
    // An hour with a clock that drifted by 40 ms meanwhile.
    let (later, drift) = (180_000u32, 40_000);
    let resumed = |n: u32| ProgrammeFrame { sequence: frame(n).sequence, ..frame(n + later) };
    arrivals.extend((50..60).map(|n| (u64::from(n + later) * TICK + drift, resumed(n))));
    let left = play(&mut playout, arrivals);
    assert_eq!(left.len(), 60);
    assert!(left[50].0 <= u64::from(50 + later) * TICK + drift + 100);
}

#[test]
fn a_frame_seen_before_is_named_as_such() {
    let mut playout = Playout::default();
    assert_eq!(playout.push(frame(1), 0), Pushed::Kept);
    assert_eq!(playout.push(frame(1), 10), Pushed::Duplicate);
    assert!(playout.poll(20).is_some());
    assert_eq!(playout.push(frame(1), 30), Pushed::Duplicate);
    assert_eq!(playout.push(frame(0), 30), Pushed::Late);
}

#[test]
fn a_path_that_is_late_once_a_second_keeps_its_wait_and_is_played_evenly() {
    let mut playout = Playout::default();
    let late = |n: u32| if n % 50 == 49 { 12_000 } else { 0 };
    let left = play(&mut playout, (0..1500).map(|n| (u64::from(n) * TICK + late(n), frame(n))).collect());
    assert_eq!(left.len(), 1500);
    let uneven = gaps(&left[1000..]).iter().filter(|gap| gap.abs_diff(TICK) > 500).count();
    assert_eq!(uneven, 0, "depth {} ms", playout.depth_ms());
}

#[test]
fn what_a_frame_was_held_is_its_own_and_not_the_buffers_depth() {
    let mut playout = Playout::default();
    let mut random = Seeded(11);
    play(&mut playout, (0..200).map(|n| (u64::from(n) * TICK + random.below(30_000), frame(n))).collect());
    let (on_time, late) = (210 * TICK, 211 * TICK + 59_000);
    playout.push(frame(210), on_time);
    let due = playout.next_due().unwrap();
    assert!(playout.poll(due).is_some());
    assert!(playout.held().abs_diff(due - on_time) < 50, "{} of {}", playout.held(), due - on_time);
    playout.push(frame(211), late);
    assert!(playout.poll(late + 1_000).is_some());
    assert!(playout.held() <= 1_000, "who comes late is not held: {}", playout.held());
}
