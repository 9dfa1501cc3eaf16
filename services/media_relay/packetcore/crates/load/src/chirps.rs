//! Finds a known chirp in decoded sound and says when its first sample left the decoder.

use crate::receive::ntp_difference_ms;
use anyhow::Result;
use std::f64::consts::{PI, TAU};
use str0m::rtp::RtpPacket;

/// Samples a second.
pub const RATE: usize = 48_000;
/// Length of the chirp, samples (60 ms).
const LENGTH: usize = 2_880;
const LOW_HERTZ: f64 = 400.0;
const HIGH_HERTZ: f64 = 3_400.0;
/// Between chirps a quiet hum keeps the stream going: silence would be left out.
const HUM_HERTZ: f64 = 200.0;
const HUM: f64 = 0.03;
const LOUD: f64 = 0.4;
/// A chirp is looked for this long after it was said, samples (500 ms).
const REACH: usize = 24_000;
/// Longest gap in the timestamps that is filled, samples; a longer one is a new beginning.
const LONGEST_GAP: u32 = 9_600;
/// Least likeness that counts as found: codecs change a chirp a little, hum and noise stay far below.
const LIKENESS: f64 = 0.6;

/// The sweep, fading in and out.
fn sweep() -> Vec<f64> {
    let seconds = LENGTH as f64 / RATE as f64;
    let rise = (HIGH_HERTZ - LOW_HERTZ) / seconds;
    let at = |n: usize| {
        let t = n as f64 / RATE as f64;
        (PI * t / seconds).sin() * (TAU * (LOW_HERTZ + rise * t / 2.0) * t).sin()
    };
    (0..LENGTH).map(at).collect()
}

/// One second of sound that begins with the chirp; whole hertz make its repetition seamless.
pub fn second() -> Vec<f32> {
    let mut sound: Vec<f32> =
        (0..RATE).map(|n| (HUM * (TAU * HUM_HERTZ * n as f64 / RATE as f64).sin()) as f32).collect();
    for (sample, chirp) in sound.iter_mut().zip(sweep()) {
        *sample += (LOUD * chirp) as f32;
    }
    sound
}

/// Sound as it left a decoder that is fed each packet when it comes.
pub struct Timeline {
    decoder: opus::Decoder,
    pcm: Vec<f32>,
    /// Where each packet's sound begins, and when the packet came (NTP 32.32).
    packets: Vec<(usize, u64)>,
    next_timestamp: Option<u32>,
}

impl Timeline {
    /// Nothing heard yet.
    pub fn new() -> Result<Self> {
        let decoder = opus::Decoder::new(RATE as u32, opus::Channels::Mono)?;
        Ok(Self { decoder, pcm: Vec::new(), packets: Vec::new(), next_timestamp: None })
    }

    /// Decodes a packet that came at `arrival`; stragglers are left out, gaps concealed.
    pub fn hear(&mut self, packet: &RtpPacket, arrival: u64) {
        let timestamp = packet.header.timestamp;
        let gap = self.next_timestamp.map_or(0, |next| timestamp.wrapping_sub(next));
        if gap > u32::MAX / 2 || packet.payload.is_empty() {
            return;
        }
        self.packets.push((self.pcm.len(), arrival));
        if gap <= LONGEST_GAP {
            self.pcm.resize(self.pcm.len() + gap as usize, 0.0);
            if let Some(last) = self.packets.last_mut() {
                last.0 = self.pcm.len();
            }
        }
        let mut room = [0.0; 5_760];
        if let Ok(samples) = self.decoder.decode_float(&packet.payload, &mut room, false) {
            self.pcm.extend_from_slice(&room[..samples]);
            self.next_timestamp = Some(timestamp.wrapping_add(samples as u32));
        }
    }

    /// How long the chirp whose first sample was said at `said` (NTP 32.32) took, ms; none when it was not heard.
    pub fn delay_of(&self, said: u64) -> Option<f64> {
        let first = self.packets.partition_point(|(_, arrival)| ntp_difference_ms(*arrival, said) < 0.0);
        let start = self.packets.get(first)?.0;
        let range = self.pcm.get(start..(start + REACH + LENGTH).min(self.pcm.len()))?;
        let at = start + best_match(range)?;
        let (begin, arrival) = self.packets[self.packets.partition_point(|(begin, _)| *begin <= at).checked_sub(1)?];
        // Sound leaves the decoder at the pace at which it is played, beginning when the packet came.
        Some(ntp_difference_ms(arrival, said) + (at - begin) as f64 * 1000.0 / RATE as f64)
    }
}

/// Where `sound` is most like the sweep.
fn best_match(sound: &[f32]) -> Option<usize> {
    let sweep: Vec<f32> = sweep().iter().map(|sample| *sample as f32).collect();
    let own = energy(&sweep).sqrt();
    let mut best = (LIKENESS, None);
    for (at, window) in sound.windows(sweep.len()).enumerate() {
        let product: f32 = dot(window, &sweep);
        // The sweep is louder than all else: where it is not, there is nothing to compare.
        let scale = energy(window).sqrt() * own;
        let likeness = f64::from(product / scale.max(1e-6));
        if likeness > best.0 {
            best = (likeness, Some(at));
        }
    }
    best.1
}

fn energy(sound: &[f32]) -> f32 {
    dot(sound, sound)
}

/// In eight lanes, so that it is computed eight at a time.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = (1u64 << 32) / 1000;

    fn heard_after(milliseconds: usize) -> Timeline {
        let mut timeline = Timeline::new().expect("a decoder");
        let silence = vec![0.0; 48 * milliseconds];
        timeline.pcm = [silence, second(), second()].concat();
        let frames = timeline.pcm.len() / 960;
        timeline.packets = (0..frames).map(|n| (n * 960, 1_000 * MS + n as u64 * 20 * MS)).collect();
        timeline
    }

    #[test]
    fn a_chirp_is_found_where_it_begins() {
        for delay in [0, 33, 140] {
            let found = heard_after(delay).delay_of(1_000 * MS).expect("a chirp");
            assert!((found - delay as f64).abs() < 0.1, "{found} ms for {delay} ms");
        }
    }

    #[test]
    fn hum_alone_is_no_chirp() {
        let mut timeline = heard_after(0);
        timeline.pcm.drain(..LENGTH);
        timeline.pcm.truncate(40_000);
        assert_eq!(timeline.delay_of(1_000 * MS), None);
    }
}
