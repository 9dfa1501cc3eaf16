//! A lone speaker's packets are the programme as they came; what goes through the mixer is what must.

mod compare;
mod support;

use compare::programme;
use majlis_mix::{Mixer, TARGET_DBOV};
use majlis_programme::ProgrammeFrame;
use support::*;

/// How often mixing took over, by reason.
fn why(mixer: &Mixer) -> Vec<(&'static str, u64)> {
    mixer.seams().filter(|(_, count)| *count > 0).collect()
}

fn payloads(frames: &[Option<ProgrammeFrame>]) -> Vec<Vec<u8>> {
    frames.iter().flatten().map(|frame| frame.payload.as_slice().to_vec()).collect()
}

/// Mean level of the loud parts, dBov: what the leveller brings everybody to.
fn loudness(samples: &[f32]) -> f32 {
    let powers = samples.chunks_exact(960).map(|frame| frame.iter().map(|s| s * s).sum::<f32>() / 960.0);
    let loud: Vec<f32> = powers.filter(|power| 10.0 * power.max(1e-12).log10() > -45.0).collect();
    10.0 * (loud.iter().sum::<f32>() / loud.len().max(1) as f32).max(1e-12).log10()
}

/// Share of frames that were passed.
fn share(passed: &[bool]) -> f32 {
    passed.iter().filter(|passed| **passed).count() as f32 / passed.len() as f32
}

/// Nearly as loud as sound can be, like a shout into the microphone.
fn shout(seed: u64) -> impl FnMut(usize) -> f32 {
    let mut speech = speech(seed, 2.0);
    move |n| speech(n).clamp(-0.95, 0.95)
}

#[test]
fn a_lone_speakers_packets_are_the_programme_bit_by_bit() {
    let mut mixer = mixer([1, 2]);
    let arrivals = steady(&mut Voice::browser(1, speech(1, 0.3)), 1, 300_000, 500);
    let sent: Vec<Vec<u8>> = arrivals.iter().map(|(_, _, sent)| sent.payload.clone()).collect();
    let frames = run(&mut mixer, arrivals, 515);
    let heard = payloads(&frames);
    let first = sent.iter().position(|packet| *packet == heard[0]).expect("his");
    assert!(first <= 2, "from packet {first} on");
    assert_eq!(heard[..480], sent[first..first + 480]);
    let frames: Vec<_> = frames.iter().flatten().collect();
    assert!(frames.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert!(frames.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(960)));
    assert_eq!((mixer.totals().to_passing, mixer.totals().to_mixing), (1, 0), "nothing was mixed");
}

#[test]
fn who_states_no_level_is_passed_all_the_same() {
    let mut voice = Voice::browser(1, speech(1, 0.3));
    voice.states = None;
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, steady(&mut voice, 1, 300_000, 500), 500);
    assert!(share(&passed) > 0.95, "{}", share(&passed));
    assert_eq!(mixer.totals().to_mixing, 0, "{:?}", why(&mixer));
    let levels = frames.iter().flatten().map(|frame| frame.level);
    assert!(levels.clone().min().is_some_and(|loudest| (8..25).contains(&loudest)), "{:?}", levels.min());
}

/// What is heard of a speaker who states his level so many dB louder than it is, after five seconds.
fn liar(states: f32, sound: impl FnMut(usize) -> f32 + 'static) -> (f32, f32, Mixer) {
    let mut voice = Voice::browser(1, sound);
    voice.states = Some(states);
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, steady(&mut voice, 1, 300_000, 650), 650);
    let heard = hear_all(&frames);
    (loudness(&heard[8 * RATE..]), share(&passed), mixer)
}

#[test]
fn a_liar_about_his_level_is_levelled_like_anybody() {
    let (loud, passed, mixer) = liar(-17.0, shout(1));
    println!("shouts, states a whisper: {loud} dBov, passed {passed}, {:?}", why(&mixer));
    assert!((loud - TARGET_DBOV).abs() < 3.0, "shouts, states a whisper: {loud} dBov");
    let (quiet, passed, mixer) = liar(37.0, speech(1, 0.03));
    println!("whispers, states a shout: {quiet} dBov, passed {passed}, {:?}", why(&mixer));
    assert!((quiet - TARGET_DBOV).abs() < 3.0, "whispers, states a shout: {quiet} dBov");
    let (usual, passed, mixer) = liar(17.0, speech(1, 0.2));
    println!("speaks, states a shout: {usual} dBov, passed {passed}, {:?}", why(&mixer));
    assert!((usual - TARGET_DBOV).abs() < 3.0, "speaks, states a shout: {usual} dBov");
    assert!(passed > 0.9, "his sound is fit, whatever he says of it: {passed} passed, {:?}", why(&mixer));
}

#[test]
fn who_begins_to_lie_once_he_is_believed_is_found_out() {
    let (mut honest, mut loud) = (speech(1, 0.3), shout(1));
    let lies = 5 * RATE;
    let mut voice = Voice::browser(1, move |n| if n < lies { honest(n) } else { loud(n) });
    let mut arrivals = steady(&mut voice, 1, 300_000, 250);
    voice.states = Some(-14.0);
    arrivals.extend(steady(&mut voice, 1, 5_300_000, 2000));
    let mut mixer = mixer([1]);
    let (frames, _) = programme(&mut mixer, arrivals, 2250);
    let heard = loudness(&hear_all(&frames)[16 * RATE..20 * RATE]);
    assert!((heard - TARGET_DBOV).abs() < 3.0, "{heard} dBov, {:?}", why(&mixer));
}

#[test]
fn who_states_silence_while_speaking_once_he_is_believed_is_heard_again_within_seconds() {
    let mut voice = Voice::browser(1, speech(1, 0.3));
    let mut arrivals = steady(&mut voice, 1, 300_000, 400);
    voice.states = Some(-200.0);
    arrivals.extend(steady(&mut voice, 1, 8_300_000, 1000));
    let mut mixer = mixer([1]);
    let (frames, _) = programme(&mut mixer, arrivals, 1400);
    let heard = loudness(&hear_all(&frames)[18 * RATE..26 * RATE]);
    assert!((heard - TARGET_DBOV).abs() < 6.0, "{heard} dBov, {:?}", why(&mixer));
}

#[test]
fn who_is_too_loud_or_too_quiet_is_mixed_and_levelled() {
    for (name, sound) in
        [("loud", Box::new(shout(1)) as Box<dyn FnMut(usize) -> f32>), ("quiet", Box::new(speech(1, 0.03)))]
    {
        let mut mixer = mixer([1]);
        let (frames, passed) = programme(&mut mixer, steady(&mut Voice::browser(1, sound), 1, 300_000, 650), 650);
        let heard = loudness(&hear_all(&frames)[8 * RATE..]);
        println!("{name}: {heard} dBov, {:?}", why(&mixer));
        assert!((heard - TARGET_DBOV).abs() < 3.0, "{name}: {heard} dBov");
        assert_eq!(share(&passed[250..]), 0.0, "{name}");
        assert!(why(&mixer).iter().any(|(reason, _)| *reason == "level"), "{name}: {:?}", why(&mixer));
    }
}

#[test]
fn one_lost_packet_is_mixed_over_and_passing_comes_back_in_the_next_pause() {
    let mut arrivals = steady(&mut Voice::browser(1, speech(1, 0.3)), 1, 300_000, 500);
    arrivals.remove(200);
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, arrivals, 500);
    assert_eq!(why(&mixer), [("missing", 1)]);
    assert!(passed[20..210].iter().all(|passed| *passed));
    let mixed = passed[20..].iter().filter(|passed| !**passed).count();
    assert!((1..50).contains(&mixed), "mixed for {mixed} frames");
    assert!(frames[20..].iter().all(Option::is_some), "nobody misses a frame");
}

#[test]
fn a_lossy_line_is_mixed_and_passing_comes_back_when_it_heals() {
    let arrivals = steady(&mut Voice::browser(1, speech(1, 0.3)), 1, 300_000, 1000);
    let lossy = |n: usize| (200..450).contains(&n) && n % 20 == 7;
    let arrivals = arrivals.into_iter().enumerate().filter(|(n, _)| !lossy(*n)).map(|(_, arrival)| arrival).collect();
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, arrivals, 1000);
    println!("{:?}, passed while lossy {}", why(&mixer), share(&passed[300..460]));
    assert_eq!(share(&passed[320..460]), 0.0, "no hopping to and fro on a bad line");
    assert!(
        share(&passed[760..]) > 0.99,
        "five seconds after the last loss it is as before: {}",
        share(&passed[760..])
    );
    assert!(frames[20..].iter().all(Option::is_some), "nobody misses a frame");
}

#[test]
fn a_channel_with_fewer_bits_than_the_speaker_mixes_and_passes_again_with_more() {
    let mut voice = Voice::browser(1, speech(1, 0.3));
    let mut mixer = mixer([1]);
    let mut four_seconds = |mixer: &mut Mixer, start: u64| {
        // The programme's first frames rise in the mixer: nobody speaks yet.
        let late = if start == 0 { 15 } else { 0 };
        let arrivals = steady(&mut voice, 1, start * 1_000_000 + late * 20_000, 200 - late as usize);
        let frames = run(mixer, arrivals, 200);
        let bytes: usize = payloads(&frames[100..]).iter().map(Vec::len).sum();
        (bytes * 8 * 50 / 100, mixer.totals().passed)
    };
    mixer.set_bitrate(24_000).unwrap();
    let (before, passed) = four_seconds(&mut mixer, 0);
    assert!(passed > 175, "{passed} passed, {:?}", why(&mixer));
    mixer.set_bitrate(16_000).unwrap();
    let (low, still) = four_seconds(&mut mixer, 4);
    assert!(still <= passed + 50 && low < 20_000, "{still} passed at {low} bit/s, {:?}", why(&mixer));
    assert_eq!(why(&mixer), [("bit_rate", 1)]);
    mixer.set_bitrate(24_000).unwrap();
    let (after, again) = four_seconds(&mut mixer, 8);
    println!("{before}, {low}, {after} bit/s");
    assert!(again > still + 150, "{} passed", again - still);
    assert!(after > low);
}

#[test]
fn three_frames_in_one_packet_are_passed_one_by_one() {
    let said = steady(&mut Voice::browser(1, speech(1, 0.3)), 1, 300_000, 501);
    let sent: Vec<Vec<u8>> = said.iter().map(|(_, _, sent)| sent.payload.clone()).collect();
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, in_threes(said), 510);
    assert_eq!(mixer.totals().to_mixing, 0, "{:?}", why(&mixer));
    assert!(passed[30..].iter().all(|passed| *passed));
    let heard = payloads(&frames);
    let first = sent.iter().position(|packet| *packet == heard[0]).expect("his");
    assert_eq!(heard[..450], sent[first..first + 450]);
}

#[test]
fn one_frame_of_sixty_milliseconds_cannot_be_passed_and_is_mixed() {
    let mut voice = Voice::new(1, speech(1, 0.3)).coded(opus::Application::Voip, |encoder| {
        encoder.set_bitrate(opus::Bitrate::Bits(12_000)).unwrap();
    });
    voice.frame = 2880;
    let arrivals = steady(&mut voice, 1, 300_000, 160);
    let parsed = majlis_programme::OpusPacket::parse(&arrivals[50].2.payload).unwrap();
    assert_eq!(parsed.frame_samples(), 2880, "one frame of SILK");
    let mut mixer = mixer([1]);
    let (frames, passed) = programme(&mut mixer, arrivals, 480);
    assert_eq!(share(&passed[30..]), 0.0, "{:?}", why(&mixer));
    assert!(frames[30..].iter().all(Option::is_some));
    let heard = loudness(&hear_all(&frames)[5 * RATE..]);
    assert!((heard - TARGET_DBOV).abs() < 3.0, "{heard} dBov");
}
