//! Who on a stage hears whom: each member hears a few others, by level and with hysteresis, never himself.

mod level;
mod place;
mod turn;

pub use level::{LevelMeter, level_by_size};
pub use place::{FLOOR, Place};
pub use turn::Turn;

use crate::types::{Micros, SECOND, SessionId};
use std::collections::BTreeSet;

/// A slot keeps its speaker at least this long.
const MIN_HOLD: Micros = SECOND / 2;
/// A speaker silent for this long gives way to one who speaks.
const GIVE_WAY_AFTER: Micros = SECOND;
/// A louder speaker takes the slot of a speaking one only by this many dB.
const MARGIN: i32 = 6;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    source: Option<SessionId>,
    since: Micros,
}

#[derive(Debug)]
struct Member {
    session: SessionId,
    number: u32,
    muted: bool,
    place: Place,
    /// Members whose language they understand.
    clear: BTreeSet<u32>,
    meter: LevelMeter,
    slots: Vec<Slot>,
}

impl Member {
    /// Whether they do not understand whoever has the floor.
    fn needs_help(&self, holder: Option<u32>) -> bool {
        holder.is_some_and(|holder| holder != self.number && !self.clear.contains(&holder))
    }
}

/// One member's level as Python reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLevel {
    /// The member number.
    pub member: u32,
    /// -dBov, 0..=127.
    pub level: u8,
    /// Speaking now, short pauses included.
    pub speaking: bool,
}

/// The people on one stage.
#[derive(Debug, Default)]
pub struct Stage {
    members: Vec<Member>,
    turn: Turn,
    /// Whom the floor went to since it was asked last.
    turned: Option<Option<u32>>,
}

impl Stage {
    /// Somebody comes on stage with `slots` streams to hear others by.
    pub fn join(&mut self, session: SessionId, number: u32, slots: usize, place: Place) {
        self.members.push(Member {
            session,
            number,
            muted: false,
            place,
            clear: BTreeSet::new(),
            meter: LevelMeter::default(),
            slots: vec![Slot::default(); slots],
        });
    }

    /// Somebody leaves; the slots they sounded in are free.
    pub fn leave(&mut self, session: SessionId) {
        let Some(at) = self.members.iter().position(|member| member.session == session) else { return };
        let gone = self.members.remove(at);
        let is_there = |member: &Member| member.number == gone.number && member.place.booth == FLOOR;
        if !self.members.iter().any(is_there) && self.turn.leave(gone.number) {
            self.turned = Some(None);
        }
        for slot in self.members.iter_mut().flat_map(|member| &mut member.slots) {
            if slot.source == Some(session) {
                *slot = Slot::default();
            }
        }
    }

    /// What a session hears beside its partners, whether it leads its booth, and whom it needs no interpreter for. It
    /// stays where it speaks.
    pub fn set_hearing(&mut self, session: SessionId, hears: u32, leads: bool, clear: BTreeSet<u32>) {
        let Some(member) = self.members.iter_mut().find(|member| member.session == session) else { return };
        member.place = Place { hears, leads, ..member.place };
        member.clear = clear;
        self.free_slots();
    }

    /// Frees the slots of those who are not heard in them any more.
    fn free_slots(&mut self) {
        let places: Vec<(SessionId, Place)> = self.members.iter().map(|each| (each.session, each.place)).collect();
        let holder = self.turn.holder();
        for member in &mut self.members {
            let needs_help = member.needs_help(holder);
            for slot in &mut member.slots {
                let source = places.iter().find(|(session, _)| slot.source == Some(*session));
                if source.is_some_and(|(_, source)| !member.place.hears(source, needs_help)) {
                    *slot = Slot::default();
                }
            }
        }
    }

    /// Mutes or unmutes; what a muted member sends goes nowhere.
    pub fn set_muted(&mut self, session: SessionId, muted: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.session == session) {
            member.muted = muted;
            member.meter.silence();
        }
    }

    /// Whether any session of a member is on the stage.
    pub fn has_member(&self, number: u32) -> bool {
        self.members.iter().any(|member| member.number == number)
    }

    /// Whether no session of a member may be heard: one that is shut says nothing about another that is open.
    pub fn is_silent(&self, number: u32) -> bool {
        self.members.iter().filter(|member| member.number == number).all(|member| member.muted)
    }

    /// Who holds the floor, if that has changed since it was asked last.
    pub fn take_turn(&mut self) -> Option<Option<u32>> {
        self.turned.take()
    }

    /// Sessions on the stage.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.members.iter().map(|member| member.session)
    }

    /// Everyone's level.
    pub fn levels(&self, now: Micros) -> Vec<MemberLevel> {
        let level = |member: &Member| MemberLevel {
            member: member.number,
            level: member.meter.level(now),
            speaking: member.meter.is_speaking(now),
        };
        self.members.iter().map(level).collect()
    }

    /// A packet of `from` with its level: fills `hearers` with who hears it, and in which slot. Gives the booth it
    /// is spoken in; none when they may not be heard at all.
    pub fn route(
        &mut self,
        from: SessionId,
        level: u8,
        now: Micros,
        hearers: &mut Vec<(SessionId, usize)>,
    ) -> Option<u32> {
        hearers.clear();
        let speaker = self.members.iter().position(|member| member.session == from)?;
        let Member { number, muted, place, .. } = self.members[speaker];
        if muted {
            return None;
        }
        self.members[speaker].meter.hear(level, now);
        if place.booth == FLOOR && self.turn.hear(number, level, now) {
            self.turned = Some(self.turn.holder());
            self.free_slots();
        }
        let holder = self.turn.holder();
        for hearer in 0..self.members.len() {
            // Not himself, nor another session of his.
            let to = &self.members[hearer];
            if to.number == number || !to.place.hears(&place, to.needs_help(holder)) {
                continue;
            }
            if let Some(slot) = self.slot_for(hearer, speaker, now) {
                hearers.push((self.members[hearer].session, slot));
            }
        }
        Some(place.booth)
    }

    fn slot_for(&mut self, hearer: usize, speaker: usize, now: Micros) -> Option<usize> {
        let from = self.members[speaker].session;
        let slots = &self.members[hearer].slots;
        if let Some(slot) = slots.iter().position(|slot| slot.source == Some(from)) {
            return Some(slot);
        }
        let free = slots.iter().position(|slot| slot.source.is_none());
        let slot = free.or_else(|| self.weakest_slot(hearer, speaker, now))?;
        self.members[hearer].slots[slot] = Slot { source: Some(from), since: now };
        Some(slot)
    }

    /// The slot that a speaking newcomer may take: the quietest one whose speaker has gone silent or is clearly less
    /// loud, and has had it for a while.
    fn weakest_slot(&self, hearer: usize, speaker: usize, now: Micros) -> Option<usize> {
        let meter = &self.members[speaker].meter;
        if !meter.is_speaking(now) {
            return None;
        }
        let slots = self.members[hearer].slots.iter().enumerate();
        let (slot, weakest) = slots
            .filter(|(_, slot)| now.saturating_sub(slot.since) >= MIN_HOLD)
            .filter_map(|(at, slot)| Some((at, self.meter_of(slot.source?)?)))
            .min_by_key(|(_, meter)| (meter.is_speaking(now), meter.loudness(now)))?;
        let gives_way = weakest.silent_for(now) >= GIVE_WAY_AFTER;
        (gives_way || meter.loudness(now) >= weakest.loudness(now) + MARGIN).then_some(slot)
    }

    fn meter_of(&self, session: SessionId) -> Option<&LevelMeter> {
        let member = self.members.iter().find(|member| member.session == session)?;
        Some(&member.meter)
    }
}
