//! Opening: authenticate first, then believe; replays are dropped.

use super::cipher::Cipher;
use super::kdf::{self, Use};
use super::{Profile, SrtpError};
use crate::replay::ReplayWindow;
use crate::rtp;

/// Most SSRCs a session may use over its life: a client has one, and a few more after restarts of its sender.
const MAX_SSRCS: usize = 16;

/// The receiving keys of one session with the state of each SSRC seen under them.
pub struct OpenKey {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_streams: Vec<(u32, ReplayWindow)>,
    rtcp_streams: Vec<(u32, ReplayWindow)>,
}

impl OpenKey {
    /// Keys from the exported key followed by its salt.
    pub fn new(profile: Profile, master: &[u8]) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::new(profile, &kdf::derive(profile, master, Use::Rtp)?)?,
            rtcp: Cipher::new(profile, &kdf::derive(profile, master, Use::Rtcp)?)?,
            rtp_streams: Vec::new(),
            rtcp_streams: Vec::new(),
        })
    }

    /// Opens an RTP packet in place; returns its length without the tag, and its 48-bit index.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<(usize, u64), SrtpError> {
        let header = rtp::header_len(packet).ok_or(SrtpError::Malformed)?;
        let (sequence, ssrc) = rtp::sequence_and_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let known = position(&self.rtp_streams, ssrc)?;
        let highest = known.and_then(|at| self.rtp_streams[at].1.highest());
        let index = estimate_index(highest, sequence);
        if known.is_some_and(|at| !self.rtp_streams[at].1.is_new(index)) {
            return Err(SrtpError::Replay);
        }
        let len = self.rtp.open_rtp(packet, header, ssrc, index)?;
        remember(&mut self.rtp_streams, known, ssrc, index);
        Ok((len, index))
    }

    /// Opens a compound RTCP packet in place; returns its length without index and tag.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        if packet.len() < 8 {
            return Err(SrtpError::Malformed);
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let word = self.rtcp.rtcp_word(packet).ok_or(SrtpError::Malformed)?;
        let index = u64::from(word & 0x7fff_ffff);
        let known = position(&self.rtcp_streams, ssrc)?;
        if known.is_some_and(|at| !self.rtcp_streams[at].1.is_new(index)) {
            return Err(SrtpError::Replay);
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        remember(&mut self.rtcp_streams, known, ssrc, index);
        Ok(len)
    }
}

fn position(streams: &[(u32, ReplayWindow)], ssrc: u32) -> Result<Option<usize>, SrtpError> {
    let known = streams.iter().position(|(known, _)| *known == ssrc);
    if known.is_none() && streams.len() >= MAX_SSRCS {
        return Err(SrtpError::TooManySsrcs);
    }
    Ok(known)
}

/// Only after authentication: a forged packet must not make state.
fn remember(streams: &mut Vec<(u32, ReplayWindow)>, known: Option<usize>, ssrc: u32, index: u64) {
    let at = known.unwrap_or_else(|| {
        streams.push((ssrc, ReplayWindow::default()));
        streams.len() - 1
    });
    streams[at].1.accept(index);
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
