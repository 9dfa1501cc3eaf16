//! What is told of a microphone: level, band, clipping, losses, and when its owner spoke.

use majlis_mix::{InputReading, Inputs};
use majlis_programme::RtpIn;
use majlis_speech::{Track, Voice, at_microphone};
use std::f32::consts::PI;

const TICK: u64 = 20_000;
const WHO: u32 = 7;

/// Ten seconds of a voice in a quiet room; it has nothing above 8 kHz.
fn voice(which: Voice) -> Vec<f32> {
    let samples = which.samples().expect("recording");
    at_microphone(samples[..480_000].to_vec(), 1)
}

/// The same with the breath of its consonants up to 20 kHz, where microphones hear it.
fn whole(which: Voice) -> Vec<f32> {
    let (mut samples, mut state) = (voice(which), 1u32);
    for sample in &mut samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample *= 1.0 + 0.2 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0);
    }
    samples
}

/// As it is behind a filter that lets nothing above `hertz` through (a sinc of 255 taps).
fn below(samples: &[f32], hertz: f32) -> Vec<f32> {
    let taps: Vec<f32> = (-127..=127)
        .map(|tap: i32| {
            let (x, cut) = (tap as f32, 2.0 * hertz / 48_000.0);
            let sinc = if tap == 0 { cut } else { (PI * cut * x).sin() / (PI * x) };
            sinc * (0.42 + 0.5 * (PI * x / 127.0).cos() + 0.08 * (2.0 * PI * x / 127.0).cos())
        })
        .collect();
    let at =
        |index: usize, tap: usize| (index + tap).checked_sub(127).and_then(|from| samples.get(from)).unwrap_or(&0.0);
    (0..samples.len()).map(|index| taps.iter().enumerate().map(|(tap, gain)| gain * at(index, tap)).sum()).collect()
}

fn times(samples: &[f32], gain_db: f32) -> Vec<f32> {
    let gain = 10f32.powf(gain_db / 20.0);
    samples.iter().map(|sample| (sample * gain).clamp(-1.0, 1.0)).collect()
}

/// What is read after `seconds` of a microphone that sends that; each packet for which `lost` says so does not come.
fn heard(samples: &[f32], seconds: u64, lost: impl Fn(u16) -> bool) -> InputReading {
    let (track, mut inputs) = (Track::new(samples).expect("track"), Inputs::default());
    let mut sequence = 65_000u16;
    for slot in 0..seconds * 50 {
        let Some(packet) = track.at(slot) else { continue };
        sequence = sequence.wrapping_add(1);
        if !lost(sequence) {
            let timestamp = slot as u32 * 960;
            let packet = RtpIn { ssrc: 1, sequence, timestamp, level: Some(packet.level), payload: &packet.payload };
            inputs.hear((WHO, 0), packet, slot * TICK);
        }
    }
    inputs.read(seconds * 50 * TICK).remove(0)
}

fn everything(samples: &[f32]) -> InputReading {
    heard(samples, 20, |_| false)
}

#[test]
fn the_level_is_that_of_speech_and_pauses_do_not_lower_it() {
    let quiet = everything(&times(&voice(Voice::First), -20.0)).level_dbov.expect("level");
    let usual = everything(&voice(Voice::First)).level_dbov.expect("level");
    assert!((-25.0..-20.0).contains(&usual), "{usual}");
    assert!((usual - quiet - 20.0).abs() < 2.0, "{quiet}");
}

#[test]
fn the_band_of_a_telephone_of_a_wide_telephone_and_of_a_microphone_are_told_apart() {
    for which in [Voice::First, Voice::Second] {
        let whole = whole(which);
        let band = |samples: &[f32]| everything(samples).band_hz.expect("band");
        let (narrow, wide, full) = (band(&below(&whole, 3400.0)), band(&below(&whole, 7500.0)), band(&whole));
        assert!((3_500..=5_000).contains(&narrow), "{narrow}");
        assert!((7_500..=9_500).contains(&wide), "{wide}");
        assert!(full >= 15_000, "{full}");
    }
}

#[test]
fn speech_that_is_cut_off_at_full_scale_is_told_from_loud_speech() {
    let clipped = |gain_db: f32| everything(&times(&voice(Voice::Second), gain_db)).clipped.expect("clipped");
    assert!(clipped(0.0) < 0.0001);
    assert!(clipped(6.0) < 0.001, "-12 dBov, and whole: {}", clipped(6.0));
    assert!(clipped(14.0) > 0.01, "{}", clipped(14.0));
}

#[test]
fn packets_that_do_not_come_are_counted_and_silence_that_is_not_sent_is_no_loss() {
    let voice = voice(Voice::First);
    let read = everything(&voice);
    assert_eq!(read.lost, 0);
    assert!(read.expected < 500, "nothing is sent in pauses: {}", read.expected);
    let read = heard(&voice, 20, |sequence| sequence % 20 == 3);
    let part = f64::from(read.lost) / f64::from(read.expected);
    assert!((0.03..0.07).contains(&part), "{part}");
}

#[test]
fn what_a_shut_microphone_kept_back_is_no_loss_either() {
    let (track, mut inputs) = (Track::new(&voice(Voice::First)).expect("track"), Inputs::default());
    let mut sequence = 0;
    for slot in 0..500 {
        let Some(packet) = track.at(slot) else { continue };
        sequence += 1;
        if slot == 200 || slot == 300 {
            inputs.pause(WHO);
        }
        if !(200..300).contains(&slot) {
            let packet = RtpIn { ssrc: 1, sequence, timestamp: 0, level: None, payload: &packet.payload };
            inputs.hear((WHO, 0), packet, slot * TICK);
        }
    }
    assert_eq!(inputs.read(500 * TICK)[0].lost, 0);
}

#[test]
fn when_each_of_them_spoke_is_told_on_one_time_line() {
    let (track, mut inputs) = (Track::new(&voice(Voice::Second)).expect("track"), Inputs::default());
    let later = 75;
    for slot in 0..3000u64 {
        for (member, late) in [(1, 0), (2, later)] {
            let Some(packet) = slot.checked_sub(late).and_then(|slot| track.at(slot)) else { continue };
            let sequence = slot as u16;
            let packet = RtpIn { ssrc: 1, sequence, timestamp: 0, level: Some(packet.level), payload: &packet.payload };
            inputs.hear((member, member - 1), packet, slot * TICK);
        }
    }
    let read = inputs.read(3000 * TICK);
    let [first, second] = [0, 1].map(|at: usize| read[at].activity.as_str());
    assert_eq!((read[0].booth, read[1].booth), (0, 1));
    assert_eq!((first.len(), second.len()), (400, 400));
    assert!(first.contains('1') && first.contains('0'));
    assert_eq!(first[..385], second[15..], "1.5 s later");
}

#[test]
fn who_hardly_said_anything_is_not_judged_and_what_nobody_asks_about_is_not_measured_for_long() {
    let (track, mut inputs) = (Track::new(&voice(Voice::First)).expect("track"), Inputs::default());
    inputs.read(0);
    for slot in 0..20 {
        if let Some(packet) = track.at(slot + 50) {
            let packet = RtpIn { ssrc: 1, sequence: slot as u16, timestamp: 0, level: None, payload: &packet.payload };
            inputs.hear((WHO, 0), packet, slot * TICK);
        }
    }
    let read = &inputs.read(20 * TICK)[0];
    assert_eq!((read.level_dbov, read.band_hz, read.clipped), (None, None, None));
    assert!(!inputs.is_over(5_000_000));
    assert!(inputs.is_over(6_000_000));
}
