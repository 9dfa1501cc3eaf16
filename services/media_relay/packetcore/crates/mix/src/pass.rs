//! Whether the packets of a lone speaker may be the programme as they are: a pure decision with its reasons.

use crate::recent::Unfit;

/// Losses in five seconds (of 250 frames) up to which a speaker is passed: one in a hundred.
const MOST_LOSSES: u32 = 2;
/// Gain that the leveller may want of a speaker who begins to be passed, dB, and of one who is.
const LEVEL_ENTER: f32 = 6.0;
const LEVEL_STAY: f32 = 8.0;
/// Quarters of the channel's bit rate up to which a speaker begins to be passed, and goes on: between words the rate of
/// speech falls, and shall not bring back who has to leave with the next one.
const BITS_ENTER: u64 = 5;
const BITS_STAY: u64 = 6;
/// A frame louder than this is never passed, dBov: nothing protects the listeners' ears meanwhile.
const TOO_LOUD: f32 = -6.0;
/// Lateness within which a passed speaker may drift, samples: what the mixer allows before it cuts or stretches.
pub const TOO_EARLY: i64 = -240;
/// The other end (25 ms: one tick, and room not to hunt).
pub const TOO_LATE: i64 = 1200;

/// Why a talk is mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Others speak too.
    Others,
    /// A packet was not there at its time.
    Missing,
    /// Too many were missing lately.
    Loss,
    /// Packets that cannot be sent as they are.
    Coding,
    /// CELT, which listeners' decoders are led into first.
    LeadIn,
    /// More bits than the channel has.
    BitRate,
    /// Too loud or too quiet beside others.
    Level,
    /// The sender's clock left ours.
    Drift,
    /// His sound was cut off: muted, or begun anew by another stream.
    Cut,
    /// He was taken away.
    Removed,
    /// Heard under others, or on the way there.
    Under,
    /// He gives way to another.
    HandOver,
    /// The programme itself begins or ends here, and fades.
    Fade,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Others,
        Self::Missing,
        Self::Loss,
        Self::Coding,
        Self::LeadIn,
        Self::BitRate,
        Self::Level,
        Self::Drift,
        Self::Cut,
        Self::Removed,
        Self::Under,
        Self::HandOver,
        Self::Fade,
    ];

    /// As the dump says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Others => "others",
            Self::Missing => "missing",
            Self::Loss => "loss",
            Self::Coding => "coding",
            Self::LeadIn => "lead_in",
            Self::BitRate => "bit_rate",
            Self::Level => "level",
            Self::Drift => "drift",
            Self::Cut => "cut",
            Self::Removed => "removed",
            Self::Under => "under",
            Self::HandOver => "hand_over",
            Self::Fade => "fade",
        }
    }
}

/// What is to be known of a lone speaker.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// He is passed already.
    pub passed: bool,
    /// He is silent by his own coder's word (DTX), so that no packet is missing.
    pub resting: bool,
    /// His next 20 ms: their level (dBov), or why they cannot be sent.
    pub unit: Result<f32, Unfit>,
    /// Ticks with loss in the last five seconds.
    pub losses: u32,
    /// Mean bit rate of the last second.
    pub bit_rate: Option<u32>,
    /// The channel's.
    pub channel_bit_rate: u32,
    /// Gain that the leveller wants, dB.
    pub wanted_db: Option<f32>,
    /// How late he plays, samples.
    pub late: i64,
}

/// Whether the next 20 ms may be passed.
pub fn judge(signs: &Signs) -> Result<(), Reason> {
    match signs.unit {
        Err(Unfit::Missing) if signs.resting => return Ok(()),
        Err(Unfit::Missing) => return Err(Reason::Missing),
        Err(Unfit::Coding) => return Err(Reason::Coding),
        Err(Unfit::Phase) => return Err(Reason::Drift),
        Ok(level) if level > TOO_LOUD => return Err(Reason::Level),
        Ok(_) => {}
    }
    if signs.losses > MOST_LOSSES {
        return Err(Reason::Loss);
    }
    let quarters = if signs.passed { BITS_STAY } else { BITS_ENTER };
    if signs.bit_rate.is_some_and(|rate| u64::from(rate) * 4 > u64::from(signs.channel_bit_rate) * quarters) {
        return Err(Reason::BitRate);
    }
    let within = if signs.passed { LEVEL_STAY } else { LEVEL_ENTER };
    if signs.wanted_db.is_some_and(|wanted| wanted.abs() > within) {
        return Err(Reason::Level);
    }
    if !(TOO_EARLY..=TOO_LATE).contains(&signs.late) {
        return Err(Reason::Drift);
    }
    Ok(())
}
