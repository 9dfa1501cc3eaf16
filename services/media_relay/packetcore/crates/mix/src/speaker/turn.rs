//! How a speaker turns from packets to sound and back, without a listener hearing that it happened.

use super::Speaker;
use super::cold::Cold;
use super::hot::TAIL;
use crate::codec::{FRAME, LAG};
use crate::level::dbov;
use crate::recent::Unfit;

/// Samples over which sound is cross-faded where some is cut out or put in (5 ms).
const FADE: usize = 240;
/// Times that a packet more is decoded to have enough for a cut.
const AHEAD: usize = 4;

impl Speaker {
    /// Begins to decode. `history` samples come first in what is ready then; what follows them goes on where packets
    /// went on, and is what the mixer pulls now.
    pub fn warm(&mut self, now: i64, history: usize) {
        let Some(cold) = self.cold.take() else { return };
        let end = self.decode_recent();
        self.warmed = true;
        self.passed = false;
        let (Some(pull), Some(end)) = (cold.pull, end) else {
            self.ready.clear();
            self.playing = None;
            return;
        };
        // Whose first word is found only now is played from its beginning, a little later than others.
        let pull = if history == 0 { cold.fresh.map_or(pull, |fresh| fresh.min(pull)) } else { pull };
        self.start_at(pull - history as i64, end);
        self.playing = Some(end);
        self.fill(now, history + FRAME);
    }

    /// Begins to decode one who was cut off: his `history`, and a tail that fades.
    pub fn warm_tail(&mut self, history: usize) {
        let Some(cold) = self.cold.take() else { return };
        self.cut = false;
        self.passed = false;
        self.warmed = true;
        if let (Some(pull), Some(end)) = (cold.pull, self.decode_recent()) {
            self.start_at(pull - history as i64, end);
            let missing = (history + TAIL).saturating_sub(self.ready.len()).next_multiple_of(120);
            // Without a tail the sound would just break off, which can be borne.
            let _ = self.decoder.conceal(missing, &mut self.ready);
            self.ready.truncate(history + TAIL);
        }
        self.recent.clear();
        self.decoder.reset();
    }

    /// Decodes what was taken lately, as one whose decoder heard all of it; gives the timestamp at its end.
    fn decode_recent(&mut self) -> Option<i64> {
        self.ready.clear();
        self.decoder.reset();
        self.starved = 0;
        self.rejoin = false;
        self.playing = None;
        let mut end = None;
        for taken in self.recent.unbroken() {
            let samples = taken.packet.samples;
            let before = self.ready.len();
            let made = self.decoder.decode(&taken.packet.payload, &mut self.ready).unwrap_or(0);
            if made != samples {
                self.ready.resize(before + samples, 0.0);
            }
            end = Some(taken.packet.timestamp + samples as i64);
        }
        end
    }

    /// Lets what is ready, which ends at `end`, begin at `start`.
    fn start_at(&mut self, start: i64, end: i64) {
        let wanted = (end - start).max(0) as usize;
        let have = self.ready.len();
        if have >= wanted {
            self.ready.drain(..have - wanted);
        } else {
            self.ready.splice(..0, std::iter::repeat_n(0.0, wanted - have));
        }
    }

    /// Takes the next `out.len()` samples of what is ready; silence when there are none.
    pub fn take_history(&mut self, out: &mut [f32]) {
        let count = self.ready.len().min(out.len());
        out[..count].copy_from_slice(&self.ready[..count]);
        out[count..].fill(0.0);
        self.ready.drain(..count);
    }

    /// Stops to decode; his packets go on where the mix would have pulled next.
    pub fn cool(&mut self) {
        if self.is_hot() {
            let end = self.recent.last().map_or(0, |taken| taken.packet.timestamp + taken.packet.samples as i64);
            let (pull, taken) = (self.next_pull(), self.playing.unwrap_or(end));
            self.cold = Some(Cold { pull, taken, ..Cold::default() });
            self.ready.clear();
            self.playing = None;
            self.starved = 0;
            self.rejoin = false;
        }
        self.passed = false;
        self.level.leave();
    }

    /// Nobody is heard any more.
    pub fn rest(&mut self) {
        self.cool();
        if std::mem::take(&mut self.cut) {
            self.cut_off();
        }
    }

    /// His packets are what is heard from now on.
    pub fn pass(&mut self) {
        self.resting |= self.next_pull().is_none();
        self.cool();
        if let Some(cold) = &mut self.cold {
            cold.aligned = true;
        }
        self.passed = true;
        self.level.pass();
    }

    /// Whether what he says is plain sound now: neither concealed nor about to be joined to something.
    pub fn is_steady(&self) -> bool {
        self.is_hot() && self.starved == 0 && !self.rejoin
    }

    /// Whether nothing at all of him is left to be mixed.
    pub fn is_spent(&self) -> bool {
        self.is_hot() && self.playing.is_none() && self.ready.is_empty()
    }

    /// Whether he became hot in this tick.
    pub fn is_warmed(&self) -> bool {
        self.warmed
    }

    /// Cuts out or puts in what brings his sound into phase with his packets; false when that cannot be done now.
    pub fn align(&mut self, now: i64) -> bool {
        let Some(mut pull) = self.next_pull() else { return false };
        if self.recent.unit(pull - LAG).map(|_| ()) != Err(Unfit::Phase) {
            return true;
        }
        for _ in 0..AHEAD {
            let late = now - self.buffer.due(pull);
            let least = pull - LAG + late - (FRAME as i64 - 1);
            if let Some(shift) = self.recent.boundary(least).map(|start| start + LAG - pull)
                && shift.unsigned_abs() as usize + FADE <= self.ready.len()
            {
                if !self.level.is_loud(dbov(&self.ready[..shift.unsigned_abs() as usize + FADE])) {
                    self.shift(shift);
                    return true;
                }
                return false;
            }
            if !self.take_contiguous() {
                return false;
            }
            pull = self.next_pull().unwrap_or(pull);
        }
        false
    }

    /// Leaves out the first `by` samples of what is ready, or says its first `-by` twice.
    fn shift(&mut self, by: i64) {
        let count = by.unsigned_abs() as usize;
        let mixed = |from: &[f32], to: &[f32]| -> Vec<f32> {
            (0..FADE)
                .map(|index| {
                    let share = (index as f32 + 0.5) / FADE as f32;
                    from[index] * (1.0 - share) + to[index] * share
                })
                .collect()
        };
        let (early, late) = (&self.ready[..FADE], &self.ready[count..count + FADE]);
        if by >= 0 {
            let joint = mixed(early, late);
            self.ready.splice(..count + FADE, joint);
            self.counters.cut_samples += count as u64;
        } else {
            let joint = mixed(late, early);
            let mut longer = self.ready[..count].to_vec();
            longer.extend(joint);
            self.ready.splice(..FADE, longer);
            self.counters.stretched_samples += count as u64;
        }
    }
}
