//! What a listener of the programme hears of the people on stage.

mod support;

use majlis_mix::Inserted;
use support::*;

fn flatten(voices: Vec<Vec<Arrival>>) -> Vec<Arrival> {
    voices.into_iter().flatten().collect()
}

#[test]
fn three_speakers_tones_are_heard_at_equal_level() {
    let tones = [440.0, 700.0, 1130.0];
    let mut mixer = mixer([1, 2, 3]);
    let arrivals = flatten(
        tones
            .iter()
            .zip(1..)
            .map(|(hertz, member)| steady(&mut Voice::tone(member, *hertz, 0.2), member, 0, 300))
            .collect(),
    );
    let heard = hear_all(&run(&mut mixer, arrivals, 300));
    let settled = &heard[4 * RATE..5 * RATE];
    let levels: Vec<f32> = tones.iter().map(|hertz| tone_db(settled, *hertz)).collect();
    println!("{levels:?}");
    for level in &levels {
        assert!((level - levels[0]).abs() <= 1.0, "levels {levels:?} dB");
        assert!(*level > -30.0, "levels {levels:?} dB");
    }
    assert!(tone_db(settled, 900.0) < levels[0] - 20.0);
}

#[test]
fn who_speaks_after_a_long_silence_is_as_loud_as_before_it() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::tone(1, 440.0, 0.9);
    let mut arrivals = steady(&mut voice, 1, 0, 200);
    voice.rest(4 * RATE);
    arrivals.extend(steady(&mut voice, 1, 8_000_000, 200));
    let heard = hear_all(&run(&mut mixer, arrivals, 610));
    let (before, silent, after) =
        (&heard[3 * RATE..4 * RATE - 960], &heard[6 * RATE..7 * RATE], &heard[11 * RATE..12 * RATE - 960]);
    assert!((rms_db(before) - rms_db(after)).abs() < 0.5, "{} and {} dBov", rms_db(before), rms_db(after));
    assert!(rms_db(silent) < -70.0, "{} dBov", rms_db(silent));
}

#[test]
fn ten_loud_speakers_do_not_clip() {
    let mut mixer = mixer(1..=10);
    let arrivals = flatten((1..=10).map(|n| steady(&mut Voice::new(n, speech(n.into(), 0.95)), n, 0, 250)).collect());
    let heard = hear_all(&run(&mut mixer, arrivals, 250));
    let peak = heard.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    println!("peak {peak}");
    assert!(peak < 1.0, "peak {peak}");
    assert!(rms_db(&heard[2 * RATE..]) > -26.0, "the limiter must not swallow the speakers");
}

#[test]
fn quiet_and_loud_speakers_come_within_three_decibels() {
    let loudness = |amplitude: f32| {
        let mut mixer = mixer([1]);
        let arrivals = steady(&mut Voice::new(1, speech(3, amplitude)), 1, 0, 500);
        let heard = hear_all(&run(&mut mixer, arrivals, 500));
        rms_db(&heard[6 * RATE..9 * RATE])
    };
    let (loud, normal, quiet) = (loudness(0.9), loudness(0.1), loudness(0.02));
    println!("{loud} {normal} {quiet}");
    assert!((loud - quiet).abs() <= 3.0 && (normal - quiet).abs() <= 3.0, "{loud} {normal} {quiet} dBov");
}

#[test]
fn silence_sends_nothing_after_closing_frames() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::new(1, |n| if n < RATE { 0.3 * (n as f32 * 0.05).sin() } else { 0.0 });
    let frames = run(&mut mixer, steady(&mut voice, 1, 0, 300), 300);
    let first = frames.iter().position(Option::is_some).unwrap();
    let closing: Vec<usize> = (0..300).filter(|n| frames[*n].is_some_and(|frame| frame.end_of_talk)).collect();
    let last = frames.iter().rposition(Option::is_some).unwrap();
    assert!(first <= 4, "speech starts at frame {first}");
    assert!(frames[first].unwrap().start_of_talk);
    assert_eq!(closing.last(), Some(&last));
    assert!((50..85).contains(&last), "one second of speech ends at frame {last}");
    for frame in closing.iter().filter_map(|n| frames[*n]) {
        assert_eq!(frame.payload.as_slice().len(), 1, "a browser knows DTX by its length");
        assert!(frame.csrcs.as_slice().is_empty());
    }
    let sent: Vec<_> = frames.iter().flatten().collect();
    assert!(sent.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
}

#[test]
fn the_timestamp_goes_on_through_silence_and_the_next_talk_is_marked() {
    let mut mixer = mixer([1]);
    let loud = |n: usize| if !(RATE..3 * RATE).contains(&n) { 0.3 * (n as f32 * 0.05).sin() } else { 0.0 };
    let frames = run(&mut mixer, steady(&mut Voice::new(1, loud), 1, 0, 250), 250);
    let starts: Vec<usize> = (0..250).filter(|n| frames[*n].is_some_and(|frame| frame.start_of_talk)).collect();
    assert_eq!(starts.len(), 2, "{starts:?}");
    let (one, two) = (frames[starts[0]].unwrap(), frames[starts[1]].unwrap());
    assert_eq!(two.timestamp.wrapping_sub(one.timestamp) as usize, (starts[1] - starts[0]) * 960);
    assert_eq!(two.capture_ntp - one.capture_ntp, ((starts[1] - starts[0]) as u64 * 20_000) << 12);
}

#[test]
fn a_frame_names_who_speaks_loudest_first_and_nobody_silent() {
    let mut mixer = mixer([1, 2, 3]);
    let arrivals = flatten(vec![
        steady(&mut Voice::tone(1, 300.0, 0.05), 1, 0, 60),
        steady(&mut Voice::tone(2, 500.0, 0.5), 2, 0, 60),
        steady(&mut Voice::new(3, |_| 0.0), 3, 0, 60),
    ]);
    let frames = run(&mut mixer, arrivals, 60);
    assert_eq!(frames[4].unwrap().csrcs.as_slice(), &[2, 1]);
    assert!(frames.iter().flatten().all(|frame| !frame.csrcs.as_slice().contains(&3)));
}

#[test]
fn a_muted_or_removed_member_is_not_heard_within_two_frames() {
    for removed in [false, true] {
        let mut mixer = mixer([1, 2]);
        let (mut one, mut two) = (Voice::tone(1, 440.0, 0.2), Voice::tone(2, 1000.0, 0.2));
        let before = flatten(vec![steady(&mut one, 1, 0, 100), steady(&mut two, 2, 0, 100)]);
        let mut frames = run(&mut mixer, before, 100);
        if removed {
            mixer.remove_member(2)
        } else {
            mixer.set_muted(2, true)
        }
        let after = flatten(vec![steady(&mut one, 1, 2_000_000, 50), steady(&mut two, 2, 2_000_000, 50)]);
        frames.extend(run(&mut mixer, after, 50));
        let heard = hear_all(&frames);
        assert!(tone_db(&heard[RATE..RATE * 3 / 2], 1000.0) > -30.0);
        let (kept, gone) =
            (tone_db(&heard[102 * 960 + 400..120 * 960], 440.0), tone_db(&heard[102 * 960 + 400..120 * 960], 1000.0));
        assert!(kept > -30.0 && gone < kept - 35.0, "kept {kept} dB, gone {gone} dB");
    }
}

#[test]
fn an_unmuted_member_is_heard_again_and_nothing_said_while_muted() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::new(1, |n| {
        let hertz = if (RATE..2 * RATE - 4800).contains(&n) { 2000.0 } else { 440.0 };
        0.2 * (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin()
    });
    let mut frames = run(&mut mixer, steady(&mut voice, 1, 0, 50), 50);
    mixer.set_muted(1, true);
    frames.extend(run(&mut mixer, steady(&mut voice, 1, 1_000_000, 50), 50));
    mixer.set_muted(1, false);
    frames.extend(run(&mut mixer, steady(&mut voice, 1, 2_000_000, 50), 50));
    let heard = hear_all(&frames);
    assert!(tone_db(&heard[RATE * 9 / 4..RATE * 11 / 4], 440.0) > -35.0);
    assert!(heard.chunks(4800).all(|part| tone_db(part, 2000.0) < -50.0));
}

#[test]
fn a_stranger_and_a_malformed_payload_are_ignored() {
    let mut mixer = mixer([1]);
    let sent = Voice::tone(1, 440.0, 0.2).say();
    assert_eq!(mixer.handle_rtp(2, sent.rtp(), 0), None);
    let broken = Sent { payload: vec![0x03, 0x00], ..sent };
    assert_eq!(mixer.handle_rtp(1, broken.rtp(), 0), Some(Inserted::Malformed));
    assert!(run(&mut mixer, Vec::new(), 10).iter().all(Option::is_none));
}

#[test]
fn a_stalled_caller_gets_the_missed_frames_and_after_a_long_stall_goes_on_in_time() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let frames = run(&mut mixer, steady(&mut voice, 1, 0, 50), 50);
    let before = frames[49].unwrap();
    for (at, member, sent) in steady(&mut voice, 1, 1_000_000, 5) {
        mixer.handle_rtp(member, sent.rtp(), at);
    }
    let missed: Vec<_> = std::iter::from_fn(|| mixer.poll_frame(1_080_000, 0)).collect();
    assert_eq!(missed.len(), 5);
    assert_eq!(missed[4].timestamp, before.timestamp.wrapping_add(5 * 960));
    let _ = mixer.poll_frame(4_000_000, 0);
    assert!(mixer.next_poll() > 3_780_000, "a stall of three seconds is not worked off frame by frame");
}

#[test]
fn the_bit_rate_can_be_changed_while_someone_speaks() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::new(1, speech(1, 0.3));
    let mut mean = |rate: u32, second: u64| {
        mixer.set_bitrate(rate).unwrap();
        let frames = run(&mut mixer, steady(&mut voice, 1, second * 1_000_000, 100), 100);
        let bytes: usize = frames.iter().flatten().map(|frame| frame.payload.as_slice().len()).sum();
        bytes as f32 * 8.0 * 50.0 / frames.iter().flatten().count() as f32
    };
    let (low, high) = (mean(16_000, 0), mean(64_000, 2));
    assert!((8_000.0..20_000.0).contains(&low) && (40_000.0..80_000.0).contains(&high), "{low} and {high} bit/s");
    assert!(mixer.set_bitrate(500).is_err());
}
