//! What the recordings are made into sounds like people at microphones.

use majlis_speech::{PACKET, Track, Voice, at_microphone, conversation, level};

fn shares_loud(tracks: &[Vec<f32>; 2]) -> (f64, f64, f64) {
    let loud = |track: &Vec<f32>| track.chunks(PACKET).map(|frame| level(frame) < 50).collect::<Vec<_>>();
    let (first, second) = (loud(&tracks[0]), loud(&tracks[1]));
    let share = |wanted: fn(bool, bool) -> bool| {
        first.iter().zip(&second).filter(|(a, b)| wanted(**a, **b)).count() as f64 / first.len() as f64
    };
    (share(|a, b| a && !b), share(|a, b| b && !a), share(|a, b| a && b))
}

#[test]
fn two_people_talk_in_turn_and_for_a_twentieth_of_the_time_at_once() {
    let (first, second) = (Voice::First.samples().unwrap(), Voice::Second.samples().unwrap());
    let (one, other, both) = shares_loud(&conversation(&first, &second, 0.05).unwrap());
    assert!(one > 0.3 && other > 0.3, "{one} {other}");
    assert!((0.035..0.065).contains(&both), "{both} of the time");
    let (_, _, never) = shares_loud(&conversation(&first, &second, 0.0).unwrap());
    assert!(never < 0.005, "{never}");
}

#[test]
fn a_microphone_sends_speech_with_its_level_and_next_to_nothing_in_pauses() {
    let mut talk = Voice::First.samples().unwrap();
    let spoken = talk.len() / PACKET;
    talk.resize(talk.len() + PACKET * 500, 0.0);
    let track = Track::new(&at_microphone(talk, 1)).unwrap();
    let sent = |from: usize, to: usize| (from..to).filter_map(|slot| track.at(slot as u64)).collect::<Vec<_>>();
    let speech = sent(0, spoken);
    let loud = speech.iter().filter(|packet| packet.loud()).count();
    assert!(loud * 10 > spoken * 6, "{loud} of {spoken} packets are speech");
    assert!(speech.iter().filter(|packet| packet.loud()).all(|packet| packet.payload.len() > 10));
    let bytes: usize = speech.iter().map(|packet| packet.payload.len()).sum();
    let rate = bytes * 8 * 50 / speech.len();
    assert!((20_000..40_000).contains(&rate), "{rate} bit/s");
    let rest = sent(spoken + 50, spoken + 500);
    assert!(rest.len() < 50 && rest.iter().all(|packet| !packet.loud()), "{} packets in nine seconds", rest.len());
    assert!(track.at(0).is_none_or(|packet| track.at(track.slots()) == Some(packet)), "it begins anew");
}
