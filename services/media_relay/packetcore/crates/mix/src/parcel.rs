//! A thrifty programme: three ticks of mixed sound are one frame of 60 ms, in few bits, and nobody's packets are passed on.

use crate::codec::FRAME;
use crate::level::{dbov, rfc6464};
use crate::mixer::Mixer;
use majlis_programme::{Csrcs, MAX_CSRCS, Payload, ProgrammeFrame, THRIFT_SAMPLES};

/// Samples in a frame.
pub const LONG_FRAME: usize = THRIFT_SAMPLES as usize;
/// Bits of an Opus packet's first byte that say how long a frame is (RFC 6716 §3.1), of speech coding: 60 ms, and 20 ms.
const LENGTH: u8 = 0b11 << 3;
const MS20: u8 = 0b01 << 3;

/// Sound that waits for the rest of its frame.
pub struct Parcel {
    sound: Box<[f32; LONG_FRAME]>,
    len: usize,
    /// Of the first tick: whether a talk begins with it, its number, and when it was.
    first: (bool, u64, u64),
    csrcs: Csrcs,
}

impl Default for Parcel {
    fn default() -> Self {
        Self { sound: Box::new([0.0; LONG_FRAME]), len: 0, first: (false, 0, 0), csrcs: Csrcs::default() }
    }
}

impl Parcel {
    fn add(&mut self, tick: &[f32; FRAME], csrcs: &Csrcs, first: (bool, u64, u64)) {
        if self.len == 0 {
            (self.first, self.csrcs) = (first, Csrcs::default());
        }
        self.sound[self.len..self.len + FRAME].copy_from_slice(tick);
        self.len += FRAME;
        self.csrcs = union(csrcs, &self.csrcs);
    }
}

impl Mixer {
    /// Adds a tick with sound, mixed whoever speaks; gives the frame that is whole with it.
    pub(crate) fn gather(
        &mut self,
        mix: &[f32; FRAME],
        csrcs: &Csrcs,
        begins: bool,
        capture_ntp: u64,
    ) -> Option<ProgrammeFrame> {
        self.parcel.add(mix, csrcs, (begins, self.ticks, capture_ntp));
        if self.parcel.len < LONG_FRAME {
            return None;
        }
        self.parcel.len = 0;
        let payload = self.desk.encode_long(&self.parcel.sound)?;
        self.toc = payload.as_slice()[0];
        let (begins, tick, captured) = self.parcel.first;
        let (level, csrcs) = (rfc6464(dbov(&self.parcel.sound[..])), self.parcel.csrcs);
        Some(self.frame_at(tick, begins, false, level, csrcs, payload, captured))
    }

    /// A tick after the last one with sound: silence for a frame that is not whole yet; with the last such tick one packet
    /// without sound, of 20 ms, so that whatever follows begins after it.
    pub(crate) fn wind_up(&mut self, last: bool, capture_ntp: u64) -> Option<ProgrammeFrame> {
        if self.parcel.len > 0 {
            return self.gather(&[0.0; FRAME], &Csrcs::default(), false, capture_ntp);
        }
        if !last {
            return None;
        }
        let payload = Payload::new(&[self.toc & 0xfc & !LENGTH | MS20]).ok()?;
        Some(self.frame_at(self.ticks, false, true, 127, Csrcs::default(), payload, capture_ntp))
    }
}

/// Everyone of both, the newer ones first.
fn union(newer: &Csrcs, older: &Csrcs) -> Csrcs {
    let mut list = [0u32; MAX_CSRCS];
    let mut len = 0;
    for member in newer.as_slice().iter().chain(older.as_slice()).copied() {
        if len < MAX_CSRCS && !list[..len].contains(&member) {
            list[len] = member;
            len += 1;
        }
    }
    Csrcs::from_loudest(list[..len].iter().copied())
}
