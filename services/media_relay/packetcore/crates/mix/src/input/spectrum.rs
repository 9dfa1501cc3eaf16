//! How far the spectrum of somebody's speech reaches.

use crate::codec::FRAME;
use std::f32::consts::PI;

/// Points of the transform: 10.7 ms, whose bins are 93.75 Hz apart.
const POINTS: usize = 512;
/// Bands of 500 Hz up to 20 kHz.
const BANDS: usize = 40;
/// Width of a band.
const BAND_HZ: u32 = 500;
/// Bands that hold most of what speech is, under 4 kHz.
const VOICED: usize = 8;
/// What of a band's peak is left after a frame: half of it after about 140, nine seconds of somebody who speaks.
const KEPT: f32 = 0.995;
/// A band that stays this far below the loudest of speech has nothing of it, as power (-52 dB): what Opus adds where there
/// was nothing is 60 dB below.
const NOTHING: f32 = 6.3e-6;
/// Frames before the answer is worth something: an "s" was among them.
const KNOWN_AFTER: u32 = 40;

/// The loudest that each band was lately.
#[derive(Debug, Clone)]
pub struct Spectrum {
    peaks: [f32; BANDS],
    frames: u32,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self { peaks: [0.0; BANDS], frames: 0 }
    }
}

impl Spectrum {
    /// Takes the middle of a frame of speech.
    pub fn hear(&mut self, frame: &[f32]) {
        let Some(middle) = frame.get(FRAME / 2 - POINTS / 2..FRAME / 2 + POINTS / 2) else { return };
        self.frames = self.frames.saturating_add(1);
        let powers = powers(middle);
        for (band, peak) in self.peaks.iter_mut().enumerate() {
            let bin = |hertz: usize| hertz * POINTS / 48_000;
            let (from, to) = (band * BAND_HZ as usize, (band + 1) * BAND_HZ as usize);
            let power: f32 = powers[bin(from) + 1..=bin(to)].iter().sum();
            *peak = power.max(*peak * KEPT);
        }
    }

    /// Where speech ends, Hz; none before enough of it was heard.
    pub fn band_hz(&self) -> Option<u32> {
        let loudest = self.peaks[..VOICED].iter().copied().fold(0.0, f32::max);
        let reaches = self.peaks.iter().rposition(|peak| *peak > loudest * NOTHING)?;
        (self.frames >= KNOWN_AFTER && loudest > 0.0).then(|| (reaches as u32 + 1) * BAND_HZ)
    }
}

/// The power in each bin up to half the sample rate, through a Hann window.
fn powers(samples: &[f32]) -> [f32; POINTS / 2 + 1] {
    let mut points = [(0.0f32, 0.0f32); POINTS];
    for (at, sample) in samples.iter().enumerate().take(POINTS) {
        // Bit-reversed, as the transform wants them.
        let place = at.reverse_bits() >> (usize::BITS - POINTS.trailing_zeros());
        let window = 0.5 - 0.5 * (2.0 * PI * at as f32 / POINTS as f32).cos();
        points[place].0 = sample * window;
    }
    transform(&mut points);
    let mut powers = [0.0; POINTS / 2 + 1];
    for (power, (real, imaginary)) in powers.iter_mut().zip(&points) {
        *power = real * real + imaginary * imaginary;
    }
    powers
}

/// Fourier transform of what lies in bit-reversed order (Cooley and Tukey, radix 2).
fn transform(points: &mut [(f32, f32); POINTS]) {
    let mut half = 1;
    while half < POINTS {
        let (sine, cosine) = (-PI / half as f32).sin_cos();
        for group in points.chunks_exact_mut(2 * half) {
            let (evens, odds) = group.split_at_mut(half);
            let mut turn = (1.0, 0.0);
            for (even, odd) in evens.iter_mut().zip(odds) {
                let turned = times(*odd, turn);
                *odd = (even.0 - turned.0, even.1 - turned.1);
                *even = (even.0 + turned.0, even.1 + turned.1);
                turn = times(turn, (cosine, sine));
            }
        }
        half *= 2;
    }
}

/// The product of two complex numbers.
fn times(one: (f32, f32), other: (f32, f32)) -> (f32, f32) {
    (one.0 * other.0 - one.1 * other.1, one.0 * other.1 + one.1 * other.0)
}
