//! Opening: authenticate first, then believe; replays are dropped.

use super::cipher::Cipher;
use super::kdf::{self, Use};
use super::{Profile, SrtpError};
use crate::replay::ReplayWindow;
use crate::rtp;
use std::collections::VecDeque;

/// SSRCs of a session that are told apart packet by packet: a client has one, and a few more after restarts of its
/// sender. Beyond them the one not heard for longest gives way.
const MAX_SSRCS: usize = 16;
/// SSRCs that gave way of which the highest index is remembered, so that nothing recorded of them opens again.
const MAX_RETIRED: usize = 1024;
/// Below this a first sequence number may have wrapped before its packet arrived (RFC 3711 §3.3.1).
const MAY_HAVE_WRAPPED: u16 = 0x8000;

/// The receiving keys of one session with the state of each SSRC seen under them.
pub struct OpenKey {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_sources: Sources,
    rtcp_sources: Sources,
}

impl OpenKey {
    /// Keys from the exported key followed by its salt.
    pub fn new(profile: Profile, master: &[u8]) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::new(profile, &kdf::derive(profile, master, Use::Rtp)?)?,
            rtcp: Cipher::new(profile, &kdf::derive(profile, master, Use::Rtcp)?)?,
            rtp_sources: Sources::default(),
            rtcp_sources: Sources::default(),
        })
    }

    /// Opens an RTP packet in place; returns its length without the tag, and its 48-bit index.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<(usize, u64), SrtpError> {
        let header = rtp::header_len(packet).ok_or(SrtpError::Malformed)?;
        let (sequence, ssrc) = rtp::sequence_and_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let highest = self.rtp_sources.highest(ssrc);
        let (len, index) = match highest {
            None if sequence < MAY_HAVE_WRAPPED => self.open_first(packet, header, ssrc, sequence)?,
            _ => {
                let index = estimate_index(highest, sequence);
                if !self.rtp_sources.is_new(ssrc, index) {
                    return Err(SrtpError::Replay);
                }
                (self.rtp.open_rtp(packet, header, ssrc, index)?, index)
            }
        };
        self.rtp_sources.accept(ssrc, index);
        Ok((len, index))
    }

    /// The first packet of a source. Those before it may be lost, and the sequence number may have wrapped meanwhile:
    /// the authentication tag tells which index it is. A failed try spoils the packet, hence the copy.
    fn open_first(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        sequence: u16,
    ) -> Result<(usize, u64), SrtpError> {
        let index = u64::from(sequence);
        let wrapped = index + 0x1_0000;
        let mut copy = packet.to_vec();
        if let Ok(len) = self.rtp.open_rtp(&mut copy, header, ssrc, index) {
            packet.copy_from_slice(&copy);
            return Ok((len, index));
        }
        Ok((self.rtp.open_rtp(packet, header, ssrc, wrapped)?, wrapped))
    }

    /// Opens a compound RTCP packet in place; returns its length without index and tag.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        if packet.len() < 8 {
            return Err(SrtpError::Malformed);
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let word = self.rtcp.rtcp_word(packet).ok_or(SrtpError::Malformed)?;
        let index = u64::from(word & 0x7fff_ffff);
        if !self.rtcp_sources.is_new(ssrc, index) {
            return Err(SrtpError::Replay);
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        self.rtcp_sources.accept(ssrc, index);
        Ok(len)
    }
}

/// What is known of each source. State is made by [`Sources::accept`] only, after authentication.
#[derive(Default)]
struct Sources {
    /// The one heard last is last.
    live: Vec<(u32, ReplayWindow)>,
    /// Those that gave way, each with its highest index, the oldest first.
    retired: VecDeque<(u32, u64)>,
}

impl Sources {
    fn highest(&self, ssrc: u32) -> Option<u64> {
        match self.window(ssrc) {
            Some(window) => window.highest(),
            None => self.retired_at(ssrc).map(|at| self.retired[at].1),
        }
    }

    fn is_new(&self, ssrc: u32, index: u64) -> bool {
        match self.window(ssrc) {
            Some(window) => window.is_new(index),
            None => self.retired_at(ssrc).is_none_or(|at| index > self.retired[at].1),
        }
    }

    fn accept(&mut self, ssrc: u32, index: u64) {
        match self.live.iter().position(|(known, _)| *known == ssrc) {
            Some(at) => self.live[at..].rotate_left(1),
            None => self.admit(ssrc),
        }
        if let Some((_, window)) = self.live.last_mut() {
            window.accept(index);
        }
    }

    /// Makes room for a source that is new, or back.
    fn admit(&mut self, ssrc: u32) {
        let back = self.retired_at(ssrc).and_then(|at| self.retired.remove(at));
        if self.live.len() >= MAX_SSRCS {
            let (oldest, window) = self.live.remove(0);
            if self.retired.len() >= MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.extend(window.highest().map(|highest| (oldest, highest)));
        }
        self.live.push((ssrc, back.map_or_else(ReplayWindow::default, |(_, highest)| ReplayWindow::after(highest))));
    }

    fn window(&self, ssrc: u32) -> Option<&ReplayWindow> {
        self.live.iter().rev().find(|(known, _)| *known == ssrc).map(|(_, window)| window)
    }

    fn retired_at(&self, ssrc: u32) -> Option<usize> {
        self.retired.iter().position(|(known, _)| *known == ssrc)
    }
}

/// RFC 3711 §3.3.1 and appendix A: the index with this sequence number that is nearest to the highest seen.
fn estimate_index(highest: Option<u64>, sequence: u16) -> u64 {
    let Some(highest) = highest else { return u64::from(sequence) };
    let step = sequence.wrapping_sub(highest as u16).cast_signed();
    match highest.checked_add_signed(i64::from(step)) {
        Some(index) => index & super::MAX_INDEX,
        None => u64::from(sequence), // before index 0: only a forgery or a replay claims that
    }
}
