//! What a channel asks of the mixer, and what operators see of it.

use crate::level::rfc6464;
use crate::mixer::Mixer;
use crate::pass::Reason;
use crate::speaker::SpeakerCounters;
use crate::ways::Way;
use majlis_core::Micros;
use majlis_programme::{Bed, MixTotals, MixerConfig, Mixing, Part, ProgrammeFrame, RtpIn};
use std::collections::BTreeMap;

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

impl Mixer {
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

    /// What it did so far.
    pub fn totals(&self) -> MixTotals {
        self.seams.totals
    }

    /// Whose packets are the programme now.
    pub fn passing(&self) -> Option<u32> {
        match self.way {
            Way::Passing(member) => Some(member),
            Way::Rest | Way::Mixing => None,
        }
    }

    /// How often mixing took over, by reason.
    pub fn seams(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Reason::ALL.iter().map(|reason| (reason.name(), self.seams.why[*reason as usize]))
    }
}

impl Mixing for Mixer {
    fn begin(config: MixerConfig, now: Micros) -> Option<Self> {
        Self::new(config, now).ok()
    }

    fn arrange(&mut self, parts: &BTreeMap<u32, Part>, bed: Bed) -> bool {
        Self::arrange(self, parts, bed).is_ok()
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
        self.seams.totals
    }

    fn dump_way(&self) -> String {
        let way = match self.way {
            Way::Rest => "resting",
            Way::Passing(_) => "passing",
            Way::Mixing => "mixing",
        };
        let why = Reason::ALL.iter().filter(|reason| self.seams.why[**reason as usize] > 0);
        let why = why.map(|reason| format!(r#""{}":{}"#, reason.name(), self.seams.why[*reason as usize]));
        format!(r#""way":"{way}","mixed_for":{{{}}}"#, why.collect::<Vec<_>>().join(","))
    }

    fn dump(&self) -> Vec<String> {
        let object = |speaker: SpeakerReport| {
            let SpeakerReport { member, level, speaking, target_ms, .. } = speaker;
            format!(r#"{{"member":{member},"level":{level},"speaking":{speaking},"jitter_target_ms":{target_ms}}}"#)
        };
        self.speakers().map(object).collect()
    }
}
