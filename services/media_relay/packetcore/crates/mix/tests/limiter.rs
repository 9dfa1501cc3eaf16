//! The limiter lets nothing above its ceiling, whatever comes, and leaves what is below it alone.

mod support;

use majlis_mix::{CEILING, LOOK_AHEAD, Limiter};
use support::Seeded;

#[test]
fn nothing_leaves_above_the_ceiling() {
    let mut random = Seeded(5);
    let mut limiter = Limiter::new();
    for _ in 0..500 {
        let loudness = random.share() as f32 * 20.0;
        let mut block: Vec<f32> = (0..960).map(|_| (random.share() as f32 - 0.5) * loudness).collect();
        limiter.process(&mut block);
        assert!(block.iter().all(|sample| sample.abs() <= CEILING));
    }
}

#[test]
fn what_is_below_the_ceiling_only_comes_later() {
    let mut limiter = Limiter::new();
    let sound: Vec<f32> = (0..4800).map(|n| 0.45 * (n as f32 * 0.03).sin()).collect();
    let mut limited = sound.clone();
    limiter.process(&mut limited);
    assert!(sound.iter().zip(&limited[LOOK_AHEAD..]).all(|(before, after)| (before - after).abs() < 1e-4));
}

#[test]
fn the_gain_is_down_before_the_peak_and_moves_without_a_step() {
    let mut limiter = Limiter::new();
    let mut sound = vec![0.25f32; 4800];
    sound[2000..2010].fill(2.0);
    limiter.process(&mut sound);
    let steps = sound[LOOK_AHEAD + 1..2000 + LOOK_AHEAD].windows(2).map(|pair| (pair[1] - pair[0]).abs());
    assert!(steps.fold(0.0, f32::max) < 0.002, "the gain falls over the look-ahead, not at once");
    assert!(sound[1990 + LOOK_AHEAD] < 0.08, "and is down when the peak comes");
    assert!(sound[4799] > sound[2100 + LOOK_AHEAD], "and comes back afterwards");
}
