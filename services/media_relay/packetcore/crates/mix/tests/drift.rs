//! Clocks that run apart for an hour: a lone speaker is passed in order and no later at the end than at the beginning.

mod support;

use majlis_mix::TICK;
use majlis_speech::{Track, Voice as Recording, at_microphone};
use std::collections::HashMap;
use support::*;

/// Times 20 ms in an hour.
const HOUR: u64 = 180_000;

/// A slot's time at the relay, µs, when the speaker's clock runs so many millionths slow.
fn at(slot: u64, millionths: i64) -> u64 {
    let sent = slot as i64 * 20_000;
    (400_000 + sent + sent * millionths / 1_000_000) as u64
}

#[test]
fn an_hour_of_clocks_that_run_apart_keeps_order_and_delay() {
    let track = Track::new(&at_microphone(Recording::First.samples().unwrap(), 1)).unwrap();
    // Payloads that are there but once tell which slot is heard.
    let mut slots: HashMap<&[u8], Option<u64>> = HashMap::new();
    for slot in 0..track.slots() {
        if let Some(packet) = track.at(slot) {
            slots.entry(&packet.payload).and_modify(|known| *known = None).or_insert(Some(slot));
        }
    }
    for millionths in [200, -200] {
        let mut mixer = mixer([1]);
        mixer.set_effort(0);
        let (mut slot, mut sequence) = (0, 0u16);
        let (mut last, mut delays, mut frames) = (None, Vec::new(), 0u64);
        for tick in 0..HOUR {
            let now = tick * TICK;
            while at(slot, millionths) <= now {
                if let Some(packet) = track.at(slot) {
                    sequence = sequence.wrapping_add(1);
                    let (payload, level) = (packet.payload.clone(), Some(packet.level));
                    let sent = Sent { ssrc: 1, sequence, timestamp: (slot as u32).wrapping_mul(960), level, payload };
                    mixer.handle_rtp(1, sent.rtp(), at(slot, millionths));
                }
                slot += 1;
            }
            let Some(frame) = mixer.poll_frame(now, 0) else { continue };
            frames += u64::from(!frame.end_of_talk);
            if let Some(Some(index)) = slots.get(frame.payload.as_slice()) {
                // The latest time that this packet was sent.
                let heard = slot - 1 - (slot - 1 - index) % track.slots();
                assert!(last.is_none_or(|last| heard > last), "slot {heard} at tick {tick} after {last:?}");
                last = Some(heard);
                delays.push((now - at(heard, millionths)) as f32 / 1000.0);
            }
        }
        let totals = mixer.totals();
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        let (first, end) = (mean(&delays[..5000]), mean(&delays[delays.len() - 5000..]));
        let most = delays.iter().copied().fold(0.0, f32::max);
        let why: Vec<_> = mixer.seams().filter(|(_, count)| *count > 0).collect();
        println!("{millionths}: {first} ms at first, {end} ms at the end, most {most} ms, {totals:?} {why:?}");
        assert!((end - first).abs() < 12.0, "{first} ms of delay at first, {end} ms after an hour");
        assert!(most < 75.0, "{most} ms of delay");
        assert!(totals.passed * 100 > frames * 95, "{totals:?} of {frames} frames, {why:?}");
    }
}

#[test]
fn a_speaker_who_never_stops_sending_is_brought_back_into_time_in_his_pauses() {
    let mut voice = Voice::browser(1, speech(1, 0.3));
    // As long as his syllables take to fall on a frame's beginning again.
    let said: Vec<Sent> = (0..500).map(|_| voice.say()).collect();
    for millionths in [500, -500] {
        let mut mixer = mixer([1]);
        mixer.set_effort(0);
        let (mut slot, mut missing) = (0, 0);
        for tick in 0..HOUR / 6 {
            let now = tick * TICK;
            while at(slot, millionths) <= now {
                let sent = said[slot as usize % said.len()].clone();
                let sent = Sent { sequence: slot as u16, timestamp: (slot as u32).wrapping_mul(960), ..sent };
                mixer.handle_rtp(1, sent.rtp(), at(slot, millionths));
                slot += 1;
            }
            missing += u64::from(mixer.poll_frame(now, 0).is_none() && tick > 30);
        }
        let totals = mixer.totals();
        let why: Vec<_> = mixer.seams().filter(|(_, count)| *count > 0).collect();
        let counters = mixer.speakers().next().unwrap().counters;
        println!("{millionths}: {totals:?} {why:?}, {counters:?}");
        assert_eq!((missing, counters.concealed_samples, counters.late), (0, 0, 0));
        assert!(why.iter().all(|(reason, _)| *reason == "drift"), "{why:?}");
        assert!((5..30).contains(&totals.to_mixing), "{totals:?}");
        assert!(totals.passed * 100 > HOUR / 6 * 95, "{totals:?}");
    }
}
