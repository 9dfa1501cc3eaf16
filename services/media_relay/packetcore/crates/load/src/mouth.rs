//! From mouth to ear: one speaks a chirp each second, others decode on arrival, all in one process and on one clock.

use crate::chirps::{RATE, Timeline};
use crate::count::Delays;
use crate::peer::{Peer, Said, Sink, State};
use crate::receive::{Receiver, ntp_difference_ms, ntp_now, unix_seconds};
use crate::report::Spread;
use crate::sound::{PACKET, Sound};
use crate::wire::RtpView;
use anyhow::{Result, bail};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

/// Handshakes must be done by then.
const CONNECT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(2);
const FRAME: Duration = Duration::from_millis(20);
/// Half a second after the last chirp counts, it must have been heard.
const TAIL: Duration = Duration::from_millis(700);

/// What everyone heard.
#[derive(Debug, Serialize)]
pub struct EarReport {
    /// Chirps that count.
    pub chirps: usize,
    /// From a sample's capture to the same sample leaving the decoder, all listeners together.
    pub ear: Spread,
    /// When the speaker began, s since the Unix epoch.
    pub began_unix_seconds: f64,
    /// Each listener.
    pub listeners: Vec<EarOfOne>,
}

/// What one heard.
#[derive(Debug, Serialize)]
pub struct EarOfOne {
    /// Where the sound came from.
    pub relay: SocketAddr,
    /// From capture to decoder.
    pub ear: Spread,
    /// For each packet of a programme: its capture time and its arrival, ms since the speaker began.
    pub frames: Vec<(f64, f64)>,
}

struct Listening {
    timeline: Timeline,
    arrival: u64,
    frames: Vec<(u64, u64)>,
}

impl Sink for Listening {
    fn arrived(&mut self, packet: &RtpView<'_>, arrival: u64, capture_id: u8) -> bool {
        self.arrival = arrival;
        if let Some(captured) = packet.capture_ntp(capture_id) {
            self.frames.push((captured, arrival));
        }
        true
    }

    fn decrypted(&mut self, packet: RtpPacket) {
        self.timeline.hear(&packet, self.arrival);
    }
}

/// The speaker: packets leave when their last sample has been said.
struct Mouth {
    peer: Peer,
    sound: Sound,
    packets: u64,
    /// When the first sample was said, in both clocks.
    began: Option<(Instant, u64)>,
}

struct Deaf;

impl Sink for Deaf {
    fn arrived(&mut self, _: &RtpView<'_>, _: u64, _: u8) -> bool {
        true
    }

    fn decrypted(&mut self, _: RtpPacket) {}
}

impl Mouth {
    fn turn(&mut self, receiver: &mut Receiver) -> Result<()> {
        let now = Instant::now();
        self.peer.pump(now, receiver, &mut Deaf);
        if !stands(&self.peer)? {
            return Ok(());
        }
        let (began, _) = *self.began.get_or_insert_with(|| (Instant::now(), ntp_now()));
        while began + FRAME * (self.packets as u32 + 1) <= Instant::now() {
            let spoken = self.sound.say()?;
            let said = Said {
                sequence: 1000 + self.packets,
                timestamp: (self.packets as u32).wrapping_mul(PACKET as u32),
                marker: self.packets == 0,
                level: spoken.level,
                payload: &spoken.payload,
            };
            self.peer.say(&said, &mut Deaf);
            self.packets += 1;
        }
        Ok(())
    }

    fn next(&self) -> Instant {
        self.began.map_or_else(|| self.peer.wake(), |(began, _)| began + FRAME * (self.packets as u32 + 1))
    }
}

/// Whether media can flow. Fails when the session has ended or takes too long.
fn stands(peer: &Peer) -> Result<bool> {
    match &peer.state {
        State::Ended(reason) => bail!("the session ended: {reason}"),
        State::Connecting if peer.offered.elapsed() > CONNECT => bail!("no connection within 15 s"),
        State::Connecting => Ok(false),
        State::Connected => Ok(true),
    }
}

/// Speaks for `settle` and then `length`, in which chirps count. Fails when a session ends by itself.
pub fn mouth_to_ear(speaker: Peer, listeners: Vec<Peer>, settle: Duration, length: Duration) -> Result<EarReport> {
    let mut mouth = Mouth { peer: speaker, sound: Sound::chirps()?, packets: 0, began: None };
    let hearing = |peer| Ok((peer, Listening { timeline: Timeline::new()?, arrival: 0, frames: Vec::new() }));
    let mut listeners = listeners.into_iter().map(hearing).collect::<Result<Vec<_>>>()?;
    let mut receiver = Receiver::default();
    while mouth.began.is_none_or(|(began, _)| began.elapsed() < settle + length + TAIL) {
        mouth.turn(&mut receiver)?;
        for (peer, listening) in &mut listeners {
            peer.pump(Instant::now(), &mut receiver, listening);
            stands(peer)?;
        }
        std::thread::sleep(mouth.next().saturating_duration_since(Instant::now()).min(POLL));
    }
    let Some((_, began)) = mouth.began else { bail!("nothing was said") };
    let chirps: Vec<u64> =
        (settle.as_secs() + 1..settle.as_secs() + length.as_secs()).map(|second| began + (second << 32)).collect();
    Ok(report(&chirps, began, &listeners))
}

fn report(chirps: &[u64], began: u64, listeners: &[(Peer, Listening)]) -> EarReport {
    let mut all = Delays::default();
    let mut each = Vec::new();
    for (peer, listening) in listeners {
        let mut own = Delays::default();
        for delay in chirps.iter().filter_map(|said| listening.timeline.delay_of(*said)) {
            all.note(delay);
            own.note(delay);
        }
        let since = |at: u64| (ntp_difference_ms(at, began) * 1000.0).round() / 1000.0;
        let frames = listening.frames.iter().map(|(captured, arrival)| (since(*captured), since(*arrival))).collect();
        each.push(EarOfOne { relay: peer.remote(), ear: Spread::from(&own), frames });
    }
    EarReport {
        chirps: chirps.len(),
        ear: Spread::from(&all),
        began_unix_seconds: unix_seconds(began),
        listeners: each,
    }
}

const _: () = assert!(PACKET * 50 == RATE);
