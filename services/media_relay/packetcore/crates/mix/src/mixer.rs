//! The programme mixer of one channel: speakers' packets in, one Opus frame each 20 ms out while anyone speaks.

use crate::codec::{CodecError, FRAME, ProgrammeEncoder};
use crate::jitter::Inserted;
use crate::level::{SILENCE_DBOV, dbov, rfc6464};
use crate::limiter::Limiter;
use crate::speaker::{Speaker, SpeakerCounters};
use majlis_core::Micros;
use majlis_programme::{Csrcs, FRAME_SAMPLES, MixTotals, MixerConfig, Mixing, Payload, ProgrammeFrame, RtpIn};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Duration of a frame, µs.
pub const TICK: Micros = 20_000;
/// A caller that comes this many ticks late gets the missed frames at once; beyond, time is skipped instead (200 ms).
const MAX_CATCH_UP: u64 = 10;
/// Closing frames in a row. One would do, but a listener who loses it hears concealment until the next word.
const CLOSING_FRAMES: u8 = 3;
/// Frames after the last word in which the speakers' gates close and the rest fades out (100 ms).
const ENDING_FRAMES: u8 = 5;
/// Frames over which a new or handed-over programme rises from silence (40 ms), and over which it falls.
const FADE_FRAMES: u32 = 2;

/// One speaker as operators and tests see him.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeakerReport {
    /// Member number.
    pub member: u32,
    /// Speaking now, or a moment ago.
    pub speaking: bool,
    /// Level in the programme, -dBov 0..=127.
    pub level: u8,
    /// Gain that brings him to the common loudness, dB.
    pub gain_db: f32,
    /// Depth of his jitter buffer, ms.
    pub target_ms: u32,
    /// Totals.
    pub counters: SpeakerCounters,
}

/// Where a mixer is between silence and speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    Silent,
    Talking,
    /// Nobody speaks any more; frames left until the gates have closed.
    Ending(u8),
    /// Closing frames left, the present one included.
    Closing(u8),
}

/// Ticks without sound (a second) after which silence passes the limiter unchanged: its delay line is silent and its gain
/// is whole again. Most rooms are silent most of the time.
const LIMITER_AT_REST: u32 = 50;

/// One channel's mixer. Everything happens in [`Mixer::handle_rtp`] and [`Mixer::poll_frame`].
pub struct Mixer {
    config: MixerConfig,
    started: Micros,
    ticks: u64,
    sequence: u32,
    speakers: BTreeMap<u32, Speaker>,
    /// Speakers taken away whose last samples still fade out.
    leaving: Vec<Speaker>,
    limiter: Limiter,
    /// Ticks without any sound in a row.
    quiet: u32,
    encoder: ProgrammeEncoder,
    talk: Talk,
    /// Frames left of the rise from silence, or of the fall to it when `finishing`.
    fade: u32,
    finishing: bool,
    toc: u8,
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
            limiter: Limiter::new(),
            quiet: 0,
            encoder: ProgrammeEncoder::new(config.bits_per_second, config.complexity)?,
            talk: Talk::Silent,
            fade: FADE_FRAMES,
            finishing: false,
            toc: 0x78,
        })
    }

    /// Lets a member be heard; nothing changes for one who already is.
    pub fn add_member(&mut self, member: u32) -> Result<(), CodecError> {
        if let Entry::Vacant(place) = self.speakers.entry(member) {
            place.insert(Speaker::new()?);
        }
        Ok(())
    }

    /// Takes a member out; his last milliseconds fade.
    pub fn remove_member(&mut self, member: u32) {
        if let Some(mut speaker) = self.speakers.remove(&member) {
            speaker.set_muted(true);
            self.leaving.push(speaker);
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
        self.encoder.set_bitrate(bits_per_second)?;
        self.config.bits_per_second = bits_per_second;
        Ok(())
    }

    /// How hard the encoder works (0 to 10) from the next frame on.
    pub fn set_effort(&mut self, complexity: u8) {
        self.encoder.set_complexity(complexity);
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
        let (mut mix, csrcs) = self.mix(at);
        if self.quiet < LIMITER_AT_REST {
            self.limiter.process(&mut mix);
        }
        let speaking = !csrcs.as_slice().is_empty();
        let before = self.talk;
        self.talk = self.next_talk(speaking);
        match self.talk {
            Talk::Silent => None,
            Talk::Closing(_) => self.closing_frame(capture_ntp),
            Talk::Talking | Talk::Ending(_) => {
                self.shape(&mut mix, matches!(before, Talk::Silent | Talk::Closing(_)));
                let payload = Payload::new(self.encoder.encode(&mix).ok()?).ok()?;
                self.toc = payload.as_slice()[0];
                let start = before == Talk::Silent;
                Some(self.frame(start, false, rfc6464(dbov(&mix)), csrcs, payload, capture_ntp))
            }
        }
    }

    fn next_talk(&self, speaking: bool) -> Talk {
        let over = self.finishing && self.fade == 0;
        match self.talk {
            Talk::Silent if self.finishing || !speaking => Talk::Silent,
            Talk::Talking | Talk::Ending(_) if over => Talk::Closing(CLOSING_FRAMES),
            Talk::Talking if !speaking => Talk::Ending(ENDING_FRAMES),
            Talk::Ending(1) if !speaking => Talk::Closing(CLOSING_FRAMES),
            Talk::Ending(left) if !speaking => Talk::Ending(left - 1),
            Talk::Closing(1) if over || !speaking => Talk::Silent,
            Talk::Closing(left) if over || !speaking => Talk::Closing(left - 1),
            _ => Talk::Talking,
        }
    }

    /// Sums everyone's sound of this tick; returns who speaks, loudest first.
    fn mix(&mut self, at: Micros) -> ([f32; FRAME], Csrcs) {
        let now = samples(at);
        let mut mix = [0.0; FRAME];
        let mut sound = [0.0; FRAME];
        let mut speaking = Vec::new();
        let mut any = false;
        for (member, speaker) in &mut self.speakers {
            any |= add(speaker, now, &mut sound, &mut mix);
            if speaker.level.speaking() && !speaker.muted {
                speaking.push((speaker.level.heard_dbov(), *member));
            }
        }
        for speaker in &mut self.leaving {
            any |= add(speaker, now, &mut sound, &mut mix);
        }
        self.quiet = if any { 0 } else { self.quiet.saturating_add(1) };
        self.leaving.retain(|speaker| !speaker.is_idle());
        speaking.sort_by(|one, other| other.0.total_cmp(&one.0));
        (mix, Csrcs::from_loudest(speaking.into_iter().map(|(_, member)| member)))
    }

    /// Raises the first frames of a programme, lowers the last, and eases into and out of every talk.
    fn shape(&mut self, mix: &mut [f32; FRAME], opening: bool) {
        if self.fade > 0 {
            let (whole, left) = (FADE_FRAMES as f32, self.fade as f32);
            let rising = ((whole - left) / whole, (whole - left + 1.0) / whole);
            let falling = (left / whole, (left - 1.0) / whole);
            slope(mix, if self.finishing { falling } else { rising });
            self.fade -= 1;
        } else if opening {
            slope(&mut mix[..FRAME / 4], (0.0, 1.0));
        } else if self.talk == Talk::Ending(1) {
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
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let timestamp = self.config.first_timestamp.wrapping_add((self.ticks as u32).wrapping_mul(FRAME_SAMPLES));
        let stream = self.config.stream;
        ProgrammeFrame { start_of_talk, end_of_talk, level, stream, sequence, timestamp, capture_ntp, csrcs, payload }
    }

    /// Everyone who may be heard.
    pub fn speakers(&self) -> impl Iterator<Item = SpeakerReport> + '_ {
        self.speakers.iter().map(|(member, speaker)| SpeakerReport {
            member: *member,
            speaking: speaker.level.speaking() && !speaker.muted,
            level: rfc6464(speaker.level.heard_dbov()),
            gain_db: speaker.level.gain_db(),
            target_ms: (speaker.target() / 48) as u32,
            counters: speaker.counters,
        })
    }
}

impl Mixing for Mixer {
    fn begin(config: MixerConfig, now: Micros) -> Option<Self> {
        Self::new(config, now).ok()
    }

    fn add_member(&mut self, member: u32) -> bool {
        Self::add_member(self, member).is_ok()
    }

    fn remove_member(&mut self, member: u32) {
        Self::remove_member(self, member);
    }

    fn set_muted(&mut self, member: u32, muted: bool) {
        Self::set_muted(self, member, muted);
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        // The range is checked where the call came in; a refusal leaves the old rate.
        let _ = Self::set_bitrate(self, bits_per_second);
    }

    fn handle_rtp(&mut self, member: u32, packet: RtpIn<'_>, now: Micros) {
        Self::handle_rtp(self, member, packet, now);
    }

    fn next_poll(&self) -> Micros {
        Self::next_poll(self)
    }

    fn poll_frame(&mut self, now: Micros, now_ntp: u64) -> Option<ProgrammeFrame> {
        Self::poll_frame(self, now, now_ntp)
    }

    fn set_effort(&mut self, complexity: u8) {
        Self::set_effort(self, complexity);
    }

    fn totals(&self) -> MixTotals {
        MixTotals::default()
    }

    fn dump_way(&self) -> String {
        r#""way":"mixing""#.to_owned()
    }

    fn dump(&self) -> Vec<String> {
        let object = |speaker: SpeakerReport| {
            let SpeakerReport { member, level, speaking, target_ms, .. } = speaker;
            format!(r#"{{"member":{member},"level":{level},"speaking":{speaking},"jitter_target_ms":{target_ms}}}"#)
        };
        self.speakers().map(object).collect()
    }
}

/// Adds one speaker's tick to the mix at his gain; false when there is no sound of his.
fn add(speaker: &mut Speaker, now: i64, sound: &mut [f32; FRAME], mix: &mut [f32; FRAME]) -> bool {
    let heard = speaker.pull(now, sound);
    let level = if heard { dbov(&sound[..]) } else { SILENCE_DBOV };
    let ramp = speaker.level.next(level);
    if heard {
        ramp.add(&sound[..], mix);
    }
    heard
}

/// A gain that moves evenly from one value to another.
fn slope(samples: &mut [f32], (from, to): (f32, f32)) {
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
