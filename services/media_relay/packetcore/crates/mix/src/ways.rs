//! The two ways of making a frame: a lone speaker's packet as it came, or the mix; and the seams between them.

use crate::codec::{Coding, FRAME, LAG};
use crate::level::{Aim, SILENCE_DBOV, SpeakerLevel, dbov};
use crate::mixer::{Mixer, slope};
use crate::pass::{Reason, judge};
use crate::recent::Unfit;
use crate::speaker::{Speaker, Swap};
use majlis_programme::{Csrcs, MixTotals, Part, Payload};

/// Frames of a passed speaker's past that limiter and encoder are given before mixing takes over.
const HISTORY: usize = 3;
/// Gain of a lone speaker from which nobody hears that it ends, dB.
const UNITY: f32 = 1.0;
/// Frames in a row that must not be loud before passing takes over.
const CALM: u32 = 2;
/// Frames that a lone speaker must have been encoded in his own kind of coding before he is passed in mid-word.
const FOLLOWED: u32 = 3;
/// Samples over which one falls silent who gives way, and then those over which another rises (5 ms).
const SWAP: usize = 240;
/// Ticks after which a programme that was silent so far needs no rise.
const QUIET_BEGINNING: u64 = 10;

/// How frames are made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// None are.
    Rest,
    /// They are this member's packets.
    Passing(u32),
    /// They are mixed.
    Mixing,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seams {
    /// Frames passed, seams either way.
    pub totals: MixTotals,
    /// Why mixing took over.
    pub why: [u64; Reason::ALL.len()],
}

impl Mixer {
    /// Those who are not decoded move on.
    pub(crate) fn listen(&mut self, now: i64) {
        let mixing = self.way == Way::Mixing;
        for speaker in self.speakers.values_mut() {
            speaker.tick();
            if !speaker.is_hot() {
                let level = speaker.listen(now, mixing);
                speaker.level.hear(level, Aim::Hold);
            }
        }
        for (_, speaker) in &mut self.leaving {
            speaker.tick();
        }
    }

    /// Who speaks, loudest first.
    pub(crate) fn speaking(&self) -> Csrcs {
        let loudness = |speaker: &Speaker| speaker.level.heard_dbov() + self.balance.db(speaker.part);
        let mut list: Vec<(f32, u32)> = self.heard().map(|(member, speaker)| (loudness(speaker), member)).collect();
        list.sort_by(|one, other| other.0.total_cmp(&one.0));
        Csrcs::from_loudest(list.into_iter().map(|(_, member)| member))
    }

    /// Who alone speaks. Whoever else said something a moment ago has ended, or is between two words.
    fn holds_the_floor(&self) -> Option<u32> {
        let mut heard: Vec<(u32, &SpeakerLevel)> = self.heard().map(|(member, each)| (member, &each.level)).collect();
        heard.sort_by_key(|(_, level)| level.calm_frames());
        let (member, _) = heard.first()?;
        heard[1..].iter().all(|(_, level)| !level.is_active()).then_some(*member)
    }

    /// The payload and level of a frame that is passed, or why none is.
    pub(crate) fn pass(&mut self, now: i64, csrcs: &Csrcs) -> Result<(Payload, f32), Reason> {
        let member = match (self.holds_the_floor(), self.way) {
            (Some(one), _) => one,
            (None, Way::Passing(member)) if csrcs.as_slice().is_empty() => member,
            _ => return Err(Reason::Others),
        };
        if self.is_handing_over() {
            return Err(Reason::HandOver);
        }
        if self.speakers.contains_key(&member) && !self.is_whole(member) {
            return Err(Reason::Under);
        }
        let rested = self.way == Way::Rest && self.ticks >= QUIET_BEGINNING;
        if self.finishing || self.fade > 0 && !rested {
            return Err(Reason::Fade);
        }
        if let Way::Passing(before) = self.way
            && before != member
            && self.leaving.iter().any(|(left, _)| *left == before)
        {
            return Err(Reason::Removed);
        }
        let speaker = self.speakers.get(&member).ok_or(Reason::Removed)?;
        if self.speakers.values().any(Speaker::is_cut) {
            return Err(Reason::Cut);
        }
        judge(&speaker.signs(now, self.config.bits_per_second))?;
        if self.way != Way::Passing(member) && speaker.coding() == Some(Coding::Transform) {
            return Err(Reason::LeadIn);
        }
        self.fade = 0;
        self.begin_passing(member);
        let unit = self.speakers.get(&member).and_then(|speaker| speaker.unit().ok());
        self.seams.totals.passed += 1;
        match unit {
            Some(unit) => Ok((unit.payload, unit.dbov)),
            // Nothing is missing: he is silent by his coder's word, and the listeners' decoders are told so.
            None => Payload::new(&[self.toc & 0xfc]).map(|payload| (payload, SILENCE_DBOV)).map_err(|_| Reason::Coding),
        }
    }

    fn begin_passing(&mut self, member: u32) {
        if self.way == Way::Passing(member) {
            return;
        }
        self.way = Way::Passing(member);
        self.seams.totals.to_passing += 1;
        self.leaving.clear();
        for (other, speaker) in &mut self.speakers {
            if *other == member { speaker.pass() } else { speaker.cool() }
        }
    }

    /// Mixing takes over at this very tick: everything is as if it had mixed all the time.
    pub(crate) fn begin_mixing(&mut self, now: i64, reason: Reason) {
        let before = std::mem::replace(&mut self.way, Way::Mixing);
        self.seams.totals.to_mixing += 1;
        self.seams.why[reason as usize] += 1;
        self.desk.begin();
        // Whom the encoder followed before is forgotten: the listeners' decoders have heard others since.
        self.alone = None;
        self.followed = 0;
        let passed = match before {
            Way::Passing(member) => Some(member),
            _ => None,
        };
        let frames = match passed {
            Some(_) => HISTORY,
            None if self.fade > 0 => 0,
            None => 1,
        };
        let mut past = vec![[0.0f32; FRAME]; frames];
        let balance = self.balance;
        for (member, speaker) in &mut self.speakers {
            let heard = passed == Some(*member);
            if heard || speaker.is_to_be_heard(&balance) {
                turn(speaker, now, heard, balance.of(speaker.part).map_or(1.0, |gain| gain.slope().0), &mut past);
            }
        }
        for (member, speaker) in &mut self.leaving {
            if passed == Some(*member) && !speaker.is_hot() {
                turn(speaker, now, true, 1.0, &mut past);
            }
        }
        past.into_iter().for_each(|frame| self.desk.prime(frame));
    }

    /// While mixing: a lone speaker is made ready to be passed, and is passed where nobody hears that it happens.
    pub(crate) fn try_passing(&mut self, now: i64) {
        let before = self.alone.take();
        let member = self.holds_the_floor().filter(|member| self.is_whole(*member) && !self.is_handing_over());
        let speaker = member.and_then(|member| self.speakers.get_mut(&member)).filter(|speaker| speaker.is_hot());
        let (Some(member), Some(speaker)) = (member, speaker) else { return self.desk.follow(None) };
        let mut signs = speaker.signs(now, self.config.bits_per_second);
        let out_of_phase = signs.unit == Err(Unfit::Phase);
        if out_of_phase || signs.unit == Err(Unfit::Missing) {
            signs.unit = Ok(SILENCE_DBOV);
        }
        if self.finishing || self.fade > 0 || judge(&signs).is_err() {
            return self.desk.follow(None);
        }
        self.alone = Some(member);
        self.followed = if before == self.alone { self.followed + 1 } else { 0 };
        // The listeners' decoders shall be at home in his kind of coding when his packets come.
        self.desk.follow(speaker.coding());
        let in_mid_word = !out_of_phase
            && self.followed >= FOLLOWED
            && speaker.level.is_unity()
            && speaker.is_steady()
            && speaker.unit().is_ok();
        let unheard = speaker.level.gain_db().abs() < UNITY;
        let calm = speaker.level.calm_frames();
        let between_words = unheard
            && speaker.is_steady()
            && calm >= CALM
            && speaker.unit().is_ok_and(|unit| !speaker.level.is_loud(unit.dbov));
        let over = unheard && speaker.is_spent();
        // CELT predicts how loud each band is by the frame before: without frames of its kind it begins far too loud.
        let led_in = speaker.coding() != Some(Coding::Transform) || self.followed >= FOLLOWED && !over;
        if out_of_phase && unheard && speaker.is_steady() && calm >= 1 {
            speaker.align(now);
        }
        let mut others = self.speakers.iter().filter(|(other, _)| **other != member);
        let only_one = self.leaving.is_empty() && others.all(|(_, other)| !other.is_hot() || other.is_spent());
        if only_one && led_in && (over || between_words || in_mid_word) {
            self.begin_passing(member);
        }
    }

    /// While mixing: who begins to speak is decoded from here on.
    pub(crate) fn join(&mut self, now: i64) {
        for speaker in self.speakers.values_mut() {
            if !speaker.is_hot() && speaker.is_to_be_heard(&self.balance) {
                speaker.warm(now, 0);
            }
        }
    }

    /// Sums everyone's sound of this tick.
    pub(crate) fn mix(&mut self, now: i64) -> [f32; FRAME] {
        let mut mix = [0.0; FRAME];
        let mut under = [0.0; FRAME];
        let mut sound = [0.0; FRAME];
        for (member, speaker) in &mut self.speakers {
            if speaker.is_hot() {
                let aim = if self.alone == Some(*member) { Aim::Unity } else { Aim::Loudness };
                // Where somebody is alone, others are not even heard breathing.
                let ended = self.alone.is_some_and(|alone| alone != *member);
                let sum = if speaker.part == Part::Under { &mut under } else { &mut mix };
                add(speaker, now, aim, ended, &mut sound, sum);
                if speaker.part != Part::Ready && !self.balance.is_open(speaker.part) {
                    speaker.cool();
                }
            }
        }
        for (_, speaker) in &mut self.leaving {
            let sum = if speaker.part == Part::Under { &mut under } else { &mut mix };
            add(speaker, now, Aim::Loudness, false, &mut sound, sum);
        }
        slope(&mut mix, self.balance.voices.slope());
        slope(&mut under, self.balance.floor.slope());
        mix.iter_mut().zip(&under).for_each(|(sum, sample)| *sum += sample);
        self.leaving.retain(|(_, speaker)| !speaker.is_idle() && speaker.swap != Swap::Going);
        mix
    }

    /// Nothing is made any more.
    pub(crate) fn rest(&mut self) {
        if self.way != Way::Rest {
            self.way = Way::Rest;
            self.alone = None;
            self.leaving.clear();
            self.speakers.values_mut().for_each(Speaker::rest);
        }
    }
}

/// Makes a speaker one who is decoded, and adds to `past` what of him has been heard. Of who was not heard the last
/// samples rise there, so that his first word is whole; one who follows another is not heard there yet.
fn turn(speaker: &mut Speaker, now: i64, heard: bool, gain: f32, past: &mut [[f32; FRAME]]) {
    let history = past.len() * FRAME;
    if speaker.is_cut() || heard && speaker.muted {
        speaker.warm_tail(history);
    } else {
        speaker.warm(now, history);
    }
    let mut sound = [0.0; FRAME];
    let frames = past.len();
    for (index, frame) in past.iter_mut().enumerate() {
        speaker.take_history(&mut sound);
        if heard {
            frame.iter_mut().zip(&sound).for_each(|(sum, sample)| *sum += sample);
        } else if index + 1 == frames && speaker.swap == Swap::None {
            let rise = FRAME - LAG as usize;
            sound.iter_mut().for_each(|sample| *sample *= gain);
            speaker.level.ramp().add(&sound[rise..], &mut frame[rise..]);
        }
    }
}

/// Adds one speaker's tick to the mix at his gain.
fn add(speaker: &mut Speaker, now: i64, aim: Aim, ended: bool, sound: &mut [f32; FRAME], mix: &mut [f32; FRAME]) {
    let heard = speaker.pull(now, sound);
    if !speaker.is_warmed() {
        speaker.level.hear(if heard { dbov(&sound[..]) } else { SILENCE_DBOV }, aim);
    }
    match speaker.swap {
        Swap::Going => {
            let ramp = speaker.level.fade().within(SWAP);
            ramp.add(&sound[..if heard { SWAP } else { 0 }], mix);
            return speaker.cool();
        }
        Swap::Coming => {
            if heard {
                speaker.level.ramp().within(SWAP).add(&sound[SWAP..], &mut mix[SWAP..]);
            }
            return;
        }
        Swap::None => {}
    }
    let over = (speaker.level.is_closed()
        || speaker.is_spent() && !speaker.level.speaking()
        || ended && !speaker.level.is_active())
        && !speaker.muted;
    let ramp = if over { speaker.level.fade() } else { speaker.level.ramp() };
    if heard {
        ramp.add(&sound[..], mix);
    }
    if over {
        speaker.cool();
    }
}
