//! Shortens or lengthens speech by one pitch period, cross-faded where the signal repeats itself, so nobody hears it.

/// Shortest period looked for, samples (2.5 ms: 400 Hz, or a multiple of a higher tone's).
const SHORTEST: usize = 120;
/// Longest period looked for, samples (12.5 ms: 80 Hz).
pub const LONGEST: usize = 600;
/// Samples compared.
const TEMPLATE: usize = 480;
/// Coarse search looks at every fourth sample.
const COARSE: usize = 4;
/// Similarity from which a cut is inaudible.
const SIMILAR: f32 = 0.85;
/// Samples that must be at hand; with few, only short periods are found.
pub const NEEDED: usize = 2 * TEMPLATE;

/// Removes one period from the front of `samples`; returns how many samples went, none when no cut would be inaudible.
/// `force` takes the best cut there is.
pub fn shorten(samples: &mut Vec<f32>, force: bool) -> Option<usize> {
    let period = period(samples, force)?;
    for index in 0..period {
        let share = (index as f32 + 0.5) / period as f32;
        samples[period + index] = samples[index] * (1.0 - share) + samples[period + index] * share;
    }
    samples.drain(..period);
    Some(period)
}

/// Repeats one period at the front of `samples`; returns how many samples came, none when it would be heard.
pub fn lengthen(samples: &mut Vec<f32>, force: bool) -> Option<usize> {
    let period = period(samples, force)?;
    let repeated: Vec<f32> = (0..period)
        .map(|index| {
            let share = (index as f32 + 0.5) / period as f32;
            samples[period + index] * (1.0 - share) + samples[index] * share
        })
        .collect();
    samples.splice(period..period, repeated);
    Some(period)
}

/// The lag at which the first samples repeat best.
fn period(samples: &[f32], force: bool) -> Option<usize> {
    if samples.len() < NEEDED {
        return None;
    }
    let longest = LONGEST.min(samples.len() / 2).min(samples.len() - TEMPLATE);
    let (coarse, _) = best(samples, (SHORTEST..=longest).step_by(COARSE), COARSE)?;
    let around = coarse.saturating_sub(COARSE).max(SHORTEST)..=(coarse + COARSE).min(longest);
    let (lag, similarity) = best(samples, around, 1)?;
    (force || similarity >= SIMILAR).then_some(lag)
}

fn best(samples: &[f32], lags: impl Iterator<Item = usize>, step: usize) -> Option<(usize, f32)> {
    lags.map(|lag| (lag, similarity(samples, lag, step))).max_by(|one, other| one.1.total_cmp(&other.1))
}

/// Normalised cross-correlation of the template with itself `lag` later, -1 to 1; silence is like silence.
fn similarity(samples: &[f32], lag: usize, step: usize) -> f32 {
    let (mut cross, mut here, mut there) = (1e-9f32, 1e-9f32, 1e-9f32);
    for index in (0..TEMPLATE).step_by(step) {
        let (one, other) = (samples[index], samples[index + lag]);
        cross += one * other;
        here += one * one;
        there += other * other;
    }
    cross / (here * there).sqrt()
}
