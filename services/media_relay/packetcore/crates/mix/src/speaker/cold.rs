//! A speaker who is not decoded: he moves on through his packets, and their level says whether he speaks.

use super::{Speaker, Swap, stated_dbov};
use crate::codec::{Coding, FRAME, LAG};
use crate::level::{SILENCE_DBOV, dbov};
use crate::pass::{Signs, TOO_EARLY, TOO_LATE};
use crate::recent::{Taken, Unfit, Unit};
use majlis_programme::OpusPacket;

/// Ticks for which the level before a gap counts in it: a lost packet is no silence.
const HELD: u8 = 5;
const STEP: i64 = FRAME as i64;

/// Where a speaker is who is not decoded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cold {
    /// What the mixer would pull at this tick, a timestamp; none while there is nothing. What is passed at this tick
    /// begins [`LAG`] before.
    pub pull: Option<i64>,
    /// End of the packet taken last.
    pub taken: i64,
    /// The first packet taken in this tick.
    pub fresh: Option<i64>,
    /// `pull` is [`LAG`] after the beginning of a frame.
    pub aligned: bool,
    /// Ticks without a packet.
    pub gap: u8,
}

impl Cold {
    pub fn is_idle(&self) -> bool {
        self.pull.is_none()
    }
}

impl Speaker {
    /// Decoded for the mix.
    pub fn is_hot(&self) -> bool {
        self.cold.is_none()
    }

    /// His stream was cut off while his packets were heard.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// A new tick begins.
    pub fn tick(&mut self) {
        self.record.tick();
    }

    /// One tick by packets alone; gives the level. `mixing` says that others are being mixed, so that his phase is the
    /// mixer's and not that of passing.
    pub fn listen(&mut self, now: i64, mixing: bool) -> f32 {
        let Some(mut cold) = self.cold.take().filter(|_| !self.cut) else { return self.level.dbov() };
        cold.fresh = None;
        if !self.passed {
            self.keep_phase(&mut cold, now, mixing);
        } else if self.resting && cold.pull.is_some_and(|pull| cold.taken <= pull - LAG) {
            // A pause of his own making: he begins anew with his next packet.
            cold.pull = None;
        }
        if cold.pull.is_none() {
            self.begin_cold(&mut cold, now, mixing);
        }
        let level = cold.pull.and_then(|pull| self.take_until(&mut cold, pull + STEP));
        self.cold = Some(cold);
        level.unwrap_or_else(|| self.level_of_gap())
    }

    /// The tick is over.
    pub fn advance(&mut self) {
        self.warmed = false;
        self.swap = Swap::None;
        if let Some(pull) = self.cold.as_mut().and_then(|cold| cold.pull.as_mut()) {
            *pull += STEP;
        }
    }

    fn begin_cold(&mut self, cold: &mut Cold, now: i64, mixing: bool) {
        // One frame earlier for the mix, which then makes what listeners hear of it at the very tick of passing.
        let lead = if mixing { LAG - STEP } else { LAG };
        let Some(first) = self.buffer.newest_due(now, lead) else { return };
        let taken = self.buffer.front().map_or(first, |front| front.timestamp);
        *cold = Cold { pull: Some(first + lead), taken, aligned: true, ..Cold::default() };
    }

    /// Nobody hears him: he may jump to where he would be if he began now.
    fn keep_phase(&mut self, cold: &mut Cold, now: i64, mixing: bool) {
        let Some(mut pull) = cold.pull else { return };
        if !mixing && !cold.aligned {
            let Some(boundary) = self.recent.boundary(pull - LAG) else {
                cold.pull = None;
                return;
            };
            pull = boundary + LAG;
            cold.aligned = true;
        }
        let late = now - self.buffer.due(pull);
        if !(TOO_EARLY..=TOO_LATE).contains(&late) {
            pull += late.div_euclid(STEP) * STEP;
        }
        cold.pull = Some(pull);
    }

    /// Takes what lies before `end`; gives the level of the loudest packet.
    fn take_until(&mut self, cold: &mut Cold, end: i64) -> Option<f32> {
        let mut loudest = None;
        while let Some(front) = self.buffer.front().filter(|front| front.timestamp < end) {
            let paused = self.resting || self.sequence.is_some_and(|last| last + 1 == front.sequence);
            if front.timestamp > cold.taken {
                if self.passed {
                    break;
                }
                if !paused {
                    self.record.lost();
                }
            }
            let level = self.take_cold(cold)?;
            loudest = Some(loudest.map_or(level, |other: f32| other.max(level)));
        }
        if loudest.is_some() {
            cold.gap = 0;
        } else {
            cold.gap = cold.gap.saturating_add(1);
            if !self.passed && cold.taken <= end - STEP - LAG {
                cold.pull = None;
            }
        }
        loudest
    }

    fn take_cold(&mut self, cold: &mut Cold) -> Option<f32> {
        let packet = self.buffer.pop()?;
        cold.fresh.get_or_insert(packet.timestamp);
        cold.taken = packet.timestamp + packet.samples as i64;
        self.sequence = Some(packet.sequence);
        self.resting = OpusPacket::parse(&packet.payload).is_ok_and(|parsed| parsed.is_dtx());
        let stated = packet.stated.map(stated_dbov);
        if let Some(level) = stated.filter(|_| !self.trust.wants_sound()) {
            self.trust.took();
            self.record.took(packet.payload.len());
            self.recent.push(Taken { packet, dbov: level });
            return Some(level);
        }
        self.ready.clear();
        if self.decoder.decode(&packet.payload, &mut self.ready).is_err() {
            self.counters.malformed += 1;
        }
        let measured = dbov(&self.ready);
        self.ready.clear();
        let believed = stated.filter(|_| self.trust.believes());
        self.note_decoded(packet, measured);
        Some(believed.unwrap_or(measured))
    }

    fn level_of_gap(&self) -> f32 {
        let held = self.cold.is_some_and(|cold| cold.gap <= HELD && cold.pull.is_some());
        if held && !self.resting { self.level.dbov() } else { SILENCE_DBOV }
    }

    /// What a listener would be sent of him now.
    pub fn unit(&self) -> Result<Unit, Unfit> {
        self.next_pull().ok_or(Unfit::Missing).and_then(|pull| self.recent.unit(pull - LAG))
    }

    /// How his last packet is coded.
    pub fn coding(&self) -> Option<Coding> {
        self.recent.last().and_then(|taken| taken.packet.payload.first()).map(|toc| Coding::of(*toc))
    }

    /// What is to be known of him before he is passed, or passed on.
    pub fn signs(&self, now: i64, channel_bit_rate: u32) -> Signs {
        Signs {
            passed: self.passed,
            resting: self.resting || self.passed && self.next_pull().is_none(),
            unit: self.unit().map(|unit| unit.dbov),
            losses: self.record.losses(),
            bit_rate: self.record.bit_rate(),
            channel_bit_rate,
            wanted_db: self.level.wanted_db(),
            late: self.next_pull().map_or(0, |pull| now - self.buffer.due(pull)),
        }
    }

    /// Timestamp of what the mixer pulls next; none while there is nothing, or only an extrapolation.
    pub(super) fn next_pull(&self) -> Option<i64> {
        match &self.cold {
            Some(cold) => cold.pull,
            None => self.playing.filter(|_| self.starved == 0).map(|end| end - self.ready.len() as i64),
        }
    }
}
