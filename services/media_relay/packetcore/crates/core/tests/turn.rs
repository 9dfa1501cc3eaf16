//! Who holds the floor of a stage, over talks by rule and by chance.

use majlis_core::Micros;
use majlis_core::stage::Turn;

const PACKET: Micros = 20_000;
const MS: Micros = 1_000;
const LOUD: u8 = 25;
const SILENT: u8 = 90;

/// Lets members speak between these milliseconds, packet by packet; gives each change of the floor with its time in ms.
fn talk(said: &[(u32, Micros, Micros)]) -> Vec<(Micros, u32)> {
    let (mut turn, mut changes) = (Turn::default(), Vec::new());
    let end = said.iter().map(|(_, _, until)| *until).max().unwrap_or(0);
    for now in (0..end * MS).step_by(PACKET as usize) {
        for member in [1, 2, 3] {
            let speaks = said.iter().any(|(who, from, until)| *who == member && (from * MS..until * MS).contains(&now));
            if turn.hear(member, if speaks { LOUD } else { SILENT }, now) {
                changes.push((now / MS, turn.holder().expect("who took it")));
            }
        }
    }
    changes
}

#[test]
fn the_floor_is_taken_after_a_tenth_of_a_second_once_whoever_had_it_has_paused() {
    assert_eq!(talk(&[(1, 0, 3000), (2, 3400, 5000)]), [(100, 1), (3500, 2)]);
    assert_eq!(talk(&[(1, 0, 3000), (2, 3000, 5000)]), [(100, 1), (3280, 2)], "as soon as the pause is one");
    assert_eq!(talk(&[(1, 0, 60)]), [], "a knock is no word");
}

#[test]
fn a_short_word_does_not_take_the_floor_and_a_second_of_words_over_it_does() {
    assert_eq!(talk(&[(1, 0, 9000), (2, 2000, 2600), (2, 5000, 5900)]), [(100, 1)]);
    assert_eq!(talk(&[(1, 0, 5000), (2, 2000, 5000)]), [(100, 1), (3000, 2)], "and it goes not to and fro");
    assert_eq!(talk(&[(1, 0, 2000), (1, 2150, 4000), (1, 4250, 6000), (2, 3000, 3500)]), [(100, 1)]);
}

#[test]
fn whoever_leaves_the_floor_holds_it_no_more() {
    let mut turn = Turn::default();
    for now in (0..200 * MS).step_by(PACKET as usize) {
        turn.hear(1, LOUD, now);
    }
    assert_eq!((turn.leave(2), turn.holder()), (false, Some(1)));
    assert_eq!((turn.leave(1), turn.holder()), (true, None));
}

#[test]
fn over_a_thousand_talks_by_chance_the_floor_goes_only_to_who_just_spoke_long_enough_and_stays_a_while() {
    for seed in 0..1000u64 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)) % bound
        };
        let mut turn = Turn::default();
        let mut until = [0; 3];
        let mut spoken: [Vec<Micros>; 3] = Default::default();
        let mut taken = None;
        for now in (0..10_000 * MS).step_by(PACKET as usize) {
            for member in 0..3usize {
                if until[member] < now && below(40) == 0 {
                    until[member] = now + below(2_000) * MS;
                }
                let loud = now < until[member];
                let before = turn.holder();
                if loud {
                    spoken[member].push(now);
                }
                if !turn.hear(member as u32, if loud { LOUD } else { SILENT }, now) {
                    assert_eq!(turn.holder(), before, "seed {seed}");
                    continue;
                }
                assert_eq!(turn.holder(), Some(member as u32), "seed {seed}: to who is heard");
                let lately = spoken[member].iter().rev().take_while(|at| now - **at <= 500 * MS).count();
                assert!(loud && lately >= 3, "seed {seed}: who said nothing took the floor");
                let gap = taken.map_or(Micros::MAX, |at| now - at);
                assert!(gap >= 280 * MS, "seed {seed}: {} ms after the last change", gap / MS);
                taken = Some(now);
            }
        }
    }
}
