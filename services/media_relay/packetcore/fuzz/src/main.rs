//! Runs one target, or all, for a time: `fuzz <target|all|seeds> [--seconds N] [--seed S]`.

use fuzz::{Mutator, TARGETS, Target, corpus, corpus_dir, seeds};
use std::error::Error;
use std::panic::catch_unwind;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Inputs between two looks at the clock.
const ROUND: usize = 200;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map(String::as_str).unwrap_or("all");
    if wanted == "seeds" {
        return write_seeds();
    }
    let targets: Vec<&Target> = TARGETS.iter().filter(|target| wanted == "all" || target.name == wanted).collect();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no target {wanted}; there are {}", names.join(", ")).into());
    }
    let from_environment = std::env::var("FUZZ_SECONDS").ok();
    let seconds: u64 = option(&arguments, "--seconds").or(from_environment).map_or(Ok(30), |text| text.parse())?;
    let fallback = elapsed_since_epoch().as_nanos() as u64;
    let seed: u64 = option(&arguments, "--seed").map_or(Ok(fallback), |text| text.parse())?;
    targets.iter().try_for_each(|target| fuzz_target(target, seconds, seed))
}

fn option(arguments: &[String], name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

#[expect(clippy::disallowed_methods, reason = "a command-line tool may read the clock")]
fn elapsed_since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn fuzz_target(target: &Target, seconds: u64, seed: u64) -> Outcome<()> {
    let inputs = corpus(target.name)?;
    inputs.iter().try_for_each(|input| run(target, input))?;
    let mut mutator = Mutator::new(seed);
    let end = elapsed_since_epoch() + Duration::from_secs(seconds);
    let mut count = 0;
    while elapsed_since_epoch() < end {
        for _ in 0..ROUND {
            run(target, &mutator.mutate(&inputs))?;
        }
        count += ROUND;
    }
    println!("{}: {count} inputs from seed {seed}, no finding", target.name);
    Ok(())
}

fn run(target: &Target, input: &[u8]) -> Outcome<()> {
    if catch_unwind(|| (target.run)(input)).is_ok() {
        return Ok(());
    }
    let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("found-{:08x}.bin", checksum(input));
    std::fs::write(corpus_dir(target.name).join(&name), input)?;
    Err(format!("{}: input {hex} fails; kept as {name} in its corpus", target.name).into())
}

fn checksum(input: &[u8]) -> u32 {
    input.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn write_seeds() -> Outcome<()> {
    for target in TARGETS {
        let dir = corpus_dir(target.name);
        std::fs::create_dir_all(&dir)?;
        for (at, seed) in seeds(target.name).iter().enumerate() {
            std::fs::write(dir.join(format!("seed-{at}.bin")), seed)?;
        }
    }
    Ok(())
}
