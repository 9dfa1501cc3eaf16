//! The channel of a language: an interpreter over the floor, hand-overs between two, and what is heard while nobody
//! interprets.

mod compare;
mod support;

use compare::programme;
use majlis_mix::{CEILING, Mixer};
use majlis_programme::{Bed, Part, ProgrammeFrame};
use std::collections::BTreeMap;
use support::*;

const INTERPRETER: u32 = 1;
const PARTNER: u32 = 2;
const SPEAKER: u32 = 3;
/// Their tones, Hz.
const HIGH: f32 = 1130.0;
const MIDDLE: f32 = 700.0;
const LOW: f32 = 440.0;

fn bed(under_db: Option<i32>, whole_from: Option<u64>) -> Bed {
    Bed { under_db, whole_from, clear: false }
}

fn arrange(mixer: &mut Mixer, parts: &[(u32, Part)], bed: Bed) {
    mixer.arrange(&parts.iter().copied().collect::<BTreeMap<_, _>>(), bed).unwrap();
}

fn booth(parts: &[(u32, Part)], bed: Bed) -> Mixer {
    let mut mixer = mixer([]);
    arrange(&mut mixer, parts, bed);
    mixer
}

fn tone(member: u32, hertz: f32, packets: usize) -> Vec<Arrival> {
    steady(&mut Voice::tone(member, hertz, 0.2), member, 0, packets)
}

fn said(member: u32, packets: usize) -> Vec<Arrival> {
    steady(&mut Voice::browser(member, speech(member.into(), 0.3)), member, 0, packets)
}

fn together(voices: impl IntoIterator<Item = Vec<Arrival>>) -> Vec<Arrival> {
    voices.into_iter().flatten().collect()
}

/// Runs the mixer over what is due until that tick, and leaves the rest for later.
fn until(mixer: &mut Mixer, arrivals: &mut Vec<Arrival>, ticks: u64) -> Vec<Option<ProgrammeFrame>> {
    let end = mixer.next_poll() + (ticks - 1) * majlis_mix::TICK;
    let due = arrivals.extract_if(.., |(at, _, _)| *at <= end).collect();
    run(mixer, due, ticks)
}

#[test]
fn the_floor_is_heard_as_far_below_the_interpreter_as_was_asked() {
    for db in [-10, -20, -30] {
        let parts = [(INTERPRETER, Part::Voice), (SPEAKER, Part::Under)];
        let mut mixer = booth(&parts, bed(Some(db), None));
        let frames = run(&mut mixer, together([tone(INTERPRETER, HIGH, 300), tone(SPEAKER, LOW, 300)]), 300);
        let heard = hear_all(&frames);
        let settled = &heard[4 * RATE..5 * RATE];
        let below = tone_db(settled, LOW) - tone_db(settled, HIGH);
        println!("{db} dB asked, {below} dB heard");
        assert!((below - db as f32).abs() < 2.0, "{below} dB, {db} asked");
        assert!(tone_db(settled, HIGH) > -20.0, "the interpreter is as loud as anybody");
    }
}

#[test]
fn an_interpreter_with_nothing_under_the_voice_is_passed_bit_by_bit_and_the_floor_is_not_decoded() {
    let parts = [(INTERPRETER, Part::Voice), (PARTNER, Part::Ready), (SPEAKER, Part::Under)];
    let mut mixer = booth(&parts, bed(None, None));
    let voices = [said(INTERPRETER, 400), said(PARTNER, 400), said(SPEAKER, 400)];
    let (frames, passed) = programme(&mut mixer, together(voices), 400);
    let made = frames.iter().flatten().count();
    assert!(made > 380 && passed.iter().filter(|passed| **passed).count() * 100 >= made * 95, "of {made} frames");
    assert!(frames.iter().flatten().all(|frame| frame.csrcs.as_slice().iter().all(|who| *who == INTERPRETER)));
}

#[test]
fn the_interpreter_over_a_floor_that_speaks_is_mixed_and_both_are_named() {
    let mut mixer = booth(&[(INTERPRETER, Part::Voice), (SPEAKER, Part::Under)], bed(Some(-20), None));
    let (frames, _) = programme(&mut mixer, together([tone(INTERPRETER, HIGH, 200), tone(SPEAKER, LOW, 200)]), 200);
    let passed = mixer.totals().passed;
    assert!(passed < 20, "{passed} frames were passed");
    let last = frames.iter().flatten().last().unwrap();
    assert_eq!(last.csrcs.as_slice(), [INTERPRETER, SPEAKER], "louder first");
}

#[test]
fn who_is_ready_is_not_heard_at_all() {
    let mut mixer = booth(&[(PARTNER, Part::Ready)], bed(Some(-20), None));
    let frames = run(&mut mixer, said(PARTNER, 200), 200);
    assert!(frames.iter().all(Option::is_none));
    let mut mixer = booth(&[(INTERPRETER, Part::Voice), (PARTNER, Part::Ready)], bed(Some(-20), None));
    let frames = run(&mut mixer, together([tone(INTERPRETER, HIGH, 200), tone(PARTNER, MIDDLE, 200)]), 200);
    let heard = hear_all(&frames);
    assert!(tone_db(&heard[2 * RATE..3 * RATE], MIDDLE) < -70.0);
}

#[test]
fn while_nobody_interprets_a_silent_booth_says_nothing() {
    let mut mixer = booth(&[(PARTNER, Part::Ready), (SPEAKER, Part::Under)], bed(Some(-20), None));
    let frames = run(&mut mixer, together([said(PARTNER, 300), said(SPEAKER, 300)]), 300);
    assert!(frames.iter().all(Option::is_none));
}

#[test]
fn while_nobody_interprets_the_floor_fades_in_over_a_second_after_the_booths_time_and_is_then_passed() {
    let mut mixer = booth(&[(SPEAKER, Part::Under)], bed(Some(-20), Some(3_000_000)));
    let arrivals = steady(
        &mut Voice::browser(SPEAKER, move |n| 0.14 * (std::f32::consts::TAU * LOW * n as f32 / RATE as f32).sin()),
        SPEAKER,
        0,
        400,
    );
    let frames = run(&mut mixer, arrivals, 400);
    assert!(frames[..149].iter().all(Option::is_none), "three seconds of silence first");
    let heard = hear_all(&frames);
    let level = |at: f32| tone_db(&heard[(at * RATE as f32) as usize..][..2400], LOW);
    let steps: Vec<f32> = [3.25, 3.5, 3.75, 5.0].map(level).to_vec();
    println!("{steps:?} dB");
    assert!(steps.windows(2).all(|pair| pair[1] > pair[0] + 1.0), "{steps:?}");
    assert!((steps[3] - steps[1] - 6.0).abs() < 2.5, "half way after half a second: {steps:?}");
    assert_eq!(mixer.passing(), Some(SPEAKER), "one clean voice, and nothing over it");
}

#[test]
fn an_interpreter_who_comes_back_has_the_floor_below_at_once_and_smoothly() {
    let mut mixer = booth(&[(SPEAKER, Part::Under)], bed(Some(-20), Some(0)));
    let mut arrivals = together([tone(SPEAKER, LOW, 400)]);
    let mut frames = until(&mut mixer, &mut arrivals, 200);
    arrange(&mut mixer, &[(INTERPRETER, Part::Voice), (SPEAKER, Part::Under)], bed(Some(-20), None));
    frames.extend(until(&mut mixer, &mut arrivals, 200));
    let heard = hear_all(&frames);
    let level = |at: f32| tone_db(&heard[(at * RATE as f32) as usize..][..4800], LOW);
    let (before, after) = (level(3.5), level(4.5));
    println!("{before} dB, then {after} dB");
    assert!((before - after - 20.0).abs() < 3.0, "{before} dB, then {after} dB");
    assert!(heard.iter().all(|sample| sample.abs() <= CEILING * 1.5));
}

/// Ends of the one tone and beginning of the other around a hand-over, ms from its tick, in steps of 2.5 ms; a positive
/// difference is a gap. The first tone counts as gone 25 dB below itself, the other as there 10 dB below itself.
fn seam(heard: &[f32], tick: usize, (old, new): (f32, f32)) -> (f32, f32) {
    let window = 480;
    let level = |at: usize, hertz: f32| tone_db(&heard[at - window / 2..at + window / 2], hertz);
    let (loud_old, loud_new) = (level(tick * 960 - 9600, old), level(tick * 960 + 19_200, new));
    let steps = (tick * 960 - 4800..tick * 960 + 9600).step_by(120);
    let gone = steps.clone().filter(|at| level(*at, old) > loud_old - 25.0).max().unwrap();
    let there = steps.filter(|at| level(*at, new) > loud_new - 10.0).min().unwrap();
    let ms = |at: usize| (at as f32 - tick as f32 * 960.0) / 48.0;
    (ms(gone), ms(there))
}

fn handed_over(under: bool, passed: bool, leaves: bool) -> (Vec<f32>, usize) {
    let floor = (SPEAKER, Part::Under);
    let who = |one, other| vec![(INTERPRETER, one), (PARTNER, other), floor];
    let level = bed(under.then_some(-20), None);
    let mut mixer = booth(&who(Part::Voice, Part::Ready), level);
    let voice = |member, hertz: f32| {
        let sound = move |n: usize| 0.14 * (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin();
        steady(
            &mut if passed { Voice::browser(member, sound) } else { Voice::new(member, sound) },
            member,
            400_000,
            380,
        )
    };
    let mut arrivals = together([voice(INTERPRETER, LOW), voice(PARTNER, 2200.0)]);
    if under {
        arrivals.extend(said(SPEAKER, 400));
    }
    let mut frames = until(&mut mixer, &mut arrivals, 200);
    let why: Vec<_> = mixer.seams().filter(|(_, count)| *count > 0).collect();
    assert_eq!(mixer.passing().is_some(), passed && !under, "{why:?}");
    if leaves {
        // Where they sit is told first, and then who follows; both before the next frame.
        arrange(&mut mixer, &[(PARTNER, Part::Ready), floor], level);
        arrange(&mut mixer, &[(PARTNER, Part::Voice), floor], level);
    } else {
        arrange(&mut mixer, &who(Part::Ready, Part::Voice), level);
    }
    frames.extend(until(&mut mixer, &mut arrivals, 200));
    assert!(frames[30..].iter().all(Option::is_some), "no frame is missing");
    (hear_all(&frames), 200)
}

#[test]
fn a_hand_over_has_no_gap_and_no_double_voice_whether_passed_or_mixed_and_also_from_one_who_leaves() {
    let ways = [(false, true), (false, false), (true, true)];
    for (under, passed, leaves) in ways.into_iter().flat_map(|(one, other)| [false, true].map(|all| (one, other, all)))
    {
        let (heard, tick) = handed_over(under, passed, leaves);
        let (gone, there) = seam(&heard, tick, (LOW, 2200.0));
        println!("under {under}, passed {passed}, leaves {leaves}: gone at {gone} ms, there at {there} ms");
        assert!(there - gone <= 20.0, "a gap from {gone} to {there} ms");
        assert!(there >= gone, "both from {there} to {gone} ms");
        assert!((0.0..40.0).contains(&there), "the very next frame: {there} ms");
        let settled = &heard[(tick + 20) * 960..(tick + 120) * 960];
        assert!(tone_db(settled, LOW) < -60.0, "who gave way is not heard");
    }
}

#[test]
fn hand_overs_to_and_fro_before_a_frame_is_due_end_where_they_were_told_to() {
    let who = |one, other| [(INTERPRETER, one), (PARTNER, other)];
    let mut mixer = booth(&who(Part::Voice, Part::Ready), bed(None, None));
    let mut arrivals = together([tone(INTERPRETER, LOW, 300), tone(PARTNER, HIGH, 300)]);
    let mut frames = until(&mut mixer, &mut arrivals, 100);
    for (one, other) in [(Part::Ready, Part::Voice), (Part::Voice, Part::Ready)] {
        arrange(&mut mixer, &who(one, other), bed(None, None));
    }
    frames.extend(until(&mut mixer, &mut arrivals, 100));
    let heard = hear_all(&frames);
    assert!(tone_db(&heard[2 * RATE..3 * RATE], LOW) > -24.0);
    assert!(tone_db(&heard[RATE..3 * RATE], HIGH) < -70.0, "the partner was never heard");
}

#[test]
fn a_partner_who_takes_over_is_as_loud_from_the_first_word_on() {
    let who = |one, other| [(INTERPRETER, one), (PARTNER, other)];
    let mut mixer = booth(&who(Part::Voice, Part::Ready), bed(None, None));
    let quiet = steady(&mut Voice::tone(PARTNER, HIGH, 0.02), PARTNER, 0, 400);
    let mut arrivals = together([tone(INTERPRETER, LOW, 400), quiet]);
    let mut frames = until(&mut mixer, &mut arrivals, 200);
    arrange(&mut mixer, &who(Part::Ready, Part::Voice), bed(None, None));
    frames.extend(until(&mut mixer, &mut arrivals, 200));
    let heard = hear_all(&frames);
    let (first, later) = (tone_db(&heard[202 * 960..][..9600], HIGH), tone_db(&heard[7 * RATE..][..9600], HIGH));
    println!("{first} dB at first, {later} dB later");
    assert!((first - later).abs() < 3.0, "{first} dB at first, {later} dB later");
}

#[test]
fn over_many_hand_overs_at_any_moment_nobody_is_heard_who_is_not_to_be() {
    let voices = [(INTERPRETER, LOW), (PARTNER, 2200.0)];
    let said: Vec<Vec<Arrival>> = voices.iter().map(|(member, hertz)| tone(*member, *hertz, 500)).collect();
    for seed in 0..40 {
        let mut random = Seeded(seed);
        let who = |active: usize| {
            voices
                .iter()
                .enumerate()
                .map(move |(at, (member, _))| (*member, if at == active { Part::Voice } else { Part::Ready }))
        };
        let mut active = 0;
        let mut mixer = booth(&who(active).collect::<Vec<_>>(), bed(None, None));
        let mut arrivals = together(said.clone());
        let (mut frames, mut turns) = (Vec::new(), Vec::new());
        while frames.len() < 460 {
            let ticks = 12 + random.below(40);
            turns.push((frames.len(), active));
            frames.extend(until(&mut mixer, &mut arrivals, ticks));
            active = 1 - active;
            arrange(&mut mixer, &who(active).collect::<Vec<_>>(), bed(None, None));
        }
        assert!(frames[20..].iter().all(Option::is_some), "seed {seed}: no frame is missing");
        let heard = hear_all(&frames);
        let ends = turns.iter().skip(1).map(|(end, _)| *end).chain([frames.len()]);
        for ((begin, active), end) in turns.iter().zip(ends).skip(1) {
            let settled = &heard[(begin + 4) * 960..end * 960];
            let [own, other] = [*active, 1 - active].map(|at| tone_db(settled, voices[at].1));
            assert!(own > -30.0 && other < -70.0, "seed {seed}, frame {begin}: {own} dB and {other} dB");
        }
    }
}

/// A channel for who understands the speaker and not the guest: an interpreter over both on the floor.
fn turns(under_db: Option<i32>) -> (Mixer, Vec<Arrival>) {
    let parts = [(INTERPRETER, Part::Voice), (SPEAKER, Part::Under)];
    let voices = together([said_as(INTERPRETER, HIGH), said_as(SPEAKER, LOW)]);
    (booth(&parts, bed(under_db, None)), voices)
}

fn said_as(member: u32, hertz: f32) -> Vec<Arrival> {
    let sound = move |n: usize| 0.14 * (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin();
    steady(&mut Voice::browser(member, sound), member, 0, 700)
}

#[test]
fn while_somebody_who_is_understood_has_the_floor_the_interpreter_is_not_heard_and_the_change_has_no_gap() {
    for under_db in [None, Some(-20)] {
        let (mut mixer, mut arrivals) = turns(under_db);
        let parts = [(INTERPRETER, Part::Voice), (SPEAKER, Part::Under)];
        let mut frames = until(&mut mixer, &mut arrivals, 200);
        for (clear, ticks) in [(true, 200), (false, 200)] {
            arrange(&mut mixer, &parts, Bed { clear, ..bed(under_db, None) });
            frames.extend(until(&mut mixer, &mut arrivals, ticks));
            if clear && under_db.is_none() {
                assert_eq!(mixer.passing(), Some(SPEAKER), "one voice, as it came");
            }
        }
        assert!(frames[20..].iter().all(Option::is_some), "no frame is missing");
        let heard = hear_all(&frames);
        let level = |ms: usize, hertz| tone_db(&heard[ms * 48..][..2400], hertz);
        assert!(level(5000, HIGH) < -60.0, "{} dB of the interpreter", level(5000, HIGH));
        let (before, after) = (level(3000, HIGH), level(11_000, HIGH));
        assert!((before - after).abs() < 2.0 && (level(5000, LOW) - before).abs() < 4.0, "{before} dB, {after} dB");
        // From the tick of the change on.
        let loud = |ms: usize, hertz| level(ms, hertz) > before - 8.0;
        let (there, gone) = ((0..600).find(|ms| loud(4000 + ms, LOW)), (0..600).find(|ms| !loud(4000 + ms, HIGH)));
        println!("under {under_db:?}: the floor is there {there:?} ms after, the interpreter gone {gone:?} ms after");
        assert!(there.is_some_and(|ms| ms <= 100), "{there:?} ms");
        let loudest = |ms| level(ms, LOW).max(level(ms, HIGH));
        let quietest = (3900..8600).step_by(10).map(loudest).fold(0.0, f32::min);
        assert!(quietest > before - 9.0, "{quietest} dB in between");
    }
}
