//! No clicks: where programmes are handed over, muted or resumed the spectrum holds no energy that the sound does not.

mod support;

use majlis_mix::Mixer;
use majlis_programme::{MixerConfig, ProgrammeFrame};
use rustfft::{FftPlanner, num_complex::Complex};
use support::*;

const WINDOW: usize = 512;

/// Loudest high-frequency energy (above 6 kHz) in any window, dB: a click is broad, the test's tones are not.
fn worst_click(samples: &[f32]) -> (f32, usize) {
    let fft = FftPlanner::new().plan_fft_forward(WINDOW);
    let bin = 6000 * WINDOW / RATE;
    let mut worst = (-200.0f32, 0);
    for start in (0..samples.len() - WINDOW).step_by(WINDOW / 4) {
        let mut data: Vec<Complex<f32>> = (0..WINDOW)
            .map(|n| {
                let hann = 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos();
                Complex::new(samples[start + n] * hann, 0.0)
            })
            .collect();
        fft.process(&mut data);
        let power: f32 = data[bin..WINDOW / 2].iter().map(|value| value.norm_sqr()).sum();
        let level = 10.0 * (power / (WINDOW * WINDOW) as f32).max(1e-20).log10();
        if level > worst.0 {
            worst = (level, start);
        }
    }
    worst
}

fn second_mixer(at: u64) -> Mixer {
    let config = MixerConfig {
        stream: 10,
        first_sequence: 1000,
        first_timestamp: 5,
        bits_per_second: 32_000,
        complexity: 10,
        thrift: false,
    };
    let mut mixer = Mixer::new(config, at).unwrap();
    mixer.add_member(1).unwrap();
    mixer
}

#[test]
fn the_detector_hears_a_click() {
    let mut samples: Vec<f32> = (0..RATE).map(|n| 0.1 * (n as f32 * 0.0576).sin()).collect();
    let before = worst_click(&samples).0;
    samples.drain(RATE / 2..RATE / 2 + 57);
    assert!(worst_click(&samples).0 > before + 20.0);
}

/// A programme whose mixer is replaced after a second, the old one told to finish `before` ticks ahead or just gone.
fn handed_over(graceful: bool) -> Vec<Option<ProgrammeFrame>> {
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let (first, second) = (steady(&mut voice, 1, 0, 50), steady(&mut voice, 1, 1_000_000, 50));
    let mut old = mixer([1]);
    let mut frames;
    if graceful {
        frames = run(&mut old, first[..48].to_vec(), 48);
        old.finish();
        frames.extend(run(&mut old, first[48..].to_vec(), 5));
    } else {
        frames = run(&mut old, first.clone(), 50);
    }
    frames.extend(run(&mut second_mixer(1_000_000), second, 50));
    frames
}

#[test]
fn a_hand_over_to_another_mixer_is_free_of_clicks() {
    let steady_tone = hear_all(&run(&mut mixer([1]), steady(&mut Voice::tone(1, 440.0, 0.2), 1, 0, 100), 100));
    let floor = worst_click(&steady_tone[RATE / 2..]).0;
    for graceful in [true, false] {
        let heard = hear_all(&handed_over(graceful));
        let (worst, at) = worst_click(&heard[RATE / 2..]);
        println!("graceful {graceful}: {worst} dB at {at}, steady tone {floor} dB");
        assert!(worst < (floor + 10.0).max(-62.0), "{worst} dB at {at}");
    }
}

#[test]
fn a_finished_mixer_closes_and_says_no_more() {
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let mut mixer = mixer([1]);
    run(&mut mixer, steady(&mut voice, 1, 0, 50), 50);
    mixer.finish();
    let frames = run(&mut mixer, steady(&mut voice, 1, 1_000_000, 50), 50);
    assert!(frames[..2].iter().all(|frame| frame.is_some_and(|frame| !frame.end_of_talk)));
    assert!(frames[2..5].iter().all(|frame| frame.is_some_and(|frame| frame.end_of_talk)));
    assert!(frames[5..].iter().all(Option::is_none));
}

#[test]
fn muting_and_unmuting_mid_word_does_not_click() {
    let mut voice = Voice::tone(1, 440.0, 0.2);
    let mut mixer = mixer([1]);
    let mut frames = run(&mut mixer, steady(&mut voice, 1, 0, 50), 50);
    mixer.set_muted(1, true);
    frames.extend(run(&mut mixer, steady(&mut voice, 1, 1_000_000, 50), 50));
    mixer.set_muted(1, false);
    frames.extend(run(&mut mixer, steady(&mut voice, 1, 2_000_000, 50), 50));
    let (worst, at) = worst_click(&hear_all(&frames)[RATE / 2..]);
    println!("{worst} dB at {at}");
    assert!(worst < -60.0, "{worst} dB at {at}");
}

#[test]
fn time_scaling_and_concealment_of_a_tone_do_not_click() {
    let mut random = Seeded(9);
    let arrivals = steady(&mut Voice::tone(1, 440.0, 0.2), 1, 0, 1000);
    let shaken = arrivals.into_iter().enumerate().map(|(n, (at, member, sent))| {
        (at + if (100..350).contains(&n) { random.below(60_000) } else { 0 }, member, sent)
    });
    let mut mixer = mixer([1]);
    let frames = run(&mut mixer, shaken.collect(), 1000);
    let moved = mixer.speakers().next().unwrap().counters;
    assert!(moved.cut_samples > 0 && moved.concealed_samples > 0, "{moved:?}");
    let (worst, at) = worst_click(&hear_all(&frames)[RATE / 2..19 * RATE]);
    println!("{worst} dB at {at}, {moved:?}");
    assert!(worst < -55.0, "{worst} dB at {at}");
}
