//! What a home channel has of its own: whom it mixes, and the mixer while anybody listens.

use crate::mixing::{DEFAULT_BITRATE, DEFAULT_COMPLEXITY, MixTotals, MixerConfig, Mixing};
use crate::plan::{Bed, Members, MixPlan, Part};
use majlis_core::{Micros, StageId};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Home<M> {
    pub stage: StageId,
    /// Whom it mixes when they are on the stage.
    pub plan: MixPlan,
    /// Since when no voice has been on the stage, or all were muted.
    voiceless_since: Option<Micros>,
    /// None while nobody listens.
    pub mixer: Option<M>,
    mixed: BTreeMap<u32, Part>,
    muted: BTreeSet<u32>,
    pub bitrate: u32,
    pub complexity: u8,
    pub thrift: bool,
    /// What the mixers before this one did.
    ended: MixTotals,
    seed: u32,
    instances: u32,
    /// The mixer is there if it is wanted, and has everyone it should have.
    pub settled: bool,
}

impl<M: Mixing> Home<M> {
    pub fn new(stage: StageId, seed: u32) -> Self {
        Self {
            stage,
            plan: MixPlan::default(),
            voiceless_since: None,
            mixer: None,
            mixed: BTreeMap::new(),
            muted: BTreeSet::new(),
            bitrate: DEFAULT_BITRATE,
            complexity: DEFAULT_COMPLEXITY,
            thrift: false,
            ended: MixTotals::default(),
            seed,
            instances: 0,
            settled: true,
        }
    }

    pub fn start(&mut self, now: Micros) {
        // An odd step visits all 32-bit numbers before it repeats one.
        let stream = self.seed.wrapping_add(self.instances.wrapping_mul(0x9e37_79b9));
        self.instances += 1;
        let config = MixerConfig {
            stream,
            first_sequence: stream,
            first_timestamp: stream.rotate_left(16),
            bits_per_second: self.bitrate,
            complexity: self.complexity,
            thrift: self.thrift,
        };
        self.mixer = M::begin(config, now);
        self.settled = self.mixer.is_some();
    }

    pub fn stop(&mut self) {
        self.ended = self.totals();
        self.mixer = None;
        self.mixed.clear();
        self.muted.clear();
        self.settled = true;
    }

    pub fn totals(&self) -> MixTotals {
        let now = self.mixer.as_ref().map(Mixing::totals).unwrap_or_default();
        MixTotals {
            passed: self.ended.passed + now.passed,
            to_passing: self.ended.to_passing + now.to_passing,
            to_mixing: self.ended.to_mixing + now.to_mixing,
        }
    }

    pub fn reconcile(&mut self, there: &Members, now: Micros) {
        let Members { all, muted, holder } = there;
        let wanted = self.plan.of_stage(all);
        let voiced = wanted.iter().any(|(member, part)| *part == Part::Voice && !muted.contains(member));
        self.voiceless_since = if voiced { None } else { Some(self.voiceless_since.unwrap_or(now)) };
        let Some(mixer) = &mut self.mixer else { return };
        let whole_from = self.voiceless_since.zip(self.plan.alone_after).map(|(since, after)| since + after);
        let clear = holder.is_some_and(|holder| self.plan.clear.contains(&holder));
        self.settled = mixer.arrange(&wanted, Bed { under_db: self.plan.under_db, whole_from, clear });
        for (member, part) in &wanted {
            let is_muted = muted.contains(member);
            if is_muted != self.muted.contains(member) || self.mixed.get(member) != Some(part) {
                mixer.set_muted(*member, is_muted);
            }
        }
        self.muted = muted.clone();
        self.mixed = wanted;
    }

    pub fn dump(&self) -> String {
        let speakers: Vec<String> = self.mixer.iter().flat_map(Mixing::dump).collect();
        let (stage, running, bitrate) = (self.stage.0, self.mixer.is_some(), self.bitrate);
        let way = self.mixer.as_ref().map(|mixer| mixer.dump_way() + ",").unwrap_or_default();
        let MixTotals { passed, to_passing, to_mixing } = self.totals();
        let totals = format!(r#""passed":{passed},"to_passing":{to_passing},"to_mixing":{to_mixing}"#);
        let speakers = speakers.join(",");
        format!(r#""stage":{stage},"mixing":{running},"bitrate":{bitrate},{totals},{way}"speakers":[{speakers}]"#)
    }
}
