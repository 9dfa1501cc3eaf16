//! Where a programme is between silence and speech.

/// Closing frames in a row. One would do, but a listener who loses it hears concealment until the next word.
const CLOSING_FRAMES: u8 = 3;
/// Frames after the last word in which the speakers' gates close and the rest fades out (100 ms).
const ENDING_FRAMES: u8 = 5;

/// The state of a programme's talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Nothing is sent.
    Silent,
    /// Somebody speaks.
    Talking,
    /// Nobody speaks any more; frames left until the gates have closed.
    Ending(u8),
    /// Closing frames left, the present one included.
    Closing(u8),
}

impl Talk {
    /// The next tick; `finishing` programmes begin no talk, and `over` says that one has faded out.
    pub fn next(self, speaking: bool, finishing: bool, over: bool) -> Self {
        match self {
            Self::Silent if finishing || !speaking => Self::Silent,
            Self::Talking | Self::Ending(_) if over => Self::Closing(CLOSING_FRAMES),
            Self::Talking if !speaking => Self::Ending(ENDING_FRAMES),
            Self::Ending(1) if !speaking => Self::Closing(CLOSING_FRAMES),
            Self::Ending(left) if !speaking => Self::Ending(left - 1),
            Self::Closing(1) if over || !speaking => Self::Silent,
            Self::Closing(left) if over || !speaking => Self::Closing(left - 1),
            _ => Self::Talking,
        }
    }

    /// Its last frame with sound.
    pub fn is_last(self) -> bool {
        self == Self::Ending(1)
    }
}
