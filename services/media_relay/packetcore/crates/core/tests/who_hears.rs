//! Who hears whom on a stage, over a thousand evenings by chance.

use majlis_core::stage::{FLOOR, Place, Stage};
use majlis_core::{Micros, SessionId};
use std::collections::BTreeSet;

const FRAME: Micros = 20_000;

/// Random numbers from a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A session, its place, and the members whom it understands.
#[derive(Debug, Clone)]
struct Person(u64, Place, BTreeSet<u32>);

/// What the rules of the house say, in their own words.
fn may_hear(hearer: &Person, speaker: &Person, holder: Option<u32>) -> bool {
    let (Person(hearer, at, clear), Person(speaker, from, _)) = (hearer, speaker);
    let strange = holder.is_some_and(|holder| u64::from(holder) != hearer / 2 && !clear.contains(&holder));
    let helped = at.booth == FLOOR && from.booth != FLOOR && at.hears == from.booth && from.leads && strange;
    let hearer_interprets = at.booth != FLOOR;
    let partner = hearer_interprets && at.booth == from.booth;
    let relayed = hearer_interprets && from.booth != FLOOR && at.hears == from.booth && from.leads;
    let floor = from.booth == FLOOR && (!hearer_interprets || at.hears == FLOOR);
    hearer / 2 != speaker / 2 && (floor || partner || relayed || helped)
}

#[test]
fn who_hears_whom_depends_on_places_languages_and_who_has_the_floor_alone_whatever_happened_before() {
    let mut changes = 0;
    for seed in 0..1000 {
        let mut random = Seeded(seed);
        let (mut stage, mut now, mut hearers) = (Stage::default(), 0, Vec::new());
        let mut people: Vec<Person> = Vec::new();
        let mut holder = None;
        for _ in 0..60 {
            let who = random.below(12);
            let known = people.iter().position(|person| person.0 == who);
            match (known, random.below(4)) {
                (Some(at), 0) => {
                    stage.leave(SessionId(who));
                    people.remove(at);
                }
                (Some(at), _) => {
                    let (hears, leads) = (random.below(3) as u32, random.below(2) == 1);
                    let clear: BTreeSet<u32> = (0..6).filter(|_| random.below(2) == 1).collect();
                    stage.set_hearing(SessionId(who), hears, leads, clear.clone());
                    people[at] = Person(who, Place { hears, leads, ..people[at].1 }, clear);
                }
                (None, _) => {
                    let (booth, hears) = (random.below(3) as u32, random.below(3) as u32);
                    let place = Place { booth, hears, leads: random.below(2) == 1 };
                    // Two sessions of each person: one that moves has both for a moment.
                    stage.join(SessionId(who), (who / 2) as u32, 12, place);
                    people.push(Person(who, place, BTreeSet::new()));
                }
            }
            holder = stage.take_turn().unwrap_or(holder);
            let loud = random.below(12);
            for speaker in &people {
                now += FRAME / 4;
                let level = if speaker.0 == loud || random.below(4) == 0 { 20 } else { 127 };
                assert_eq!(stage.route(SessionId(speaker.0), level, now, &mut hearers), Some(speaker.1.booth));
                if let Some(turned) = stage.take_turn() {
                    holder = turned;
                    changes += 1;
                }
                let mut heard: Vec<u64> = hearers.iter().map(|(session, _)| session.0).collect();
                heard.sort_unstable();
                let hears = people.iter().filter(|hearer| may_hear(hearer, speaker, holder)).map(|hearer| hearer.0);
                let mut right: Vec<u64> = hears.collect();
                right.sort_unstable();
                assert_eq!(heard, right, "seed {seed}: {speaker:?} among {people:?}");
            }
        }
    }
    assert!(changes > 1000, "the floor changed hands {changes} times");
}
