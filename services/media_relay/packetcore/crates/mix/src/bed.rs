//! How loud a channel's voices are, and the floor under them, from frame to frame.

use majlis_core::Micros;
use majlis_programme::{Bed, Part};

/// Most that the floor rises in a frame where nobody interprets any more: a second from silence to all of it.
const UP: f32 = 0.02;
/// Most that it falls: a fifth of a second.
const DOWN: f32 = 0.1;
/// Most that either moves where floor and interpreter change over: 160 ms.
const OVER: f32 = 0.125;

/// A gain that moves evenly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gain {
    from: f32,
    to: f32,
}

impl Gain {
    fn go(&mut self, wanted: f32, down: f32, up: f32) {
        self.from = self.to;
        self.to = wanted.clamp(self.from - down, self.from + up);
    }

    fn set(&mut self, wanted: f32) {
        (self.from, self.to) = (wanted, wanted);
    }

    /// Before the first sample of the frame, and after its last.
    pub fn slope(&self) -> (f32, f32) {
        (self.from, self.to)
    }

    /// Nothing is heard.
    pub fn is_closed(&self) -> bool {
        self.from == 0.0 && self.to == 0.0
    }

    /// What is heard is as it is.
    pub fn is_whole(&self) -> bool {
        self.from == 1.0 && self.to == 1.0
    }

    fn db(&self) -> f32 {
        20.0 * self.from.max(self.to).max(1e-6).log10()
    }
}

/// Both gains, and what was asked of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Balance {
    /// What was asked.
    pub asked: Bed,
    /// Of the floor.
    pub floor: Gain,
    /// Of the voices.
    pub voices: Gain,
}

impl Balance {
    /// The next frame, at `now`; `voiced` says that somebody is there to be heard above the floor.
    pub fn next(&mut self, voiced: bool, now: Micros) {
        let (floor, voices) = self.wanted(voiced, now);
        let up = if self.asked.clear { OVER } else { UP };
        self.floor.go(floor, DOWN, up);
        self.voices.go(voices, OVER, OVER);
    }

    /// Is at once what it would be after a while: nothing was heard before.
    pub fn settle(&mut self, voiced: bool, now: Micros) {
        let (floor, voices) = self.wanted(voiced, now);
        self.floor.set(floor);
        self.voices.set(voices);
    }

    fn wanted(&self, voiced: bool, now: Micros) -> (f32, f32) {
        match self.asked {
            Bed { clear: true, .. } => (1.0, 0.0),
            Bed { whole_from: Some(from), .. } if now >= from => (1.0, 1.0),
            Bed { under_db: Some(db), .. } if voiced => (10f32.powf(db.min(0) as f32 / 20.0), 1.0),
            _ => (0.0, 1.0),
        }
    }

    /// The gain of what somebody says who is this; none of those who are only ready.
    pub fn of(&self, part: Part) -> Option<&Gain> {
        match part {
            Part::Voice => Some(&self.voices),
            Part::Ready => None,
            Part::Under => Some(&self.floor),
        }
    }

    /// Whether somebody is heard at all who is this.
    pub fn is_open(&self, part: Part) -> bool {
        self.of(part).is_some_and(|gain| !gain.is_closed())
    }

    /// The same gain as dB.
    pub fn db(&self, part: Part) -> f32 {
        self.of(part).map_or(0.0, Gain::db)
    }
}
