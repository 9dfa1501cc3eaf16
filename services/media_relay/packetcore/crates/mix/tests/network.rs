//! What a speaker's bad network does to the programme: loss, jitter, reorder, restarts, over a seeded in-process network.

mod support;

use majlis_mix::{Inserted, Mixer, SpeakerReport};
use support::*;

fn report(mixer: &Mixer) -> SpeakerReport {
    mixer.speakers().next().unwrap()
}

/// A network that loses `loss` percent and delays each packet by up to `jitter` µs.
fn through(arrivals: Vec<Arrival>, seed: u64, loss: u64, jitter: u64) -> Vec<Arrival> {
    let mut random = Seeded(seed);
    let kept = arrivals.into_iter().filter_map(|(at, member, sent)| {
        let delay = if jitter > 0 { random.below(jitter) } else { 0 };
        (random.below(100) >= loss).then_some((at + delay, member, sent))
    });
    kept.collect()
}

/// Longest stretch below -45 dB in 10 ms steps of `samples`, ms.
fn longest_gap(samples: &[f32]) -> usize {
    let mut longest = 0;
    let mut current = 0;
    for part in samples.chunks(480) {
        current = if rms_db(part) < -45.0 { current + 10 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

#[test]
fn a_clean_network_conceals_nothing_and_holds_back_twenty_milliseconds() {
    let mut mixer = mixer([1]);
    run(&mut mixer, steady(&mut Voice::new(1, speech(1, 0.3)), 1, 0, 500), 500);
    let report = report(&mixer);
    assert_eq!(report.target_ms, 20);
    assert_eq!((report.counters.concealed_samples, report.counters.late, report.counters.cut_samples), (0, 0, 0));
}

#[test]
fn the_buffer_grows_with_jitter_and_shrinks_when_it_is_over() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::new(1, speech(1, 0.3));
    run(&mut mixer, through(steady(&mut voice, 1, 0, 500), 5, 0, 80_000), 500);
    let shaken = report(&mixer);
    assert!((60..=100).contains(&shaken.target_ms), "{} ms", shaken.target_ms);
    run(&mut mixer, steady(&mut voice, 1, 10_000_000, 1000), 1000);
    let calm = report(&mixer);
    assert_eq!(calm.target_ms, 20);
    assert!(calm.counters.cut_samples > shaken.counters.cut_samples, "the delay built up is worked off");
}

#[test]
fn jitter_of_eighty_milliseconds_is_hardly_heard() {
    let mut mixer = mixer([1]);
    let arrivals = through(steady(&mut Voice::tone(1, 440.0, 0.2), 1, 0, 1000), 11, 0, 80_000);
    let heard = hear_all(&run(&mut mixer, arrivals, 1000));
    let concealed = report(&mixer).counters.concealed_samples / 960;
    assert!(concealed <= 40, "{concealed} of 1000 frames concealed");
    assert!(longest_gap(&heard[RATE..19 * RATE]) == 0);
    assert!(tone_db(&heard[10 * RATE..11 * RATE], 440.0) > -24.0, "the tone stays one tone");
}

#[test]
fn ten_percent_loss_leaves_no_hole_in_the_programme() {
    let mut mixer = mixer([1]);
    let arrivals = through(steady(&mut Voice::tone(1, 440.0, 0.2), 1, 0, 500), 3, 10, 10_000);
    let heard = hear_all(&run(&mut mixer, arrivals, 500));
    assert!(longest_gap(&heard[RATE..9 * RATE]) <= 10, "{} ms", longest_gap(&heard[RATE..9 * RATE]));
}

#[test]
fn in_band_fec_rebuilds_single_losses_better_than_concealment() {
    let programme = |fec: bool| {
        let mut mixer = mixer([1]);
        let mut voice =
            if fec { Voice::new(1, speech(4, 0.3)).with_fec(20) } else { Voice::new(1, speech(4, 0.3)).with_fec(0) };
        let mut arrivals = steady(&mut voice, 1, 0, 500);
        // Enough jitter that the next packet is there when the missing one is due.
        arrivals = through(arrivals, 2, 0, 60_000);
        let clean: Vec<Arrival> = arrivals.clone();
        let lossy: Vec<Arrival> =
            arrivals.into_iter().enumerate().filter(|(n, _)| n % 7 != 3).map(|(_, a)| a).collect();
        let lost = hear_all(&run(&mut mixer, lossy, 500));
        let counters = report(&mixer).counters;
        let whole = hear_all(&run(&mut self::mixer([1]), clean, 500));
        let error: Vec<f32> = envelope(&lost).iter().zip(envelope(&whole)).map(|(one, other)| one - other).collect();
        (counters, rms_db(&error))
    };
    let ((with, with_error), (_, without_error)) = (programme(true), programme(false));
    assert!(with.recovered_samples / 960 >= 40, "{with:?}");
    println!("envelope error with FEC {with_error} dB, without {without_error} dB");
    assert!(with_error < without_error);
}

fn envelope(samples: &[f32]) -> Vec<f32> {
    samples.chunks(480).map(|part| (part.iter().map(|s| s * s).sum::<f32>() / 480.0).sqrt()).collect()
}

#[test]
fn reordered_and_doubled_packets_sound_like_ordered_ones() {
    let sound = || Voice::tone(1, 440.0, 0.2);
    let mut random = Seeded(77);
    let mut arrivals = Vec::new();
    for (at, member, sent) in steady(&mut sound(), 1, 0, 300) {
        arrivals.push((at + 20_000 * random.below(3), member, sent.clone()));
        arrivals.push((at + 20_000 * random.below(4), member, sent));
    }
    let mut mixer = mixer([1]);
    let heard = hear_all(&run(&mut mixer, arrivals, 300));
    let counters = report(&mixer).counters;
    assert!(counters.duplicates + counters.late >= 250, "{counters:?}");
    assert!(longest_gap(&heard[RATE..5 * RATE]) == 0);
    assert!(tone_db(&heard[3 * RATE..4 * RATE], 440.0) > -24.0);
}

#[test]
fn a_late_packet_is_never_heard_after_what_followed_it() {
    let mut mixer = mixer([1]);
    // One packet in the middle carries another tone and comes a second late.
    let mut voice = Voice::new(1, |n| {
        let hertz = if (60 * 960..61 * 960).contains(&n) { 3000.0 } else { 440.0 };
        0.2 * (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin()
    });
    let mut arrivals = steady(&mut voice, 1, 0, 200);
    arrivals[60].0 += 1_000_000;
    let heard = hear_all(&run(&mut mixer, arrivals, 200));
    assert_eq!(report(&mixer).counters.late, 1);
    assert!(heard[RATE * 7 / 5..].chunks(960).all(|part| tone_db(part, 3000.0) < -40.0));
}

#[test]
fn a_burst_after_a_stall_of_half_a_second_does_not_leave_a_lasting_delay() {
    let mut mixer = mixer([1]);
    let mut arrivals = steady(&mut Voice::new(1, speech(2, 0.3)), 1, 0, 600);
    for (n, arrival) in arrivals.iter_mut().enumerate() {
        if (100..125).contains(&n) {
            arrival.0 = 125 * 20_000;
        }
    }
    let late: Vec<_> = run(&mut mixer, arrivals, 600);
    assert!(late[599].is_some() || late[590].is_some());
    let counters = report(&mixer).counters;
    assert!(counters.restarts <= 1, "{counters:?}");
    assert!(counters.concealed_samples <= 48_000 / 2, "{counters:?}");
}

#[test]
fn every_packet_duration_is_heard() {
    for frame in [480usize, 960, 1920, 2880] {
        let mut mixer = mixer([1]);
        let mut voice = Voice::tone(1, 440.0, 0.2);
        voice.frame = frame;
        let arrivals = steady(&mut voice, 1, 0, 48_000 * 3 / frame);
        let heard = hear_all(&run(&mut mixer, arrivals, 150));
        assert_eq!(report(&mixer).counters.concealed_samples, 0, "{} ms packets", frame / 48);
        assert!(longest_gap(&heard[RATE / 2..RATE * 5 / 2]) == 0, "{} ms packets", frame / 48);
        assert!(tone_db(&heard[RATE..2 * RATE], 440.0) > -24.0, "{} ms packets", frame / 48);
    }
}

#[test]
fn packets_of_a_hundred_and_twenty_milliseconds_are_heard() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let mut joined = Vec::new();
    for n in 0..25u64 {
        let parts: Vec<Sent> = (0..6).map(|_| voice.say()).collect();
        let payloads: Vec<&[u8]> = parts.iter().map(|part| &part.payload[..]).collect();
        let mut out = vec![0; 4000];
        let len = opus::Repacketizer::new().unwrap().combine(&payloads, &mut out).unwrap();
        out.truncate(len);
        joined.push((n * 120_000, 1, Sent { sequence: n as u16, payload: out, ..parts[0].clone() }));
    }
    let heard = hear_all(&run(&mut mixer, joined, 150));
    assert_eq!(report(&mixer).counters.concealed_samples, 0);
    assert!(longest_gap(&heard[RATE / 2..RATE * 5 / 2]) == 0);
}

#[test]
fn a_sender_that_restarts_is_heard_at_once_and_its_stragglers_are_not() {
    let mut mixer = mixer([1]);
    let mut old = Voice::tone(1, 440.0, 0.2);
    let mut arrivals = steady(&mut old, 1, 0, 100);
    let straggler = old.say();
    let mut new = Voice::tone(99, 1000.0, 0.2);
    (new.sequence, new.timestamp) = (7, 123_456);
    arrivals.extend(steady(&mut new, 1, 2_000_000, 100));
    arrivals.push((2_090_000, 1, straggler));
    let heard = hear_all(&run(&mut mixer, arrivals, 200));
    assert!(tone_db(&heard[2 * RATE + RATE / 5..3 * RATE], 1000.0) > -26.0);
    let counters = report(&mixer).counters;
    assert_eq!((counters.restarts, counters.late), (2, 1), "first packet and restart");
}

#[test]
fn a_pause_without_packets_is_silence_and_not_concealment() {
    for advances in [true, false] {
        let mut mixer = mixer([1]);
        let mut voice = Voice::tone(1, 440.0, 0.2);
        let mut arrivals = steady(&mut voice, 1, 0, 100);
        if advances {
            voice.rest(5 * 48_000);
        }
        arrivals.extend(steady(&mut voice, 1, 7_000_000, 100));
        let frames = run(&mut mixer, arrivals, 460);
        let heard = hear_all(&frames);
        assert!(frames[150..345].iter().all(Option::is_none), "a pause sends nothing");
        assert!(
            tone_db(&heard[7 * RATE + RATE / 2..8 * RATE + RATE / 2], 440.0) > -24.0,
            "timestamps advance: {advances}"
        );
        assert!(report(&mixer).counters.concealed_samples <= 12 * 960, "120 ms at each of two ends");
    }
}

#[test]
fn opus_dtx_of_a_speaker_is_neither_loss_nor_noise() {
    let mut mixer = mixer([1]);
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let mut arrivals = steady(&mut voice, 1, 0, 100);
    let silent = Sent { payload: vec![arrivals[0].2.payload[0] & 0xfc], ..voice.say() };
    arrivals.push((2_000_000, 1, silent));
    voice.rest(40 * 960);
    let mut later = steady(&mut voice, 1, 2_820_000, 100);
    arrivals.append(&mut later);
    let heard = hear_all(&run(&mut mixer, arrivals, 240));
    assert_eq!(report(&mixer).counters.concealed_samples, 0);
    assert!(rms_db(&heard[RATE * 5 / 2..RATE * 27 / 10]) < -60.0);
    assert!(tone_db(&heard[RATE * 7 / 2..RATE * 9 / 2], 440.0) > -24.0);
}

#[test]
fn a_sender_whose_clock_is_fast_or_slow_is_followed_for_minutes() {
    for step in [19_990u64, 20_010] {
        let mut mixer = mixer([1]);
        let mut voice = Voice::new(1, speech(1, 0.3));
        let arrivals = (0..6000).map(|n| (n * step, 1, voice.say())).collect();
        run(&mut mixer, arrivals, 6000 * step / 20_000 - 5);
        let counters = report(&mixer).counters;
        assert!(counters.concealed_samples / 960 <= 5, "step {step}: {counters:?}");
        let moved = if step < 20_000 { counters.cut_samples } else { counters.stretched_samples };
        assert!(moved > 480, "60 ms of drift: {counters:?}");
    }
}

#[test]
fn any_bytes_at_any_time_are_survived() {
    let mut random = Seeded(123);
    let mut mixer = mixer([1, 2]);
    let mut voice = Voice::new(1, speech(1, 0.3));
    let template = voice.say();
    let mut malformed = 0;
    for n in 0..20_000u64 {
        let mut sent = template.clone();
        sent.sequence = if random.below(3) == 0 { random.next() as u16 } else { n as u16 };
        sent.timestamp = if random.below(5) == 0 { random.next() as u32 } else { (n * 960) as u32 };
        sent.ssrc = random.below(2) as u32;
        sent.payload.truncate(random.below(80) as usize);
        for byte in &mut sent.payload {
            if random.below(4) == 0 {
                *byte = random.next() as u8;
            }
        }
        let outcome = mixer.handle_rtp(1 + random.below(3) as u32, sent.rtp(), n * 5_000);
        malformed += u32::from(outcome == Some(Inserted::Malformed));
        while mixer.next_poll() <= n * 5_000 {
            mixer.poll_frame(n * 5_000, 0);
        }
    }
    assert!(malformed > 100);
}
