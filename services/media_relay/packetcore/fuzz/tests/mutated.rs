//! The committed corpus and 10⁵ mutations of it do nothing to any parser.

use fuzz::{Mutator, TARGETS, corpus};

const MUTATIONS: usize = 100_000;

#[test]
fn the_committed_corpus_and_its_mutations_break_no_parser() {
    for target in TARGETS {
        let inputs = corpus(target.name).expect("each target has a corpus");
        assert!(!inputs.is_empty(), "{} has an empty corpus", target.name);
        inputs.iter().for_each(|input| (target.run)(input));
        let mut mutator = Mutator::new(0x6d61_6a6c_6973);
        for _ in 0..MUTATIONS / TARGETS.len() {
            (target.run)(&mutator.mutate(&inputs));
        }
    }
}

#[test]
fn a_hundred_thousand_mutated_datagrams_do_nothing_to_the_endpoint() {
    let target = TARGETS.iter().find(|target| target.name == "endpoint").expect("listed");
    let inputs = corpus("endpoint").expect("a corpus");
    let mut mutator = Mutator::new(4);
    for _ in 0..MUTATIONS {
        (target.run)(&mutator.mutate(&inputs));
    }
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let inputs = corpus("stun").expect("a corpus");
    let (mut one, mut other) = (Mutator::new(9), Mutator::new(9));
    assert!((0..100).all(|_| one.mutate(&inputs) == other.mutate(&inputs)));
}
