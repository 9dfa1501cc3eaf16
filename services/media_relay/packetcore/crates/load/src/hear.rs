//! One listener for tests: comes in, hears for a while, and says what was heard, as a file and in numbers.

use crate::count::{Delays, Totals};
use crate::ear::{Ear, Heard};
use crate::peer::{Peer, Sink, State};
use crate::receive::{Receiver, ntp_difference_ms};
use crate::report::Spread;
use crate::wire::RtpView;
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

/// Handshakes must be done by then.
const CONNECT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(3);

/// Random loss in front of the ear, from a seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loss {
    /// Share of packets dropped, 0 to 1.
    pub share: f64,
    /// Seed of the choice.
    pub seed: u64,
    /// Frames count only this long after the loss began.
    pub settle: Duration,
}

/// What one listener heard.
#[derive(Debug, Serialize)]
pub struct HearReport {
    /// From joining to connected, ms.
    pub connected_ms: f64,
    /// From joining to the first packet, ms.
    pub first_packet_ms: Option<f64>,
    /// Packets that reached the ear.
    pub packets: Totals,
    /// Packets the given loss dropped.
    pub dropped: u64,
    /// Arrival minus capture time.
    pub forward_delay: Spread,
    /// The sound.
    pub heard: Heard,
    /// Concealed share of the frames.
    pub concealed_share: f64,
    /// Why the session ended before its time, if it did.
    pub ended: Option<String>,
}

struct Listening {
    ear: Ear,
    delays: Delays,
    loss: Loss,
    state: u64,
    dropped: u64,
}

impl Sink for Listening {
    fn arrived(&mut self, packet: &RtpView<'_>, arrival: u64, capture_id: u8) -> bool {
        if self.loss.share > 0.0 && self.next_share() < self.loss.share {
            self.dropped += 1;
            return false;
        }
        if let Some(captured) = packet.capture_ntp(capture_id) {
            self.delays.note(ntp_difference_ms(arrival, captured));
        }
        true
    }

    fn decrypted(&mut self, packet: RtpPacket) {
        self.ear.hear(&packet);
    }
}

impl Listening {
    /// SplitMix64.
    fn next_share(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Hears for `seconds` after the connection stands; `out` gets the sound.
pub fn hear(mut peer: Peer, red: Option<u8>, loss: Loss, length: Duration, out: Option<&Path>) -> Result<HearReport> {
    let mut receiver = Receiver::default();
    let mut listening =
        Listening { ear: Ear::new(red)?, delays: Delays::default(), loss, state: loss.seed, dropped: 0 };
    let mut until = None;
    let mut counting = loss.settle.is_zero();
    while until.is_none_or(|until| Instant::now() < until) {
        peer.pump(Instant::now(), &mut receiver, &mut listening);
        match &peer.state {
            State::Ended(reason) if until.is_none() => bail!("the session ended: {reason}"),
            // Whoever is sent away hears silence; the recording says for how long.
            State::Ended(_) => {}
            State::Connecting if peer.offered.elapsed() > CONNECT => bail!("no connection within 15 s"),
            State::Connecting => {}
            State::Connected => {
                let since = peer.connected.get_or_insert_with(Instant::now).to_owned();
                until = Some(since + length);
                if !counting && since.elapsed() >= loss.settle {
                    counting = true;
                    listening.ear.begin_counting();
                }
            }
        }
        std::thread::sleep(pause(&peer));
    }
    let heard = listening.ear.finish();
    listening.ear.fall_silent_until(peer.heard.map_or(length, |first| first.elapsed()));
    if let Some(path) = out {
        listening.ear.write(path)?;
    }
    let since = |at: Instant| at.saturating_duration_since(peer.offered).as_secs_f64() * 1000.0;
    Ok(HearReport {
        connected_ms: peer.connected.map_or(0.0, since),
        first_packet_ms: peer.heard.map(since),
        packets: peer.count.totals,
        dropped: listening.dropped,
        forward_delay: Spread::from(&listening.delays),
        concealed_share: heard.concealed as f64 / heard.frames.max(1) as f64,
        heard,
        ended: match peer.state {
            State::Ended(reason) => Some(reason),
            _ => None,
        },
    })
}

fn pause(peer: &Peer) -> Duration {
    let wake = if matches!(peer.state, State::Ended(_)) {
        POLL
    } else {
        peer.wake().saturating_duration_since(Instant::now())
    };
    wake.min(POLL)
}
