//! Where somebody on stage speaks, and which others that lets them hear.

/// The booth of those who speak on the floor.
pub const FLOOR: u32 = 0;

/// One session's place on a stage. Whoever uses stages numbers their booths; [`FLOOR`] is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Where it speaks; the same for as long as the session lasts.
    pub booth: u32,
    /// What an interpreter works from: the floor, or another booth. Who speaks on the floor hears the floor, and with it
    /// this booth while somebody speaks whom they do not understand; [`FLOOR`] where none helps them.
    pub hears: u32,
    /// Whether it is the one whom those hear who work from its booth.
    pub leads: bool,
}

impl Place {
    /// Whether one in this place hears one who speaks in that: nothing else decides it. Of a booth the floor hears only
    /// who leads it, and only who needs help while whoever has the floor speaks.
    pub fn hears(&self, speaker: &Self, needs_help: bool) -> bool {
        match (self.booth, speaker.booth) {
            (FLOOR, FLOOR) => true,
            (FLOOR, booth) => needs_help && self.hears == booth && speaker.leads,
            (_, FLOOR) => self.hears == FLOOR,
            (own, booth) => own == booth || self.hears == booth && speaker.leads,
        }
    }
}
