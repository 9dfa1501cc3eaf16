//! Whose turn it is: channels keep each other waiting for a frame's work at most, and share their wake-ups.

use super::tests::{Ears, frame, poll_all};
use super::*;
use crate::mixing::{MixTotals, MixerConfig};
use crate::plan::{Bed, Part};
use std::cell::Cell;
use std::collections::BTreeMap;

const MILLISECOND: Micros = 1_000;
const SECOND: Micros = 1_000_000;
const TICK: Micros = 20_000;

thread_local! {
    /// How often anybody asked a mixer of this thread anything about time.
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// Gives a frame each 20 ms, whoever speaks.
struct Metronome {
    stream: u32,
    next: Micros,
    sequence: u32,
}

impl Mixing for Metronome {
    fn begin(config: MixerConfig, now: Micros) -> Option<Self> {
        Some(Self { stream: config.stream, next: now, sequence: 0 })
    }

    fn arrange(&mut self, _: &BTreeMap<u32, Part>, _: Bed) -> bool {
        true
    }

    fn set_muted(&mut self, _: u32, _: bool) {}

    fn set_bitrate(&mut self, _: u32) {}

    fn handle_rtp(&mut self, _: u32, _: RtpIn<'_>, _: Micros) {}

    fn next_poll(&self) -> Micros {
        LOOKS.set(LOOKS.get() + 1);
        self.next
    }

    fn poll_frame(&mut self, now: Micros, _: u64) -> Option<ProgrammeFrame> {
        LOOKS.set(LOOKS.get() + 1);
        if self.next > now {
            return None;
        }
        self.next += TICK;
        self.sequence += 1;
        Some(ProgrammeFrame { stream: self.stream, ..frame(self.sequence) })
    }

    fn set_effort(&mut self, _: u8) {}

    fn totals(&self) -> MixTotals {
        MixTotals::default()
    }

    fn dump_way(&self) -> String {
        String::new()
    }

    fn dump(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Home channels 1 to `count`, each heard, added at odd moments.
fn rooms(count: u64, ears: &mut Ears) -> Programme<Metronome> {
    let mut programme = Programme::new(WallClock::default());
    for id in 1..=count {
        let at = id * 137;
        programme.handle_command(ProgrammeCommand::Add(ChannelId(id), Some(StageId(id)), id as u32), at, ears);
        programme.handle_fact(StageFact::Audience(ChannelId(id), true), at);
    }
    programme
}

#[test]
fn a_hundred_channels_on_a_thread_wake_it_two_hundred_times_a_second() {
    let mut ears = Ears::default();
    let mut programme = rooms(80, &mut ears);
    for id in 81..=100 {
        programme.handle_command(ProgrammeCommand::Add(ChannelId(id), None, 0), 0, &mut ears);
        programme.handle_command(ProgrammeCommand::PacketLength(ChannelId(id), PacketLength::Ms40), 0, &mut ears);
        programme.handle_fact(StageFact::Audience(ChannelId(id), true), 0);
    }
    let (mut now, mut wakes, mut pushed) = (SECOND / 10, 0, 0);
    while now < SECOND / 10 + SECOND {
        // Frames from other relays come whenever they like; taking them in is no wake-up of a timer.
        while pushed < (now - SECOND / 10) / MILLISECOND {
            let (channel, sequence) = (ChannelId(81 + pushed % 20), (pushed / 20) as u32);
            programme.handle_push(channel, frame(sequence), SECOND / 10 + pushed * MILLISECOND);
            pushed += 1;
        }
        wakes += 1;
        now = poll_all(&mut programme, now, &mut ears).expect("mixers go on");
    }
    assert!(wakes <= 205, "{wakes} wake-ups");
    let heard = |id| ears.heard.get(&ChannelId(id)).copied().unwrap_or(0);
    assert!((1..=80).all(|id| heard(id) >= 50), "{:?}", ears.heard);
    assert!((81..=100).all(|id| heard(id) >= 20), "{:?}", ears.heard);
}

#[test]
fn a_channel_with_nothing_due_is_not_looked_at() {
    let mut ears = Ears::default();
    let mut programme = rooms(200, &mut ears);
    let now = poll_all(&mut programme, SECOND, &mut ears).expect("mixers go on");
    LOOKS.set(0);
    assert_eq!(poll_all(&mut programme, now - 1, &mut ears), Some(now));
    assert_eq!(LOOKS.get(), 0, "nothing was due");
    let before: u32 = ears.heard.values().sum();
    poll_all(&mut programme, now, &mut ears);
    let frames: u32 = ears.heard.values().sum::<u32>() - before;
    assert_eq!(frames, 50, "a quarter of the rooms share each of the four moments of a frame");
    assert!(LOOKS.get() <= u64::from(3 * frames), "{} looks for {frames} frames", LOOKS.get());
}

/// Lets time pass: each frame of channel 1 costs `slow`, each of another a tenth of a millisecond. Returns the longest
/// that a frame of another channel was late.
fn lateness(programme: &mut Programme<Metronome>, from: Micros, until: Micros, slow: Micros) -> Micros {
    let mut ears = Ears::default();
    let (mut now, mut worst) = (from, 0);
    while now < until {
        // One that has more to do at once is no other channel's delay.
        let planned = programme.agenda.next().unwrap_or(now);
        now = now.max(if programme.behind.is_some() { now } else { planned });
        let before = ears.heard.get(&ChannelId(1)).copied();
        programme.poll(now, &mut ears);
        if ears.heard.get(&ChannelId(1)).copied() == before {
            worst = worst.max(now - planned);
            now += MILLISECOND / 10;
        } else {
            now += slow;
        }
    }
    worst
}

#[test]
fn a_channel_that_catches_up_delays_the_others_by_one_frames_work() {
    let mut ears = Ears::default();
    let mut programme = rooms(8, &mut ears);
    poll_all(&mut programme, SECOND, &mut ears);
    // Only its own time stands still for half a second: its next 25 frames are due at once.
    let entry = programme.channels.get_mut(&ChannelId(1)).expect("added");
    entry.channel.restart();
    programme.refresh(ChannelId(1), SECOND / 2);
    let late = lateness(&mut programme, SECOND, 2 * SECOND, 3 * MILLISECOND);
    assert!(late <= 4 * MILLISECOND, "{late} µs");
}

#[test]
fn a_slow_mixer_delays_the_others_by_one_frames_work() {
    let mut ears = Ears::default();
    let mut programme = rooms(8, &mut ears);
    poll_all(&mut programme, SECOND, &mut ears);
    // It never keeps up: 30 ms of work for each 20 ms.
    let late = lateness(&mut programme, SECOND, 5 * SECOND, 30 * MILLISECOND);
    assert!(late <= 31 * MILLISECOND, "{late} µs");
}

#[test]
fn a_channel_that_failed_ticks_from_its_new_beginning_and_owes_nothing() {
    let mut ears = Ears::default();
    let mut programme = rooms(1, &mut ears);
    poll_all(&mut programme, SECOND, &mut ears);
    let before = ears.heard[&ChannelId(1)];
    assert_eq!(programme.with::<()>(ChannelId(1), SECOND, |_| panic!("injected failure")), None);
    let mut now = SECOND;
    while now < SECOND + 10 * TICK {
        now = poll_all(&mut programme, now, &mut ears).expect("mixers go on");
    }
    let gained = ears.heard[&ChannelId(1)] - before;
    assert!((8..=9).contains(&gained), "{gained} frames in ten ticks, one or two of them lost");
}
