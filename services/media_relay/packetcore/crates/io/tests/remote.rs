//! A programme crosses relays: exported as frames by the home relay, pushed into another one.

mod common;

use common::{Client, Heard, amplitude, assert_continuous, decode, floor, on_time, relay};
use majlis_io::{Relay, sys};
use std::time::Duration;

/// A home relay with one speaker, exporting.
struct Home {
    relay: Relay,
    speaker: Client,
}

impl Home {
    fn new(hertz: f32) -> Self {
        let relay = relay();
        let stage = relay.add_stage().expect("stage").0;
        let channel = floor(&relay, stage);
        relay.set_export(channel, true).expect("a home channel");
        let speaker = Client::on_stage(&relay, "speaker", stage, 7, 1, hertz);
        Self { relay, speaker }
    }
}

/// An audience relay with one listener.
struct Away {
    relay: Relay,
    channel: u64,
    listener: Client,
}

impl Away {
    fn new() -> Self {
        let relay = relay();
        let channel = relay.add_channel(None).expect("channel").0;
        let listener = Client::listener(&relay, "listener", channel);
        Self { relay, channel, listener }
    }
}

/// Lets frames pass from the home to the relay away; `carry` decides what becomes of the frames of each 20 ms.
fn run(
    home: &mut Home,
    away: &mut Away,
    frames: usize,
    mut carry: impl FnMut(usize, Vec<Vec<u8>>) -> Vec<Vec<u8>>,
) -> Vec<Heard> {
    let begin = sys::monotonic_micros();
    let mut heard = Vec::new();
    for frame in 0..frames {
        home.speaker.speak();
        let next = begin + 20_000 * (frame as u64 + 1);
        while sys::monotonic_micros() < next {
            std::thread::sleep(Duration::from_millis(1));
            let exported = home.relay.poll_programme(64).into_iter().map(|(_, frame)| frame).collect();
            for bytes in carry(frame, exported) {
                away.relay.push_programme(away.channel, &bytes).expect("what a relay exports");
            }
            heard.extend(away.listener.hear());
        }
    }
    heard
}

#[test]
fn a_listener_at_another_relay_hears_the_tone_and_who_speaks() {
    on_time(|| {
        let (mut home, mut away) = (Home::new(440.0), Away::new());
        let heard = run(&mut home, &mut away, 75, |_, frames| frames);
        assert!(heard.len() > 50, "{} of 75", heard.len());
        assert_continuous(&heard);
        assert!(heard[10..].iter().all(|packet| packet.csrcs == [7]));
        let sound = decode(&heard[15..]);
        assert!(amplitude(&sound, 440.0) > 0.05 && amplitude(&sound, 880.0) < 0.01);
    });
}

#[test]
fn frames_that_come_twice_or_out_of_order_are_played_once_and_in_order() {
    on_time(|| {
        let (mut home, mut away) = (Home::new(440.0), Away::new());
        let mut held: Option<Vec<u8>> = None;
        let mut count = 0;
        let heard = run(&mut home, &mut away, 75, |_, frames| {
            let mut out = Vec::new();
            for frame in frames {
                count += 1;
                match held.take() {
                    // Every tenth frame changes places with the next one, and both come twice.
                    Some(before) => out.extend([frame.clone(), before.clone(), frame, before]),
                    None if count % 10 == 0 => held = Some(frame),
                    None => out.push(frame),
                }
            }
            out
        });
        for pair in heard.windows(2) {
            assert!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) < 1 << 20, "never back in time");
            assert_ne!(pair[0].payload, pair[1].payload, "never the same frame again");
        }
        let refused = away.relay.counters().snapshot()["frames_refused"];
        assert!(refused >= 8, "{refused} duplicates were refused");
    });
}

#[test]
fn a_lost_frame_is_a_gap_that_the_listener_can_conceal() {
    on_time(|| {
        let (mut home, mut away) = (Home::new(440.0), Away::new());
        let mut count = 0;
        let mut lost = 0;
        let heard = run(&mut home, &mut away, 60, |_, frames| {
            let mut keep = frames;
            keep.retain(|_| {
                count += 1;
                let drop = count > 20 && count % 10 == 0;
                lost += u16::from(drop);
                !drop
            });
            keep
        });
        let (first, last) = (&heard[0], &heard[heard.len() - 1]);
        let span = last.sequence.wrapping_sub(first.sequence) + 1;
        let missing = span - heard.len() as u16;
        assert!(lost >= 2 && (lost - 1..=lost).contains(&missing), "{lost} were lost and {missing} are missing");
        assert_eq!(last.timestamp.wrapping_sub(first.timestamp), u32::from(span - 1) * 960);
    });
}

#[test]
fn a_home_relay_that_is_replaced_leaves_one_continuous_stream() {
    on_time(|| {
        let (mut first, mut second, mut away) = (Home::new(440.0), Home::new(700.0), Away::new());
        let mut heard = run(&mut first, &mut away, 50, |_, frames| frames);
        let before = heard.len();
        heard.extend(run(&mut second, &mut away, 60, |_, frames| frames));
        assert!(before > 25 && heard.len() > before + 25);
        assert_continuous(&heard);
        let sound = decode(&heard[before + 20..]);
        assert!(amplitude(&sound, 700.0) > 0.05 && amplitude(&sound, 440.0) < 0.01);
    });
}

#[test]
fn bytes_that_are_no_frame_are_refused_with_the_reason() {
    on_time(|| {
        let away = Away::new();
        let refusal = away.relay.push_programme(away.channel, &[1, 2, 3]).expect_err("no frame");
        assert!(refusal.to_string().contains("cut short"), "{refusal}");
        let home = Home::new(440.0);
        let channel =
            home.relay.add_stage().and_then(|stage| home.relay.add_channel(Some(stage.0))).expect("channel").0;
        let refusal = home.relay.push_programme(channel, &[0; 40]).expect_err("a home channel");
        assert!(refusal.to_string().contains("push_programme"), "{refusal}");
    });
}
