//! What a home channel needs of its mixer: crate `mix` has the one that mixes, tests have one that counts.

use crate::ProgrammeFrame;
use crate::plan::{Bed, Part};
use majlis_core::Micros;
use std::collections::BTreeMap;

/// Bit rate of a thrifty programme, bit/s: speech in wide band.
pub const THRIFT_BITRATE: u32 = 11_200;

/// Default bit rate of a programme, bit/s.
pub const DEFAULT_BITRATE: u32 = 32_000;

/// How hard an encoder works unless it is told: at 7 and above libopus analyses the signal and chooses speech or music
/// coding by itself.
pub const DEFAULT_COMPLEXITY: u8 = 10;

/// What the mixer needs of a received RTP packet, after authentication.
#[derive(Debug, Clone, Copy)]
pub struct RtpIn<'a> {
    /// The sender's synchronisation source; a change is a restart.
    pub ssrc: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 48 kHz.
    pub timestamp: u32,
    /// The level that the sender states (RFC 6464), -dBov 0..=127; none when it states none.
    pub level: Option<u8>,
    /// The Opus packet, any legal duration.
    pub payload: &'a [u8],
}

/// What differs between mixers; randomness stays outside.
#[derive(Debug, Clone, Copy)]
pub struct MixerConfig {
    /// Names this instance; a random number.
    pub stream: u32,
    /// Sequence of the first frame.
    pub first_sequence: u32,
    /// Timestamp of the first tick.
    pub first_timestamp: u32,
    /// Bit rate, bit/s.
    pub bits_per_second: u32,
    /// How hard the encoder works, 0 to 10.
    pub complexity: u8,
    /// Frames of 60 ms at few bits, and nobody's packets as they are.
    pub thrift: bool,
}

/// What a mixer did since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MixTotals {
    /// Frames that are a speaker's own packet.
    pub passed: u64,
    /// Times that passing took over from mixing or silence.
    pub to_passing: u64,
    /// Times that mixing took over from passing, or a talk began mixed.
    pub to_mixing: u64,
}

/// Speakers' packets in, one frame each 20 ms out, or each 60 ms of a thrifty programme.
pub trait Mixing: Sized {
    /// A mixer whose first tick is at `now`; none without memory.
    fn begin(config: MixerConfig, now: Micros) -> Option<Self>;
    /// Who is mixed from the next frame on, all at once, and nobody else; false when memory did not suffice for all.
    fn arrange(&mut self, parts: &BTreeMap<u32, Part>, bed: Bed) -> bool;
    /// Mutes or unmutes a member.
    fn set_muted(&mut self, member: u32, muted: bool);
    /// The encoder's target from the next frame on; one that it refuses leaves the old.
    fn set_bitrate(&mut self, bits_per_second: u32);
    /// How hard the encoder works from the next frame on, 0 to 10.
    fn set_effort(&mut self, complexity: u8);
    /// What it did so far.
    fn totals(&self) -> MixTotals;
    /// Takes a member's packet that arrived at `now`.
    fn handle_rtp(&mut self, member: u32, packet: RtpIn<'_>, now: Micros);
    /// When [`Mixing::poll_frame`] wants to be called next.
    fn next_poll(&self) -> Micros;
    /// The next frame that is due; `now_ntp` is the wall clock at `now`. Silence gives none.
    fn poll_frame(&mut self, now: Micros, now_ntp: u64) -> Option<ProgrammeFrame>;
    /// A JSON object for each member.
    fn dump(&self) -> Vec<String>;
    /// Members of a JSON object: how frames are made now, and why seams came.
    fn dump_way(&self) -> String;
}
