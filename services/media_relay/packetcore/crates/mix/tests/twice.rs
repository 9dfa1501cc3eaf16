//! Sound that a microphone coded and the programme codes again, as listeners of a mix hear it.

use majlis_mix::{FRAME, ProgrammeEncoder, SpeechDecoder};
use opus::{Application, Bitrate, Channels, Encoder};
use std::f64::consts::TAU;

const RATE: f64 = 48_000.0;
/// Measured once both encoders have found out what it is they code: until then they change the way they code, and the
/// sound's place in time with it.
const SETTLED: usize = 6 * 48_000;

/// A tone as a browser codes it, and as it is then coded again for listeners; with how many bytes in these eight seconds.
fn coded_twice(hertz: f64, complexity: u8) -> (Vec<f32>, u64) {
    let mut browser = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
    browser.set_bitrate(Bitrate::Bits(40_000)).unwrap();
    let (mut between, mut listener) = (SpeechDecoder::new().unwrap(), SpeechDecoder::new().unwrap());
    let mut programme = ProgrammeEncoder::new(32_000, complexity).unwrap();
    let (mut heard, mut bytes) = (Vec::new(), 0);
    for frame in 0..400 {
        let said: [f32; FRAME] =
            std::array::from_fn(|n| 0.25 * (TAU * hertz * (frame * FRAME + n) as f64 / RATE).sin() as f32);
        let mut once = Vec::new();
        between.decode(&browser.encode_vec_float(&said, 1275).unwrap(), &mut once).unwrap();
        let packet = programme.encode(once.as_slice().try_into().unwrap()).unwrap();
        bytes += packet.len() as u64;
        listener.decode(packet, &mut heard).unwrap();
    }
    (heard.split_off(SETTLED), bytes)
}

/// What is there beside the tone, as a share of it.
fn beside(hertz: f64, heard: &[f32]) -> f64 {
    let turn = |n: usize| TAU * hertz * n as f64 / RATE;
    let share = |wave: fn(f64) -> f64| {
        2.0 / heard.len() as f64 * heard.iter().enumerate().map(|(n, is)| f64::from(*is) * wave(turn(n))).sum::<f64>()
    };
    let (sine, cosine) = (share(f64::sin), share(f64::cos));
    let rest = |(n, is): (usize, &f32)| f64::from(*is) - sine * turn(n).sin() - cosine * turn(n).cos();
    let power = heard.iter().enumerate().map(|sample| rest(sample).powi(2)).sum::<f64>() / heard.len() as f64;
    (2.0 * power).sqrt() / sine.hypot(cosine)
}

#[test]
fn a_tone_that_is_coded_twice_keeps_all_but_a_fiftieth_of_itself() {
    // libopus computes by what the machine's processor has, and with it chooses: 0.8 % on one, 1.5 % on another.
    for complexity in [7, 10] {
        let (heard, bytes) = coded_twice(1000.0, complexity);
        let beside = beside(1000.0, &heard);
        assert!(beside < 0.02, "{:.2} % at effort {complexity}", 100.0 * beside);
        assert!(bytes < 64_000, "{bytes} bytes in eight seconds at effort {complexity}");
    }
}

#[test]
fn speech_takes_no_more_bits_than_its_channel_has() {
    let speech = majlis_speech::Voice::First.samples().unwrap();
    for complexity in [1, 10] {
        let mut programme = ProgrammeEncoder::new(32_000, complexity).unwrap();
        let (frames, _) = speech.as_chunks::<FRAME>();
        let bytes: usize = frames.iter().map(|frame| programme.encode(frame).unwrap().len()).sum();
        let bits = bytes * 8 * 50 / frames.len();
        assert!((26_000..34_000).contains(&bits), "{bits} bit/s at effort {complexity}");
    }
}
