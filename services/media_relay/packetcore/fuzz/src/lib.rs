//! Fuzzing on stable Rust: committed inputs, mutated from a seed, run against every parser of the packet core.
//!
//! `cargo run -p fuzz --release -- <target> --seconds N [--seed S]` prints the seed and the input before it dies of a
//! finding; the input then belongs into `fuzz/corpus/<target>/`, where every later run begins with it.

mod mutate;
mod seeds;
mod targets;

pub use mutate::Mutator;
pub use seeds::seeds;
pub use targets::{TARGETS, Target};

use std::path::PathBuf;

/// Where the committed inputs of a target are.
pub fn corpus_dir(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}

/// The committed inputs of a target, in order of their names.
pub fn corpus(target: &str) -> std::io::Result<Vec<Vec<u8>>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus_dir(target))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(std::fs::read).collect()
}
