//! Where somebody on stage speaks, and which others that lets them hear.

/// The booth of those who speak on the floor.
pub const FLOOR: u32 = 0;

/// One session's place on a stage. Whoever uses stages numbers their booths; [`FLOOR`] is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Where it speaks; the same for as long as the session lasts.
    pub booth: u32,
    /// What an interpreter works from: the floor, or another booth. Who speaks on the floor hears the floor.
    pub hears: u32,
    /// Whether it is the one whom those hear who work from its booth.
    pub leads: bool,
}

impl Place {
    /// Whether one in this place hears one who speaks in that: nothing else decides it, and the floor never hears a
    /// booth.
    pub fn hears(&self, speaker: &Self) -> bool {
        match (self.booth, speaker.booth) {
            (FLOOR, booth) => booth == FLOOR,
            (_, FLOOR) => self.hears == FLOOR,
            (own, booth) => own == booth || self.hears == booth && speaker.leads,
        }
    }
}
