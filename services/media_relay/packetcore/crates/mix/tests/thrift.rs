//! A thrifty programme: long frames of few bits that never overlap, and speech that stays what the bit rate lets it be.

mod support;

use majlis_mix::{ENCODER_LAG, LONG_FRAME, LOOK_AHEAD, Limiter, Mixer, SpeechDecoder};
use majlis_programme::{MixerConfig, OpusPacket, ProgrammeFrame, THRIFT_BITRATE};
use majlis_speech::Voice as Recording;
use rustfft::{FftPlanner, num_complex::Complex};
use support::*;

const WINDOW: usize = 1024;
/// Bands in which speech is understood, Hz.
const BANDS: [(usize, usize); 7] =
    [(200, 500), (500, 1000), (1000, 1700), (1700, 2600), (2600, 3700), (3700, 5200), (5200, 7400)];

fn thrifty(members: impl IntoIterator<Item = u32>) -> Mixer {
    let config = MixerConfig {
        stream: 9,
        first_sequence: 7,
        first_timestamp: u32::MAX - 50_000,
        bits_per_second: THRIFT_BITRATE,
        complexity: 10,
        thrift: true,
    };
    let mut mixer = Mixer::new(config, 0).unwrap();
    members.into_iter().for_each(|member| mixer.add_member(member).unwrap());
    mixer
}

/// A browser's microphone before a recording.
fn reading(ssrc: u32, recording: Recording) -> (Voice, usize) {
    let sound = recording.samples().unwrap();
    let packets = sound.len() / 960;
    (Voice::browser(ssrc, move |n| sound.get(n).copied().unwrap_or(0.0)), packets)
}

fn programme_of(recording: Recording) -> (Vec<ProgrammeFrame>, usize) {
    let (mut voice, packets) = reading(1, recording);
    let mut mixer = thrifty([1]);
    let frames = run(&mut mixer, steady(&mut voice, 1, 0, packets), packets as u64 + 50);
    assert_eq!(mixer.totals().passed, 0, "a packet of somebody's own is too big");
    (frames.into_iter().flatten().collect(), packets)
}

#[test]
fn speech_is_frames_of_sixty_milliseconds_in_twelve_kilobits_and_pauses_cost_nothing() {
    for recording in [Recording::First, Recording::Second] {
        let (frames, packets) = programme_of(recording);
        let spoken: Vec<_> = frames.iter().filter(|frame| !frame.end_of_talk).collect();
        for frame in &spoken {
            let packet = OpusPacket::parse(frame.payload.as_slice()).unwrap();
            assert_eq!((packet.frames().len(), packet.samples() as usize), (1, LONG_FRAME));
            assert_eq!(packet.config() >> 3, 11, "speech coding in wide band (RFC 6716, table 2)");
            // While a talk fades out nobody is named.
            assert!(matches!(frame.csrcs.as_slice(), [1] | []));
        }
        let bytes: usize = frames.iter().map(|frame| frame.payload.as_slice().len()).sum();
        let (seconds, talked) = (packets as f32 / 50.0, spoken.len() as f32 * 0.06);
        let rate = bytes as f32 * 8.0 / talked;
        println!("{recording:?}: {talked:.1} of {seconds:.1} s, {rate:.0} bit/s while speaking");
        assert!((10_000.0..12_600.0).contains(&rate), "{rate} bit/s while somebody speaks");
        assert!(talked < seconds - 1.0, "pauses of {seconds} s are sent: {talked} s");
    }
}

#[test]
fn a_talk_ends_with_one_short_packet_and_no_frame_begins_before_the_last_has_ended() {
    // Words of many lengths, and pauses down to less than a frame.
    let mut seeded = Seeded(5);
    let mut loud = Vec::new();
    while loud.len() < 60 * 50 {
        loud.extend(std::iter::repeat_n(true, 1 + seeded.below(60) as usize));
        loud.extend(std::iter::repeat_n(false, 20 + seeded.below(80) as usize));
    }
    let ticks = loud.len() as u64;
    let mut voice =
        Voice::new(
            1,
            move |n| {
                if loud.get(n / 960).copied().unwrap_or(false) { 0.3 * (n as f32 * 0.05).sin() } else { 0.0 }
            },
        );
    let mut mixer = thrifty([1]);
    let frames: Vec<_> =
        run(&mut mixer, steady(&mut voice, 1, 0, ticks as usize), ticks).into_iter().flatten().collect();
    let mut end = frames[0].timestamp;
    for (at, frame) in frames.iter().enumerate() {
        let ahead = frame.timestamp.wrapping_sub(end);
        assert!(ahead < u32::MAX / 2, "frame {at} begins {} samples too early", end.wrapping_sub(frame.timestamp));
        assert!(ahead == 0 || frame.start_of_talk || frame.end_of_talk, "a hole of {ahead} samples in a talk");
        let samples = OpusPacket::parse(frame.payload.as_slice()).unwrap().samples();
        assert_eq!(samples, if frame.end_of_talk { 960 } else { LONG_FRAME as u32 });
        assert_eq!(frame.end_of_talk, frame.payload.as_slice().len() == 1, "a browser knows DTX by its length");
        end = frame.timestamp.wrapping_add(samples);
    }
    let talks = frames.iter().filter(|frame| frame.start_of_talk).count();
    let ends = frames.iter().filter(|frame| frame.end_of_talk).count();
    assert!(talks > 20 && ends > 10 && ends <= talks, "{talks} talks, {ends} ends");
    assert!(frames.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
}

#[test]
fn who_is_muted_is_silent_within_a_frame_and_two_voices_are_both_heard() {
    let mut mixer = thrifty([1, 2]);
    let arrivals = |voice: &mut Voice, member| steady(voice, member, 0, 400);
    let mut all = arrivals(&mut Voice::tone(1, 500.0, 0.2), 1);
    all.extend(arrivals(&mut Voice::tone(2, 900.0, 0.2), 2));
    all.sort_by_key(|(at, _, _)| *at);
    let (before, after): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, _, _)| *at < 4_000_000);
    let both = hear_long(&run(&mut mixer, before, 200));
    mixer.set_muted(2, true);
    let one = hear_long(&run(&mut mixer, after, 180));
    let part = |sound: &[f32], hertz| tone_db(&sound[sound.len() - RATE..], hertz);
    assert!(part(&both, 500.0) > -40.0 && part(&both, 900.0) > -40.0);
    assert!(part(&one, 500.0) > -40.0 && part(&one, 900.0) < -60.0, "{} dB of who is muted", part(&one, 900.0));
}

#[test]
fn it_sounds_as_the_reference_encoder_does_at_that_bit_rate() {
    for recording in [Recording::First, Recording::Second] {
        let sound = recording.samples().unwrap();
        let (frames, _) = programme_of(recording);
        let heard = hear_long(&frames.iter().copied().map(Some).collect::<Vec<_>>());
        let (own, reference, heard) = (spectrum(&sound), spectrum(&reference(&sound)), spectrum(&heard));
        for (band, (low, high)) in BANDS.iter().enumerate() {
            let (wanted, got) = (reference[band] - own[band], heard[band] - own[band]);
            println!("{recording:?} {low}-{high} Hz: reference {wanted:+.1} dB, programme {got:+.1} dB");
            // The leveller brings everybody to one loudness: what counts is the difference between bands.
            let level = heard[0] - reference[0];
            assert!((got - wanted - level).abs() < 3.0, "{low}-{high} Hz: {got} dB beside {wanted} dB and {level} dB");
        }
    }
}

/// The same sound through the codec alone: a decoded browser's microphone, encoded once more in so many bits.
fn reference(sound: &[f32]) -> Vec<f32> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(THRIFT_BITRATE as i32)).unwrap();
    encoder.set_max_bandwidth(opus::Bandwidth::Wideband).unwrap();
    encoder.set_signal(opus::Signal::Voice).unwrap();
    let (mut limiter, mut decoder, mut heard) = (Limiter::new(), SpeechDecoder::new().unwrap(), Vec::new());
    for long in sound.chunks_exact(LONG_FRAME) {
        let mut long: Vec<f32> = long.to_vec();
        for tick in long.as_chunks_mut::<960>().0 {
            limiter.process(tick);
        }
        decoder.decode(&encoder.encode_vec_float(&long, 400).unwrap(), &mut heard).unwrap();
    }
    heard.split_off(LOOK_AHEAD + ENCODER_LAG)
}

fn hear_long(frames: &[Option<ProgrammeFrame>]) -> Vec<f32> {
    let (mut decoder, mut heard) = (SpeechDecoder::new().unwrap(), Vec::new());
    for frame in frames.iter().flatten().filter(|frame| !frame.end_of_talk) {
        decoder.decode(frame.payload.as_slice(), &mut heard).unwrap();
    }
    heard
}

/// Mean energy in bands of what is loud, dB.
fn spectrum(sound: &[f32]) -> [f32; BANDS.len()] {
    let fft = FftPlanner::new().plan_fft_forward(WINDOW);
    let mut sums = [0.0f32; BANDS.len()];
    let mut windows = 0.0f32;
    for part in sound.chunks_exact(WINDOW).filter(|part| rms_db(part) > -45.0) {
        let hann = |n: usize| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos();
        let mut data: Vec<_> = part.iter().enumerate().map(|(n, sample)| Complex::new(sample * hann(n), 0.0)).collect();
        fft.process(&mut data);
        windows += 1.0;
        for (sum, (low, high)) in sums.iter_mut().zip(BANDS) {
            *sum += data[low * WINDOW / RATE..high * WINDOW / RATE].iter().map(|value| value.norm_sqr()).sum::<f32>();
        }
    }
    sums.map(|sum| 10.0 * (sum / windows).max(1e-12).log10())
}
