//! Whom a home channel mixes, and as what.

use majlis_core::Micros;
use majlis_core::stage::FLOOR;
use std::collections::{BTreeMap, BTreeSet};

/// What a member is in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Heard in full.
    #[default]
    Voice,
    /// Not heard, but followed: may become a voice from one sample to the next.
    Ready,
    /// Heard under the voices.
    Under,
}

/// Whom a home channel mixes, and nobody else; nobody at first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MixPlan {
    /// In which booth voices speak, and those who are ready: what they say elsewhere is not for this channel.
    pub booth: u32,
    /// Heard in full.
    pub voices: BTreeSet<u32>,
    /// Ready to be heard.
    pub ready: BTreeSet<u32>,
    /// Members on the floor who are heard under the voices.
    pub under: BTreeSet<u32>,
    /// Those of them whose language its listeners understand: while one of these holds the floor they are heard in full,
    /// and the voices are not.
    pub clear: BTreeSet<u32>,
    /// How much louder than as they are, dB; none: not at all.
    pub under_db: Option<i32>,
    /// How long no voice must be open on the stage until the floor is heard in full; none: it never is. A voice that is
    /// muted says nothing: to listeners it is as if it were not there.
    pub alone_after: Option<Micros>,
}

impl MixPlan {
    /// These members of the floor, in full.
    pub fn of(voices: impl IntoIterator<Item = u32>) -> Self {
        Self { voices: voices.into_iter().collect(), ..Self::default() }
    }

    /// What a member is here.
    pub fn part(&self, member: u32) -> Option<Part> {
        if self.voices.contains(&member) {
            Some(Part::Voice)
        } else if self.ready.contains(&member) {
            Some(Part::Ready)
        } else {
            self.under.contains(&member).then_some(Part::Under)
        }
    }

    /// Whether what a member says in a booth belongs here. Whatever else is wrong, no other packet goes into the mixer.
    pub fn takes(&self, member: u32, booth: u32) -> bool {
        match self.part(member) {
            Some(Part::Voice | Part::Ready) => booth == self.booth,
            Some(Part::Under) => booth == FLOOR,
            None => false,
        }
    }

    /// Those of it who are on the stage.
    pub fn of_stage(&self, all: &BTreeSet<u32>) -> BTreeMap<u32, Part> {
        all.iter().filter_map(|member| Some((*member, self.part(*member)?))).collect()
    }
}

/// Who is on a stage.
#[derive(Debug, Default)]
pub struct Members {
    /// All of them.
    pub all: BTreeSet<u32>,
    /// Those of them who are muted.
    pub muted: BTreeSet<u32>,
    /// Who holds the floor.
    pub holder: Option<u32>,
}

/// The floor under a channel's voices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bed {
    /// How loud it is under a voice, dB; none: not heard.
    pub under_db: Option<i32>,
    /// From when on it is heard in full; none: it never is.
    pub whole_from: Option<Micros>,
    /// It is heard in full now, and no voice.
    pub clear: bool,
}
