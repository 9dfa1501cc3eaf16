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
