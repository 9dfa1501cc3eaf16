//! Measures what a programme costs, as JSON lines: share of a core for one channel with 1, 3 and 10 speakers, and for one
//! of a language, whose interpreter speaks over a floor that speaks too while the partner listens.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use majlis_mix::{Mixer, TICK};
use majlis_programme::{Bed, MixerConfig, Part, RtpIn};
use std::collections::BTreeMap;
use std::time::Instant;

const SECONDS: usize = 20;

/// A buzz with syllables, so that encoder and decoders work as they do for speech.
fn packets(speaker: u32) -> Vec<Vec<u8>> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
    let pitch = 100.0 + 17.0 * speaker as f32;
    let sample = |n: usize| {
        let time = n as f32 / 48_000.0;
        let buzz: f32 = (1..20).map(|k| (std::f32::consts::TAU * pitch * k as f32 * time).sin() / k as f32).sum();
        0.2 * buzz * (2.0 + (14.0 * time + speaker as f32).sin()) / 3.0
    };
    (0..SECONDS * 50)
        .map(|tick| {
            let pcm: Vec<f32> = (0..960).map(|n| sample(tick * 960 + n)).collect();
            encoder.encode_vec_float(&pcm, 1275).expect("a packet")
        })
        .collect()
}

fn share(speakers: u32, arrange: impl FnOnce(&mut Mixer)) -> f64 {
    let config = MixerConfig {
        stream: 1,
        first_sequence: 0,
        first_timestamp: 0,
        bits_per_second: 32_000,
        complexity: 10,
        thrift: false,
    };
    let mut mixer = Mixer::new(config, 0).expect("a mixer");
    let voices: Vec<Vec<Vec<u8>>> = (0..speakers).map(packets).collect();
    arrange(&mut mixer);
    let started = Instant::now();
    let mut frames = 0;
    for tick in 0..SECONDS * 50 {
        let now = tick as u64 * TICK;
        for (ssrc, voice) in voices.iter().enumerate() {
            let (sequence, timestamp) = (tick as u16, tick as u32 * 960);
            mixer.handle_rtp(
                ssrc as u32,
                RtpIn { ssrc: ssrc as u32, sequence, timestamp, level: None, payload: &voice[tick] },
                now,
            );
        }
        frames += usize::from(mixer.poll_frame(now, 0).is_some());
    }
    assert!(frames > SECONDS * 45, "the mixer spoke");
    started.elapsed().as_secs_f64() / SECONDS as f64
}

fn main() {
    for speakers in [1, 3, 10] {
        println!(
            "{{\"name\": \"mixer_core_share_{speakers}_speakers\", \"value\": {:.5}, \"unit\": \"cores\"}}",
            share(speakers, |mixer| (0..speakers).for_each(|member| mixer.add_member(member).expect("a decoder")))
        );
    }
    let parts = BTreeMap::from([(0, Part::Voice), (1, Part::Ready), (2, Part::Under)]);
    let bed = Bed { under_db: Some(-20), whole_from: None, clear: false };
    let language = share(3, |mixer| mixer.arrange(&parts, bed).expect("decoders"));
    println!("{{\"name\": \"language_core_share\", \"value\": {language:.5}, \"unit\": \"cores\"}}");
}
