//! The floor under the voices of a channel: how loud it is from frame to frame.

use majlis_core::Micros;
use majlis_programme::Bed;

/// Most that the gain rises in a frame: a second from silence to all of it.
const UP: f32 = 0.02;
/// Most that it falls: a fifth of a second.
const DOWN: f32 = 0.1;

/// Its gain, which moves evenly.
#[derive(Debug, Clone, Copy, Default)]
pub struct BedGain {
    /// What was asked.
    pub asked: Bed,
    from: f32,
    to: f32,
}

impl BedGain {
    /// The next frame, at `now`; `voiced` says that somebody is there to be heard above it.
    pub fn next(&mut self, voiced: bool, now: Micros) {
        let wanted = self.wanted(voiced, now);
        self.from = self.to;
        self.to = wanted.clamp(self.from - DOWN, self.from + UP);
    }

    /// Is at once what it would be after a while: nothing was heard before.
    pub fn settle(&mut self, voiced: bool, now: Micros) {
        self.to = self.wanted(voiced, now);
        self.from = self.to;
    }

    fn wanted(&self, voiced: bool, now: Micros) -> f32 {
        match self.asked {
            Bed { whole_from: Some(from), .. } if now >= from => 1.0,
            Bed { under_db: Some(db), .. } if voiced => 10f32.powf(db.min(0) as f32 / 20.0),
            _ => 0.0,
        }
    }

    /// Before the first sample of the frame, and after its last.
    pub fn slope(&self) -> (f32, f32) {
        (self.from, self.to)
    }

    /// Nothing of it is heard.
    pub fn is_closed(&self) -> bool {
        self.from == 0.0 && self.to == 0.0
    }

    /// It is heard as it is.
    pub fn is_whole(&self) -> bool {
        self.from == 1.0 && self.to == 1.0
    }

    /// As dB.
    pub fn db(&self) -> f32 {
        20.0 * self.from.max(self.to).max(1e-6).log10()
    }
}
