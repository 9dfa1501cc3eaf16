//! How well those on a stage can be heard by who works from them: level, band, losses, and when each spoke.
//!
//! Nothing of it is needed for sound; it is measured while somebody asks, by decoding a quarter of what is said.

mod envelope;
mod meter;
mod spectrum;

use majlis_core::{Micros, SECOND};
use majlis_programme::RtpIn;
use meter::InputMeter;
use std::collections::BTreeMap;

/// Measuring ends when nobody has asked for this long.
const LAPSES: Micros = 5 * SECOND;
/// People on one stage who are measured; no stage has so many seats.
const MOST: usize = 64;

/// What one member's microphone sends.
#[derive(Debug, Clone, PartialEq)]
pub struct InputReading {
    /// Member number.
    pub member: u32,
    /// In which booth they speak.
    pub booth: u32,
    /// Mean level of what is speech, dBov; none before enough was heard, as with the next two.
    pub level_dbov: Option<f32>,
    /// Part of the samples of speech that lie at full scale.
    pub clipped: Option<f32>,
    /// Where the spectrum of speech ends, Hz.
    pub band_hz: Option<u32>,
    /// Packets of the last ten seconds: how many there should have been.
    pub expected: u32,
    /// And how many of them did not come.
    pub lost: u32,
    /// Whether they spoke in each 100 ms, oldest first, as `1` and `0`: of one length and one time for all who are read together
    /// once they have been there for forty seconds, and ending together before.
    pub activity: String,
}

/// Everybody on one stage.
#[derive(Default)]
pub struct Inputs {
    meters: BTreeMap<u32, InputMeter>,
    asked: Micros,
}

impl Inputs {
    /// Takes a packet of a member, spoken in that booth.
    pub fn hear(&mut self, (member, booth): (u32, u32), packet: RtpIn<'_>, now: Micros) {
        if self.meters.get(&member).is_none_or(|meter| meter.booth() != booth) {
            if self.meters.len() >= MOST {
                return;
            }
            // Without memory for a decoder nothing is told of them.
            let Ok(meter) = InputMeter::new(booth) else { return };
            self.meters.insert(member, meter);
        }
        if let Some(meter) = self.meters.get_mut(&member) {
            meter.hear(packet, now);
        }
    }

    /// A member's microphone was shut or opened, so that numbers are missing which nobody lost.
    pub fn pause(&mut self, member: u32) {
        if let Some(meter) = self.meters.get_mut(&member) {
            meter.pause();
        }
    }

    /// A member is gone.
    pub fn leave(&mut self, member: u32) {
        self.meters.remove(&member);
    }

    /// What is known of everybody; goes on measuring for a while.
    pub fn read(&mut self, now: Micros) -> Vec<InputReading> {
        self.asked = now;
        self.meters.iter_mut().map(|(member, meter)| meter.read(*member, now)).collect()
    }

    /// Whether nobody wants to know any more.
    pub fn is_over(&self, now: Micros) -> bool {
        now.saturating_sub(self.asked) > LAPSES
    }
}
