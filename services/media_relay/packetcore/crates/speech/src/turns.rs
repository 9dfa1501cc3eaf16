//! Two people who talk in turn and now and then at once.

use crate::track::level;
use crate::{PACKET, SpeechError};

/// Quiet that ends a sentence, packets (a quarter of a second).
const PAUSE: usize = 12;
/// Above this a packet belongs to a sentence, -dBov.
const SPOKEN: u8 = 50;
/// A microphone hears its room: noise of this amplitude, -75 dBov.
const NOISE: f32 = 0.000_3;

/// What two microphones hear of a conversation: the voices' sentences in turn, the next one beginning before the other
/// has ended so that both speak for about `overlap` (0 to 0.5) of the time. Both are of one length and belong together.
pub fn conversation(first: &[f32], second: &[f32], overlap: f64) -> Result<[Vec<f32>; 2], SpeechError> {
    let sentences = [sentences(first), sentences(second)];
    if sentences.iter().any(Vec::is_empty) {
        return Err(SpeechError::Unfit("nobody speaks in the recording"));
    }
    let mut tracks = [Vec::new(), Vec::new()];
    let mut end = PACKET * 25;
    for turn in 0..sentences[0].len().min(sentences[1].len()) * 2 {
        let (who, said) = (turn % 2, sentences[turn % 2][turn / 2]);
        // A third of the turns is waited for; the others come so early that all the overlap is theirs.
        let early = (said.len() as f64 * overlap * 1.5) as usize / PACKET * PACKET;
        let from = if turn % 3 == 2 { end + PACKET * 30 } else { end.saturating_sub(early.min(said.len() / 2)) };
        tracks[who].resize(from, 0.0);
        tracks[who].extend_from_slice(said);
        end = from + said.len();
    }
    let length = end + PACKET * 25;
    for (number, track) in tracks.iter_mut().enumerate() {
        track.resize(length, 0.0);
        *track = at_microphone(std::mem::take(track), number as u64 + 1);
    }
    Ok(tracks)
}

/// The stretches of a recording between its pauses.
fn sentences(samples: &[f32]) -> Vec<&[f32]> {
    let (frames, _) = samples.as_chunks::<PACKET>();
    let mut found = Vec::new();
    let (mut from, mut quiet) = (None, 0);
    for (at, frame) in frames.iter().enumerate() {
        quiet = if level(frame) < SPOKEN { 0 } else { quiet + 1 };
        if quiet == 0 {
            from.get_or_insert(at);
        } else if quiet >= PAUSE
            && let Some(begin) = from.take()
        {
            found.push(&samples[begin * PACKET..(at + 1 - quiet) * PACKET]);
        }
    }
    found.extend(from.map(|begin| &samples[begin * PACKET..frames.len() * PACKET]));
    found
}

/// What a microphone in a quiet room hears of it; the room's noise is the same for a seed each time.
pub fn at_microphone(mut samples: Vec<f32>, seed: u64) -> Vec<f32> {
    let mut state = seed;
    for sample in &mut samples {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *sample += NOISE * ((state >> 40) as f32 / (1 << 23) as f32 - 1.0);
    }
    samples
}
