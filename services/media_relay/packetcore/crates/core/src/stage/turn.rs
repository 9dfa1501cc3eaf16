//! Who holds the floor of a stage: one decision for all who need it, slow enough that a short word does not change it.

use crate::types::{Micros, SECOND};

/// A packet at least this loud is speech, -dBov.
const SPEECH: u8 = 50;
/// Between the words of one who goes on speaking.
const BETWEEN_WORDS: Micros = SECOND / 5;
/// What one packet says of the time before it.
const LONGEST_PACKET: Micros = 60_000;
/// Whoever holds the floor and was not heard for this long has paused.
const PAUSE: Micros = 3 * SECOND / 10;
/// How long somebody else has to speak then.
const WORD: Micros = SECOND / 10;
/// How long somebody has to speak over whoever goes on speaking.
const OVER: Micros = SECOND;

#[derive(Debug)]
struct Words {
    member: u32,
    since: Micros,
    last: Micros,
    /// How much of the time since then was speech.
    spoken: Micros,
}

/// The decision, and what it is made of.
#[derive(Debug, Default)]
pub struct Turn {
    holder: Option<u32>,
    /// When the floor went to them.
    taken: Micros,
    words: Vec<Words>,
}

impl Turn {
    /// Who holds the floor; none until somebody speaks, and once they have left it.
    pub fn holder(&self) -> Option<u32> {
        self.holder
    }

    /// Takes the level of one packet of a member on the floor, -dBov; says whether the floor changed hands.
    pub fn hear(&mut self, member: u32, level: u8, now: Micros) -> bool {
        if level > SPEECH {
            return false;
        }
        let at = self.words.iter().position(|words| words.member == member).unwrap_or_else(|| {
            self.words.push(Words { member, since: now, last: now, spoken: 0 });
            self.words.len() - 1
        });
        let words = &mut self.words[at];
        let silent = now.saturating_sub(words.last);
        if silent > BETWEEN_WORDS {
            (words.since, words.spoken) = (now, 0);
        } else {
            words.spoken += silent.min(LONGEST_PACKET);
        }
        words.last = now;
        let (since, said) = (words.since, words.spoken);
        if self.holder == Some(member) {
            return false;
        }
        let holder = self.words.iter().find(|words| Some(words.member) == self.holder);
        let takes = match holder.filter(|holder| now.saturating_sub(holder.last) < PAUSE) {
            // Whoever was speaking before is the one who is spoken over.
            Some(_) => since >= self.taken && said >= OVER,
            None => said >= WORD,
        };
        if takes {
            (self.holder, self.taken) = (Some(member), now);
        }
        takes
    }

    /// A member is on the floor no more; says whether nobody holds it now who did.
    pub fn leave(&mut self, member: u32) -> bool {
        self.words.retain(|words| words.member != member);
        let held = self.holder == Some(member);
        if held {
            self.holder = None;
        }
        held
    }
}
