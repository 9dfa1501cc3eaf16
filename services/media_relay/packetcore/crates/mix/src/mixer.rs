//! The programme mixer of one channel: speakers' packets in, one Opus frame each 20 ms out while anyone speaks, or each
//! 60 ms where it is to be thrifty.

use crate::bed::Balance;
use crate::codec::{CodecError, FRAME};
use crate::desk::Desk;
use crate::jitter::Inserted;
use crate::level::{dbov, rfc6464};
use crate::parcel::Parcel;
use crate::pass::Reason;
use crate::speaker::Speaker;
use crate::talk::Talk;
use crate::ways::{Seams, Way};
use majlis_core::Micros;
use majlis_programme::{Csrcs, FRAME_SAMPLES, MixerConfig, Payload, ProgrammeFrame, RtpIn};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Duration of a frame, µs.
pub const TICK: Micros = 20_000;
/// A caller that comes this many ticks late gets the missed frames at once; beyond, time is skipped instead (200 ms).
const MAX_CATCH_UP: u64 = 10;
/// Frames over which a new or handed-over programme rises from silence (40 ms), and over which it falls.
const FADE_FRAMES: u32 = 2;

/// One channel's mixer. Everything happens in [`Mixer::handle_rtp`] and [`Mixer::poll_frame`].
pub struct Mixer {
    pub(crate) config: MixerConfig,
    started: Micros,
    pub(crate) ticks: u64,
    sequence: u32,
    pub(crate) speakers: BTreeMap<u32, Speaker>,
    /// Speakers taken away whose last samples still fade out.
    pub(crate) leaving: Vec<(u32, Speaker)>,
    /// The voices, and the floor under them.
    pub(crate) balance: Balance,
    pub(crate) way: Way,
    /// While mixing: who might be passed soon, and is therefore led to a gain of 0 dB.
    pub(crate) alone: Option<u32>,
    /// For how many frames.
    pub(crate) followed: u32,
    pub(crate) seams: Seams,
    pub(crate) desk: Desk,
    pub(crate) parcel: Parcel,
    talk: Talk,
    /// Frames left of the rise from silence, or of the fall to it when `finishing`.
    pub(crate) fade: u32,
    pub(crate) finishing: bool,
    pub(crate) toc: u8,
}

impl Mixer {
    /// A mixer whose first tick is at `now`.
    pub fn new(config: MixerConfig, now: Micros) -> Result<Self, CodecError> {
        Ok(Self {
            config,
            started: now,
            ticks: 0,
            sequence: config.first_sequence,
            speakers: BTreeMap::new(),
            leaving: Vec::new(),
            balance: Balance::default(),
            way: Way::Rest,
            alone: None,
            followed: 0,
            seams: Seams::default(),
            desk: Desk::new(config.bits_per_second, config.complexity, config.thrift)?,
            parcel: Parcel::default(),
            talk: Talk::Silent,
            fade: FADE_FRAMES,
            finishing: false,
            toc: 0x78,
        })
    }

    /// Lets a member be heard; nothing changes for one who already is.
    pub fn add_member(&mut self, member: u32) -> Result<(), CodecError> {
        if let Entry::Vacant(place) = self.speakers.entry(member) {
            place.insert(Speaker::new(u64::from(self.config.stream) << 32 | u64::from(member))?);
        }
        Ok(())
    }

    /// Takes a member out; his last milliseconds fade.
    pub fn remove_member(&mut self, member: u32) {
        if let Some(mut speaker) = self.speakers.remove(&member) {
            speaker.set_muted(true);
            self.leaving.push((member, speaker));
        }
    }

    /// Mutes or unmutes a member; an unknown one is ignored.
    pub fn set_muted(&mut self, member: u32, muted: bool) {
        if let Some(speaker) = self.speakers.get_mut(&member) {
            speaker.set_muted(muted);
        }
    }

    /// Takes effect with the next frame.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        self.desk.set_bitrate(bits_per_second)?;
        self.config.bits_per_second = bits_per_second;
        Ok(())
    }

    /// How hard the encoder works (0 to 10) from the next frame on.
    pub fn set_effort(&mut self, complexity: u8) {
        self.desk.set_complexity(complexity);
        self.config.complexity = complexity;
    }

    /// Takes a member's packet that arrived at `now`; none when he is unknown or muted.
    pub fn handle_rtp(&mut self, member: u32, packet: RtpIn<'_>, now: Micros) -> Option<Inserted> {
        let speaker = self.speakers.get_mut(&member).filter(|speaker| !speaker.muted)?;
        Some(speaker.insert(packet, samples(now)))
    }

    /// Fades out within two frames and closes: another instance takes over. Nothing is sent afterwards.
    pub fn finish(&mut self) {
        if !self.finishing {
            self.finishing = true;
            self.fade = FADE_FRAMES;
        }
    }

    /// When [`Mixer::poll_frame`] wants to be called next.
    pub fn next_poll(&self) -> Micros {
        self.started + self.ticks * TICK
    }

    /// Does the next tick that is due at `now`; call it until [`Mixer::next_poll`] lies ahead. `now_ntp` is the wall
    /// clock at `now`, NTP 32.32. Silence gives none.
    pub fn poll_frame(&mut self, now: Micros, now_ntp: u64) -> Option<ProgrammeFrame> {
        while self.next_poll() <= now {
            let behind = (now - self.next_poll()) / TICK;
            if behind > MAX_CATCH_UP {
                self.ticks += behind;
            }
            let at = self.next_poll();
            let frame = self.tick(at, ntp_minus(now_ntp, now - at));
            self.ticks += 1;
            if frame.is_some() {
                return frame;
            }
        }
        None
    }

    fn tick(&mut self, at: Micros, capture_ntp: u64) -> Option<ProgrammeFrame> {
        let now = samples(at);
        self.balance.next(self.is_voiced(), at);
        self.listen(now);
        if self.way == Way::Mixing && !self.config.thrift {
            self.try_passing(now);
        }
        let mixed = (self.way == Way::Mixing).then(|| {
            self.join(now);
            self.mix(now)
        });
        let csrcs = self.speaking();
        let before = self.talk;
        let over = self.finishing && self.fade == 0;
        self.talk = before.next(!csrcs.as_slice().is_empty(), self.finishing, over);
        let frame = match self.talk {
            Talk::Silent => {
                self.rest();
                None
            }
            Talk::Closing(left) => {
                self.rest();
                if self.config.thrift { self.wind_up(left == 1, capture_ntp) } else { self.closing_frame(capture_ntp) }
            }
            Talk::Talking | Talk::Ending(_) if self.config.thrift => {
                let mix = self.mixed_sound(now, mixed);
                // Whoever speaks again while it closes may begin after a hole.
                let begins = matches!(before, Talk::Silent | Talk::Closing(_));
                self.gather(&mix, &csrcs, begins, capture_ntp)
            }
            Talk::Talking | Talk::Ending(_) => self.sound(now, mixed, csrcs).map(|(payload, level, csrcs)| {
                self.toc = payload.as_slice()[0];
                self.frame(before == Talk::Silent, false, rfc6464(level), csrcs, payload, capture_ntp)
            }),
        };
        self.speakers.values_mut().for_each(Speaker::advance);
        frame
    }

    /// A frame's payload, its level (dBov) and who speaks in it.
    fn sound(&mut self, now: i64, mixed: Option<[f32; FRAME]>, csrcs: Csrcs) -> Option<(Payload, f32, Csrcs)> {
        let mixed = match mixed {
            Some(mix) => mix,
            None => match self.pass(now, &csrcs) {
                Ok((payload, level)) => return Some((payload, level, csrcs)),
                Err(reason) => {
                    self.begin_mixing(now, reason);
                    self.mix(now)
                }
            },
        };
        let mix = self.finished(mixed);
        let payload = self.desk.encode(&mix)?;
        Some((payload, dbov(&mix), csrcs))
    }

    /// A tick's sound where nobody is passed.
    fn mixed_sound(&mut self, now: i64, mixed: Option<[f32; FRAME]>) -> [f32; FRAME] {
        let mixed = mixed.unwrap_or_else(|| {
            self.begin_mixing(now, Reason::BitRate);
            self.mix(now)
        });
        self.finished(mixed)
    }

    fn finished(&mut self, mut mix: [f32; FRAME]) -> [f32; FRAME] {
        self.desk.limit(&mut mix);
        self.shape(&mut mix);
        mix
    }

    /// Raises the first frames of a programme, lowers the last, and fades out of every talk.
    fn shape(&mut self, mix: &mut [f32; FRAME]) {
        if self.fade > 0 {
            let (whole, left) = (FADE_FRAMES as f32, self.fade as f32);
            let rising = ((whole - left) / whole, (whole - left + 1.0) / whole);
            let falling = (left / whole, (left - 1.0) / whole);
            slope(mix, if self.finishing { falling } else { rising });
            self.fade -= 1;
        } else if self.talk.is_last() {
            slope(mix, (1.0, 0.0));
        }
    }

    /// An empty Opus frame: DTX, of the kind of the frame before it.
    fn closing_frame(&mut self, capture_ntp: u64) -> Option<ProgrammeFrame> {
        let payload = Payload::new(&[self.toc & 0xfc]).ok()?;
        Some(self.frame(false, true, 127, Csrcs::default(), payload, capture_ntp))
    }

    fn frame(
        &mut self,
        start_of_talk: bool,
        end_of_talk: bool,
        level: u8,
        csrcs: Csrcs,
        payload: Payload,
        capture_ntp: u64,
    ) -> ProgrammeFrame {
        self.frame_at(self.ticks, start_of_talk, end_of_talk, level, csrcs, payload, capture_ntp)
    }

    /// A frame that begins with a tick.
    #[expect(clippy::too_many_arguments, reason = "what a frame has")]
    pub(crate) fn frame_at(
        &mut self,
        tick: u64,
        start_of_talk: bool,
        end_of_talk: bool,
        level: u8,
        csrcs: Csrcs,
        payload: Payload,
        capture_ntp: u64,
    ) -> ProgrammeFrame {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let timestamp = self.config.first_timestamp.wrapping_add((tick as u32).wrapping_mul(FRAME_SAMPLES));
        let stream = self.config.stream;
        ProgrammeFrame { start_of_talk, end_of_talk, level, stream, sequence, timestamp, capture_ntp, csrcs, payload }
    }
}

/// A gain that moves evenly from one value to another.
pub(crate) fn slope(samples: &mut [f32], (from, to): (f32, f32)) {
    let len = samples.len() as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample *= from + (to - from) * index as f32 / len;
    }
}

/// A moment on the 48 kHz time line of the mixer.
fn samples(at: Micros) -> i64 {
    (u128::from(at) * 48 / 1000) as i64
}

/// An NTP time `earlier` µs before.
fn ntp_minus(ntp: u64, earlier: Micros) -> u64 {
    ntp.wrapping_sub(((u128::from(earlier) << 32) / 1_000_000) as u64)
}
