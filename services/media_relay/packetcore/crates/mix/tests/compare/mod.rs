//! Compares what a listener heard across seams with what the speaker's own packets sound like, and with a mix of them.
#![allow(dead_code)]

use crate::support::*;
use majlis_mix::{LOOK_AHEAD, Limiter, Mixer};
use majlis_mix::{SpeechDecoder, TICK};
use majlis_programme::ProgrammeFrame;
use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::f32::consts::TAU;
use std::sync::Arc;

const WINDOW: usize = 512;
const HOP: usize = 128;
/// Bands in which a click shows, Hz.
const BANDS: [(usize, usize); 4] = [(700, 2000), (2000, 5000), (5000, 9000), (9000, 16_000)];

/// What somebody hears who decodes all packets of one sender, who may pause.
pub fn decoded(packets: &[Sent], frame: usize) -> Vec<f32> {
    let mut decoder = SpeechDecoder::new().unwrap();
    let mut heard = Vec::new();
    for packet in packets {
        let at = packet.timestamp.wrapping_sub(packets[0].timestamp) as usize;
        while heard.len() < at {
            decoder.conceal(frame, &mut heard).unwrap();
        }
        decoder.decode(&packet.payload, &mut heard).unwrap();
    }
    heard
}

/// What came of a speaker whose programme went through seams.
pub struct Heard {
    pub frames: Vec<Option<ProgrammeFrame>>,
    /// Whether each frame was passed.
    pub passed: Vec<bool>,
    pub heard: Vec<f32>,
    /// The speaker's own sound, in time with what was heard.
    pub own: Vec<f32>,
    pub mixer: Mixer,
}

impl Heard {
    /// The frames at which the way changes.
    pub fn seams(&self) -> impl Iterator<Item = usize> + '_ {
        let settled = self.passed.iter().position(|passed| *passed).unwrap_or(0) + 2;
        (settled..self.passed.len()).filter(|at| self.passed[*at] != self.passed[at - 1])
    }
}

/// One speaker, and another who is hardly heard, for a moment, each `every` ticks from the third second on.
pub fn listen(mut voice: Voice, seconds: usize, every: usize) -> Heard {
    let ticks = seconds * 50;
    let packets = (ticks - 20) * 960 / voice.frame;
    let frame = voice.frame;
    let said = steady(&mut voice, 1, 400_000, packets);
    listen_to(said, frame, ticks, every)
}

/// The same for any packets of member 1.
pub fn listen_to(said: Vec<Arrival>, frame: usize, ticks: usize, every: usize) -> Heard {
    let sent: Vec<Sent> = said.iter().map(|(_, _, sent)| sent.clone()).collect();
    let mut other = Voice::browser(2, move |n| {
        let tick = n / 960;
        if tick > 100 && tick % every < 2 { 0.004 * (TAU * 300.0 * n as f32 / RATE as f32).sin() } else { 0.0 }
    });
    let mut arrivals = said;
    arrivals.extend(steady(&mut other, 2, 107_000, ticks));
    let mut mixer = mixer([1, 2]);
    let (frames, passed) = programme(&mut mixer, arrivals, ticks);
    let heard = hear_all(&frames);
    let first = passed.iter().position(|passed| *passed).expect("a frame that was passed");
    let payload = frames[first].expect("a frame").payload;
    // Of packets that were joined the first one's frame is in it.
    let holds = |sent: &Sent| match &sent.payload[1..] {
        [] => false,
        frame => payload.as_slice().windows(frame.len()).any(|part| part == frame),
    };
    let index = sent.iter().position(holds).expect("his");
    let begun = sent[index].timestamp.wrapping_sub(sent[0].timestamp) as usize;
    let mut own = vec![0.0; first * 960 - begun];
    own.extend(decoded(&sent, frame));
    own.truncate(heard.len());
    Heard { frames, passed, heard, own, mixer }
}

/// Runs a mixer from its beginning; gives its frames, and which of them were passed.
pub fn programme(
    mixer: &mut Mixer,
    mut arrivals: Vec<Arrival>,
    ticks: usize,
) -> (Vec<Option<ProgrammeFrame>>, Vec<bool>) {
    arrivals.sort_by_key(|(at, _, _)| *at);
    let mut waiting = arrivals.into_iter().peekable();
    let made = (0..ticks as u64).map(|tick| {
        let now = tick * TICK;
        while let Some((at, member, sent)) = waiting.next_if(|(at, _, _)| *at <= now) {
            mixer.handle_rtp(member, sent.rtp(), at);
        }
        (mixer.poll_frame(now, 0), mixer.passing().is_some())
    });
    made.unzip()
}

/// The same sound through limiter and programme encoder, in time with it.
pub fn remixed(sound: &[f32], bits: i32) -> Vec<f32> {
    let mut limiter = Limiter::new();
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(bits)).unwrap();
    let mut decoder = SpeechDecoder::new().unwrap();
    let mut heard = Vec::new();
    for frame in sound.chunks_exact(960) {
        let mut frame = frame.to_vec();
        limiter.process(&mut frame);
        decoder.decode(&encoder.encode_vec_float(&frame, 400).unwrap(), &mut heard).unwrap();
    }
    heard.split_off(LOOK_AHEAD + majlis_mix::ENCODER_LAG)
}

/// Energies of windows in bands, dB.
pub struct Bands {
    fft: Arc<dyn Fft<f32>>,
}

impl Bands {
    pub fn new() -> Self {
        Self { fft: FftPlanner::new().plan_fft_forward(WINDOW) }
    }

    pub fn of(&self, samples: &[f32]) -> Vec<[f32; BANDS.len()]> {
        let hann: Vec<f32> =
            (0..WINDOW).map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos()).collect();
        (0..samples.len().saturating_sub(WINDOW))
            .step_by(HOP)
            .map(|start| {
                let mut data: Vec<Complex<f32>> =
                    (0..WINDOW).map(|n| Complex::new(samples[start + n] * hann[n], 0.0)).collect();
                self.fft.process(&mut data);
                BANDS.map(|(low, high)| {
                    let bins = low * WINDOW / RATE..high * WINDOW / RATE;
                    let power: f32 = data[bins].iter().map(|value| value.norm_sqr()).sum();
                    10.0 * (power / (WINDOW * WINDOW) as f32).max(1e-12).log10()
                })
            })
            .collect()
    }
}

/// How much louder a band of what was heard is than the loudest of the references around it, over a floor, dB: the worst
/// window of each frame that begins at `start` in steps of a frame.
pub fn excess(heard: &[f32], references: &[&[f32]], floor: f32) -> Vec<f32> {
    let bands = Bands::new();
    let heard = bands.of(heard);
    let references: Vec<_> = references.iter().map(|samples| bands.of(samples)).collect();
    let around = 6;
    let windows: Vec<f32> = (0..heard.len())
        .map(|at| {
            let near = |band: usize| {
                let values = references.iter().flat_map(|list| {
                    list[at.saturating_sub(around).min(list.len())..(at + around + 1).min(list.len())].iter()
                });
                values.map(|value| value[band]).fold(floor, f32::max)
            };
            (0..BANDS.len()).map(|band| heard[at][band] - near(band)).fold(-200.0, f32::max)
        })
        .collect();
    let per_frame = 960.0 / HOP as f32;
    (0..(windows.len() as f32 / per_frame) as usize)
        .map(|frame| {
            let (from, to) = ((frame as f32 * per_frame) as usize, ((frame + 1) as f32 * per_frame) as usize);
            windows[from..to.min(windows.len())].iter().copied().fold(-200.0, f32::max)
        })
        .collect()
}

/// Levels of frames, dB.
pub fn levels(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(960).map(rms_db).collect()
}

/// Loudest energy above a frequency in any window, dB: a click is broad.
pub fn loudest_above(samples: &[f32], hertz: usize) -> f32 {
    let fft = FftPlanner::new().plan_fft_forward(WINDOW);
    let windows = (0..samples.len().saturating_sub(WINDOW)).step_by(HOP).map(|start| {
        let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos();
        let mut data: Vec<Complex<f32>> =
            (0..WINDOW).map(|n| Complex::new(samples[start + n] * hann(n), 0.0)).collect();
        fft.process(&mut data);
        let power: f32 = data[hertz * WINDOW / RATE..WINDOW / 2].iter().map(|value| value.norm_sqr()).sum();
        10.0 * (power / (WINDOW * WINDOW) as f32).max(1e-12).log10()
    });
    windows.fold(-200.0, f32::max)
}
