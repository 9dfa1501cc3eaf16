//! Listeners and speakers come in over HTTP, and what they hear and say is what was played and meant.

#![allow(clippy::disallowed_methods, reason = "these tests run in real time")]

mod support;

use majlis_load::door::{Door, client, enter, leave};
use majlis_load::hear::{Loss, hear};
use majlis_load::listen::{Plan, run};
use majlis_load::peer::Wanted;
use majlis_load::sound::Sound;
use majlis_load::voice::{Voice, speak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LISTENS: Wanted = Wanted { speaks: false, hears: 1, red: false, tcp: false, stalls: false };

fn door(address: &str, token: &str) -> Door {
    Door::Endpoint { url: format!("{address}/whep").parse().unwrap(), token: token.into() }
}

fn tone_share(samples: &[i16], hertz: f32) -> f32 {
    let (mut re, mut im, mut power) = (0.0f32, 0.0f32, 0.0f32);
    for (n, sample) in samples.iter().enumerate() {
        let (value, angle) = (f32::from(*sample), std::f32::consts::TAU * hertz * n as f32 / 48_000.0);
        re += value * angle.cos();
        im += value * angle.sin();
        power += value * value;
    }
    2.0 * (re * re + im * im) / (power * samples.len() as f32).max(1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_the_programme_and_names_its_speakers() {
    let (address, seen) = support::serve(|_| false);
    let http = client().unwrap();
    let entered = enter(&http, &door(&address, "good"), LISTENS, None).await.unwrap();
    let (peer, session) = (entered.peer, entered.session.unwrap());
    let file = std::env::temp_dir().join(format!("majlis-load-heard-{}.wav", std::process::id()));
    let (out, length) = (file.clone(), Duration::from_secs(2));
    let heard = move || hear(peer, None, Loss::default(), length, Some(&out)).unwrap();
    let report = tokio::task::spawn_blocking(heard).await.unwrap();
    leave(&http, &session, "good").await.unwrap();

    // About a hundred; fewer where the machine stalled the server at the end. None of those sent may be missing.
    assert!((50..=110).contains(&report.packets.received), "{report:?}");
    assert_eq!((report.packets.lost(), report.heard.concealed), (0, 0), "{report:?}");
    assert_eq!(report.heard.speakers.iter().copied().collect::<Vec<_>>(), [7, 9]);
    assert!(
        report.forward_delay.count == report.packets.received && report.forward_delay.p99_ms.unwrap() < 1000.0,
        "{report:?}"
    );
    let samples: Vec<i16> = hound::WavReader::open(&file).unwrap().samples().map(Result::unwrap).collect();
    std::fs::remove_file(&file).unwrap();
    assert!(tone_share(&samples[12_000..40_000], 440.0) > 0.9);
    let told = report.packets.received as usize * 960;
    assert!(samples.len().abs_diff(told) < 6_000, "what came is in the recording: {} of {told}", samples.len());
    assert_eq!(seen.deleted.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_loses_is_counted_as_lost_and_concealed() {
    let (address, _) = support::serve(|tick| tick % 10 == 5);
    let entered = enter(&client().unwrap(), &door(&address, "good"), LISTENS, None).await.unwrap();
    let heard = move || hear(entered.peer, None, Loss::default(), Duration::from_secs(2), None).unwrap();
    let report = tokio::task::spawn_blocking(heard).await.unwrap();
    assert!(
        report.packets.expected >= 50 && report.packets.lost().abs_diff(report.packets.expected / 10) <= 1,
        "{report:?}"
    );
    assert!(report.heard.concealed.abs_diff(report.packets.lost()) <= 1, "{report:?}");
    assert!((0.07..0.13).contains(&report.concealed_share), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_is_heard_by_the_server_at_an_even_pace() {
    let (address, seen) = support::serve(|_| false);
    let speaks = Wanted { speaks: true, hears: 2, ..LISTENS };
    let entered = enter(&client().unwrap(), &door(&address, "good"), speaks, None).await.unwrap();
    let voice = Voice::new(entered.peer, Sound::tone(880.0, 0.3).unwrap(), false);
    let until = Instant::now() + Duration::from_secs(3);
    let speaking = move || speak(vec![voice], &AtomicBool::new(false), Some(until)).unwrap();
    tokio::task::spawn_blocking(speaking).await.unwrap();

    let spoken = seen.spoken.lock().unwrap();
    assert!(spoken.len() > 90, "{} packets", spoken.len());
    assert!(spoken.windows(2).all(|pair| pair[1].2.wrapping_sub(pair[0].2) == 960));
    assert!(
        spoken.iter().all(|(_, level, _)| level.is_some_and(|level| (-20..=-8).contains(&level))),
        "{:?}",
        spoken[50].1
    );
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut heard = Vec::new();
    for (payload, _, _) in spoken.iter() {
        let mut room = [0; 960];
        decoder.decode(payload, &mut room, false).unwrap();
        heard.extend_from_slice(&room);
    }
    assert!(tone_share(&heard[24_000..72_000], 880.0) > 0.9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_its_status_and_words() {
    let (address, _) = support::serve(|_| false);
    let refused = enter(&client().unwrap(), &door(&address, "bad"), LISTENS, None).await.err().unwrap();
    assert!(refused.to_string().contains("403") && refused.to_string().contains("refuse"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_let_in_through_the_room_counted_and_taken_out_again() {
    let (address, seen) = support::serve(|tick| tick % 20 == 19);
    let room = |_| Door::Room {
        api: address.parse().unwrap(),
        room: "abcdefghij".into(),
        token: "good".into(),
        understands: Vec::new(),
    };
    let plan = Plan {
        doors: (0..20).map(room).collect(),
        rate: 100.0,
        concurrency: 8,
        window: Duration::from_secs(2),
        settle: Duration::from_secs(10),
        poll: Duration::from_millis(60),
        sample: 5,
        events: None,
        red: false,
        tcp: false,
        stall: false,
        bind: None,
        leave: true,
    };
    let report = run(plan, true).await.unwrap();
    assert_eq!((report.failed, report.ended, report.hearing, report.deaf), (0, 0, 20, 0), "{}", report.table());
    assert!(report.all_hearing_seconds.is_some());
    let share = report.lost as f64 / report.packets.expected as f64;
    assert!((0.03..0.07).contains(&share), "lost {share}\n{}", report.table());
    assert!(report.packets.received > 20 * 50 && report.decrypted > 4 * 50, "{}", report.table());
    assert!(report.decrypted < report.packets.received / 4, "only a sample is decrypted\n{}", report.table());
    assert_eq!(report.forward_delay.count, report.packets.received + report.packets.duplicates);
    assert_eq!(seen.deleted.load(Ordering::Relaxed), 20);
}
