//! Seams between passing and mixing, as a listener's decoder hears them: no click, no step in level, whatever the sender
//! codes with.

mod compare;
mod support;

use compare::*;
use opus::Application;
use support::*;

/// Loudest that anything but the sound itself may be, dB.
const FLOOR: f32 = -52.0;
/// Frames as loud as speech, beside which the other who makes seams is nothing, dBov.
const LOUD: f32 = -38.0;
/// A seam changes no frame's level by more, dB.
const STEP: f32 = 3.0;

fn coded(bits: i32, application: Application, sound: impl FnMut(usize) -> f32 + 'static) -> Voice {
    Voice::new(1, sound).coded(application, |encoder| {
        encoder.set_bitrate(opus::Bitrate::Bits(bits)).unwrap();
    })
}

fn tone(bits: i32, application: Application) -> Voice {
    coded(bits, application, |n| 0.14 * (std::f32::consts::TAU * 440.0 * n as f32 / RATE as f32).sin())
}

/// Holds that nobody heard the seams; gives how many there were.
fn assert_unheard(name: &str, heard: &Heard, bits: i32) -> u64 {
    let mixed = remixed(&heard.own, bits);
    let over = excess(&heard.heard, &[&heard.own, &mixed], FLOOR);
    let (is, own, mixed) = (levels(&heard.heard), levels(&heard.own), levels(&mixed));
    for n in heard.seams() {
        for at in n.saturating_sub(1)..(n + 4).min(over.len()) {
            assert!(over[at] < 3.0, "{name}: {} dB over the sound at frame {at}, seam at {n}", over[at]);
            let (low, high) = (own[at].min(mixed[at]), own[at].max(mixed[at]));
            let step = (is[at] - high).max(low - is[at]);
            assert!(own[at] < LOUD || step < STEP, "{name}: {step} dB of step at frame {at}, seam at {n}");
        }
    }
    let totals = heard.mixer.totals();
    println!("{name}: {totals:?}");
    totals.to_mixing + totals.to_passing
}

#[test]
fn nobody_hears_the_seams_of_speech_however_it_is_coded() {
    let cases = [
        (12_000, Application::Voip),
        (16_000, Application::Voip),
        (24_000, Application::Voip),
        (32_000, Application::Voip),
        (32_000, Application::Audio),
        (40_000, Application::Audio),
        (32_000, Application::LowDelay),
    ];
    for (bits, application) in cases {
        let heard = listen(coded(bits, application, speech(1, 0.25)), 20, 53);
        let seams = assert_unheard(&format!("{application:?} at {bits}"), &heard, 32_000);
        assert!(seams >= 20, "{seams} seams");
    }
}

#[test]
fn nobody_hears_that_a_held_tone_goes_through_the_mixer_and_back() {
    for (bits, application) in [(24_000, Application::Voip), (32_000, Application::Audio)] {
        let heard = listen(tone(bits, application), 5, 53);
        let seams = assert_unheard(&format!("tone {application:?}"), &heard, 32_000);
        assert!(seams >= 6, "{seams} seams: it needs no pause to come back in");
    }
}

/// What a browser sends of a recording, its pauses left out.
fn recorded(track: &majlis_speech::Track, member: u32, start: u64, slots: u64) -> Vec<Arrival> {
    let mut sequence = 500u16;
    let packets = (0..slots).filter_map(|slot| track.at(slot).map(|packet| (slot, packet)));
    packets
        .map(|(slot, packet)| {
            sequence = sequence.wrapping_add(1);
            let sent = Sent {
                ssrc: member,
                sequence,
                timestamp: 77_000 + slot as u32 * 960,
                level: Some(packet.level),
                payload: packet.payload.clone(),
            };
            (start + slot * 20_000, member, sent)
        })
        .collect()
}

#[test]
fn nobody_hears_the_seams_of_real_speech_with_its_pauses() {
    use majlis_speech::{Track, Voice as Recording, at_microphone};
    for recording in [Recording::First, Recording::Second] {
        let track = Track::new(&at_microphone(recording.samples().unwrap(), 1)).unwrap();
        let alone = listen_to(recorded(&track, 1, 400_000, 980), 960, 1000, usize::MAX);
        let frames = alone.frames.iter().flatten().filter(|frame| !frame.end_of_talk).count() as u64;
        let totals = alone.mixer.totals();
        assert_eq!((totals.passed, totals.to_mixing), (frames, 0), "a talk by one person is never mixed");
        assert_unheard(&format!("{recording:?} alone"), &alone, 32_000);
        let heard = listen_to(recorded(&track, 1, 400_000, 480), 960, 500, 53);
        assert_unheard(&format!("{recording:?}"), &heard, 32_000);
    }
}

#[test]
fn nobody_hears_the_seams_of_packets_of_ten_milliseconds() {
    let mut short = coded(32_000, Application::Voip, speech(1, 0.25));
    short.frame = 480;
    let seams = assert_unheard("10 ms", &listen(short, 20, 53), 32_000);
    assert!(seams >= 20, "{seams} seams");
}

/// Power of 2400 Hz in steps of 2.5 ms, in which 400 Hz has none.
fn bursts(samples: &[f32]) -> Vec<f32> {
    let power = |part: &[f32]| {
        let turn = std::f32::consts::TAU * 2400.0 / RATE as f32;
        let sum = |phase: f32| part.iter().enumerate().map(|(n, s)| s * (n as f32 * turn + phase).sin()).sum::<f32>();
        (sum(0.0).powi(2) + sum(std::f32::consts::FRAC_PI_2).powi(2)) * (2.0 / part.len() as f32).powi(2)
    };
    samples.chunks_exact(120).map(power).collect()
}

#[test]
fn the_first_syllable_of_who_speaks_up_beside_a_passed_speaker_is_whole() {
    for (open, offset) in [(true, 0), (true, 7_000), (false, 3_000), (false, 16_000)] {
        let mut first = tone_of(1, 400.0, 0..usize::MAX);
        let mut arrivals = steady(&mut first, 1, 400_000, 300);
        // He says something after three seconds, and his microphone was open all the time or sent nothing in silence.
        let (begin, end) = (3 * RATE + offset * 48 / 1000, 3 * RATE + offset * 48 / 1000 + 14_400);
        let mut second = tone_of(2, 2400.0, begin..end);
        let mut sent = steady(&mut second, 2, 407_000 + offset as u64, 200);
        if !open {
            sent.drain(..150);
        }
        let own = bursts(&decoded(&sent.iter().map(|(_, _, sent)| sent.clone()).collect::<Vec<_>>(), 960));
        arrivals.extend(sent);
        let mut mixer = mixer([1, 2]);
        let (frames, passed) = programme(&mut mixer, arrivals, 300);
        assert!(passed[30..165].iter().all(|passed| *passed), "the first one is passed");
        let heard = bursts(&hear_all(&frames));
        let alike =
            |shift: usize| own.iter().zip(&heard[shift..]).map(|(one, other)| one.sqrt() * other.sqrt()).sum::<f32>();
        let shift = (0..heard.len() - own.len()).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap();
        let full = own.iter().copied().fold(0.0, f32::max);
        let onset = own.iter().position(|power| *power > full / 10.0).unwrap();
        let energy = |part: &[f32]| 10.0 * part.iter().sum::<f32>().max(1e-12).log10();
        let (is, was) = (energy(&heard[shift + onset..shift + onset + 16]), energy(&own[onset..onset + 16]));
        println!("open {open}, {offset} us: {is} dB in its first 40 ms, was {was} dB");
        assert!((is - was).abs() < STEP, "open {open}, {offset} us: {is} dB in its first 40 ms, was {was} dB");
    }
}

/// A tone from this sample to that.
fn tone_of(ssrc: u32, hertz: f32, when: std::ops::Range<usize>) -> Voice {
    Voice::browser(ssrc, move |n| {
        if when.contains(&n) { 0.14 * (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin() } else { 0.0 }
    })
}
