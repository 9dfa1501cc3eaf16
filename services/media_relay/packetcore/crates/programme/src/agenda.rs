//! Who has something due, and whose turn it is: nobody else is looked at.

use majlis_core::Micros;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;

/// Entries out of date that are kept before they are swept out, beside as many as there are true ones.
const SLACK: usize = 64;

/// Each key has one moment at most. Of those whose moment has come the earliest is first, and of equals the one that was
/// entered first: whoever is behind and enters himself again at the present moment lets all others who wait go before.
#[derive(Debug)]
pub struct Agenda<K> {
    due: HashMap<K, (Micros, u64)>,
    /// An entry that `due` does not bear out is out of date.
    order: BinaryHeap<Reverse<(Micros, u64, K)>>,
    entered: u64,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { due: HashMap::new(), order: BinaryHeap::new(), entered: 0 }
    }
}

impl<K: Copy + Ord + Hash> Agenda<K> {
    /// Enters `key` at `at`, instead of where it stood. At the same moment it keeps its place.
    pub fn set(&mut self, key: K, at: Micros) {
        if self.at(key) == Some(at) {
            return;
        }
        self.entered += 1;
        self.due.insert(key, (at, self.entered));
        self.order.push(Reverse((at, self.entered, key)));
        if self.order.len() > 2 * self.due.len() + SLACK {
            let due = &self.due;
            self.order.retain(|Reverse((at, turn, key))| due.get(key) == Some(&(*at, *turn)));
        }
    }

    /// Strikes `key` out.
    pub fn remove(&mut self, key: K) {
        self.due.remove(&key);
    }

    /// When `key` is due.
    pub fn at(&self, key: K) -> Option<Micros> {
        self.due.get(&key).map(|(at, _)| *at)
    }

    /// When the first is due.
    pub fn next(&mut self) -> Option<Micros> {
        while let Some(Reverse((at, turn, key))) = self.order.peek() {
            if self.due.get(key) == Some(&(*at, *turn)) {
                return Some(*at);
            }
            self.order.pop();
        }
        None
    }

    /// Strikes out and gives the first whose moment has come.
    pub fn take(&mut self, now: Micros) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, _, key)) = self.order.pop()?;
        self.due.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Agenda;

    #[test]
    fn the_earliest_comes_first_and_nobody_before_his_time() {
        let mut agenda = Agenda::default();
        for (key, at) in [('b', 20), ('a', 30), ('c', 10)] {
            agenda.set(key, at);
        }
        assert_eq!((agenda.take(9), agenda.next()), (None, Some(10)));
        assert_eq!([agenda.take(25), agenda.take(25), agenda.take(25)], [Some('c'), Some('b'), None]);
        assert_eq!((agenda.take(30), agenda.next()), (Some('a'), None));
    }

    #[test]
    fn who_comes_again_at_once_lets_all_who_wait_go_before() {
        let mut agenda = Agenda::default();
        ["behind", "one", "other"].into_iter().for_each(|key| agenda.set(key, 100));
        assert_eq!(agenda.take(100), Some("behind"));
        agenda.set("behind", 100);
        assert_eq!(
            [agenda.take(100), agenda.take(100), agenda.take(100)],
            [Some("one"), Some("other"), Some("behind")]
        );
    }

    #[test]
    fn a_moment_that_moves_counts_once_and_what_is_struck_out_never() {
        let mut agenda = Agenda::default();
        for at in [50, 10, 90] {
            agenda.set(1, at);
            agenda.set(2, at + 1);
        }
        agenda.remove(2);
        assert_eq!((agenda.at(1), agenda.at(2)), (Some(90), None));
        assert_eq!([agenda.take(89), agenda.take(1000), agenda.take(1000)], [None, Some(1), None]);
    }

    #[test]
    fn entries_out_of_date_do_not_pile_up() {
        let mut agenda = Agenda::default();
        agenda.set(0, 0);
        for at in 1..10_000 {
            agenda.set(1, at);
        }
        assert!(agenda.order.len() < 200, "{}", agenda.order.len());
        assert_eq!([agenda.take(10_000), agenda.take(10_000), agenda.take(10_000)], [Some(0), Some(1), None]);
    }
}
