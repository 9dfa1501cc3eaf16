//! Speakers in one thread: each says its sound at an even pace, 20 ms after 20 ms, and may hear the stage meanwhile.

use crate::ear::Ear;
use crate::peer::{Peer, Said, Sink, State};
use crate::receive::Receiver;
use crate::sound::Sound;
use crate::wire::RtpView;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

/// How often sockets are looked at.
const POLL: Duration = Duration::from_millis(4);
/// Handshakes must be done by then.
const CONNECT: Duration = Duration::from_secs(15);

/// A speaker and what he says.
pub struct Voice {
    peer: Peer,
    sound: Sound,
    sequence: u64,
    timestamp: u32,
    next: Option<Instant>,
    stage: Stage,
}

/// What a speaker hears of the others, by stream.
#[derive(Default)]
pub struct Stage {
    /// One ear per SSRC.
    pub ears: BTreeMap<u32, Ear>,
    /// Decodes and keeps what is heard.
    keeps: bool,
}

impl Sink for Stage {
    fn arrived(&mut self, _: &RtpView<'_>, _: u64, _: u8) -> bool {
        true
    }

    fn decrypted(&mut self, packet: RtpPacket) {
        if !self.keeps {
            return;
        }
        let ssrc = *packet.header.ssrc;
        if !self.ears.contains_key(&ssrc)
            && let Ok(ear) = Ear::new(None)
        {
            self.ears.insert(ssrc, ear);
        }
        if let Some(ear) = self.ears.get_mut(&ssrc) {
            ear.hear(&packet);
        }
    }
}

impl Voice {
    /// A speaker; `keeps` decodes what the others say.
    pub fn new(peer: Peer, sound: Sound, keeps: bool) -> Self {
        let stage = Stage { keeps, ..Stage::default() };
        Self { peer, sound, sequence: 1000, timestamp: 0, next: None, stage }
    }

    fn turn(&mut self, now: Instant, receiver: &mut Receiver) -> Result<()> {
        self.peer.pump(now, receiver, &mut self.stage);
        match &self.peer.state {
            State::Ended(reason) => bail!("the session ended: {reason}"),
            State::Connecting if self.peer.offered.elapsed() > CONNECT => bail!("no connection within 15 s"),
            State::Connecting => return Ok(()),
            State::Connected => {}
        }
        let mut due = *self.next.get_or_insert(now);
        while due <= now {
            let spoken = self.sound.say()?;
            let said = Said {
                sequence: self.sequence,
                timestamp: self.timestamp,
                marker: spoken.first,
                level: spoken.level,
                payload: &spoken.payload,
            };
            self.peer.say(&said, &mut self.stage);
            self.sequence += 1;
            self.timestamp = self.timestamp.wrapping_add(spoken.samples as u32);
            due += Duration::from_micros(spoken.samples as u64 * 1_000_000 / 48_000);
        }
        self.next = Some(due);
        Ok(())
    }

    /// When it wants its turn.
    fn wake(&self) -> Instant {
        self.next.unwrap_or_else(|| self.peer.wake())
    }
}

/// Lets all speak until `stop` or `deadline`; gives what each heard. Fails when a session ends by itself.
pub fn speak(mut voices: Vec<Voice>, stop: &AtomicBool, deadline: Option<Instant>) -> Result<Vec<Stage>> {
    let mut receiver = Receiver::default();
    while !stop.load(Ordering::Relaxed) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        for voice in &mut voices {
            voice.turn(Instant::now(), &mut receiver)?;
        }
        let wake = voices.iter().map(Voice::wake).min().unwrap_or_else(Instant::now);
        std::thread::sleep(wake.saturating_duration_since(Instant::now()).min(POLL));
    }
    Ok(voices.into_iter().map(|voice| voice.stage).collect())
}
