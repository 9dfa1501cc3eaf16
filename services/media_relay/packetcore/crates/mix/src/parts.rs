//! Who is what in the mix: voices, those who may become one from one sample to the next, and the floor under them.

use crate::bed::Gain;
use crate::codec::CodecError;
use crate::mixer::Mixer;
use crate::speaker::{Speaker, Swap};
use majlis_programme::{Bed, Part};
use std::collections::BTreeMap;

impl Mixer {
    /// Who is mixed from the next frame on, and nobody else. Who gives way is silent before whoever follows is heard,
    /// both within the first samples of the same frame.
    pub fn arrange(&mut self, parts: &BTreeMap<u32, Part>, bed: Bed) -> Result<(), CodecError> {
        let gone: Vec<u32> = self.speakers.keys().copied().filter(|member| !parts.contains_key(member)).collect();
        gone.into_iter().for_each(|member| self.remove_member(member));
        let mut outcome = Ok(());
        for (member, part) in parts {
            let before = self.speakers.get(member).map(|speaker| speaker.part);
            // Who goes from the floor into a booth, or back, speaks another stream.
            if before.is_some_and(|before| (before == Part::Under) != (*part == Part::Under)) {
                self.remove_member(*member);
            }
            outcome = outcome.and(self.add_member(*member));
            if let Some(speaker) = self.speakers.get_mut(member) {
                if before.is_none_or(|before| (before == Part::Under) != (*part == Part::Under)) {
                    speaker.part = *part;
                }
                speaker.become_part(*part);
            }
        }
        if self.speakers.values().any(|speaker| speaker.swap == Swap::Coming) {
            // Who followed is heard with the next frame: whoever went meanwhile gives way as if they had been asked to.
            let voices = self.leaving.iter_mut().filter(|(_, speaker)| speaker.part == Part::Voice);
            voices.for_each(|(_, speaker)| speaker.swap = Swap::Going);
        }
        self.balance.asked = bed;
        if self.ticks == 0 {
            self.balance.settle(self.is_voiced(), self.next_poll());
        }
        outcome
    }

    /// Whether anybody is there to be heard above the floor.
    pub(crate) fn is_voiced(&self) -> bool {
        self.speakers.values().any(|speaker| speaker.part == Part::Voice)
    }

    /// Whether a listener can hear that speaker now.
    pub(crate) fn is_audible(&self, speaker: &Speaker) -> bool {
        !speaker.muted && self.balance.is_open(speaker.part)
    }

    /// Those whom listeners hear speak now, or spoke a moment ago.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (u32, &Speaker)> {
        let heard = |(_, speaker): &(&u32, &Speaker)| speaker.level.speaking() && self.is_audible(speaker);
        self.speakers.iter().filter(heard).map(|(member, speaker)| (*member, speaker))
    }

    /// Whether a member is heard as they are, so that their packets may be.
    pub(crate) fn is_whole(&self, member: u32) -> bool {
        let gain = self.speakers.get(&member).and_then(|speaker| self.balance.of(speaker.part));
        gain.is_some_and(Gain::is_whole)
    }

    /// Whether somebody gives way in this frame.
    pub(crate) fn is_handing_over(&self) -> bool {
        let mut leaving = self.leaving.iter().map(|(_, speaker)| speaker);
        self.speakers.values().chain(&mut leaving).any(|speaker| speaker.swap == Swap::Going)
    }
}
