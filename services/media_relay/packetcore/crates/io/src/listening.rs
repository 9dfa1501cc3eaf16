//! The stages of a programme thread where somebody asks how well people can be heard.

use majlis_core::endpoint::StageFact;
use majlis_core::{Micros, StageId};
use majlis_mix::{InputReading, Inputs};
use majlis_programme::RtpIn;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is measured on each stage that somebody asks about; where nobody does, a packet costs one look here.
#[derive(Default)]
pub struct Listening {
    stages: BTreeMap<StageId, Inputs>,
}

impl Listening {
    /// Takes a microphone packet. One that makes a meter fail is the last of that stage until it is asked again: sound
    /// goes on.
    pub fn hear(&mut self, stage: StageId, from: (u32, u32), packet: RtpIn<'_>, arrival: Micros) {
        let Some(inputs) = self.stages.get_mut(&stage) else { return };
        if catch_unwind(AssertUnwindSafe(|| inputs.hear(from, packet, arrival))).is_err() {
            self.stages.remove(&stage);
        }
    }

    /// Takes what happened on a stage.
    pub fn note(&mut self, fact: StageFact) {
        match fact {
            StageFact::Left(stage, member) => self.with(stage, |inputs| inputs.leave(member)),
            StageFact::Joined(stage, member) | StageFact::Muted(stage, member, _) => {
                self.with(stage, |inputs| inputs.pause(member));
            }
            StageFact::Holds(..) | StageFact::Audience(..) => {}
        }
    }

    fn with(&mut self, stage: StageId, work: impl FnOnce(&mut Inputs)) {
        if let Some(inputs) = self.stages.get_mut(&stage) {
            work(inputs);
        }
    }

    /// What is known of a stage; it is measured from now on.
    pub fn read(&mut self, stage: StageId, now: Micros) -> Vec<InputReading> {
        self.stages.entry(stage).or_default().read(now)
    }

    /// Forgets stages about which nobody asks any more.
    pub fn expire(&mut self, now: Micros) {
        self.stages.retain(|_, inputs| !inputs.is_over(now));
    }
}
