//! What goes out on one connection: at once, in twos, or when its system takes something again.
//!
//! A listener's sound goes out two packets at a time where they come every 20 ms. No system sends to many connections in
//! one call, as it does by UDP, so that this halves what a listener over TCP costs, and a third of the bytes; it delays
//! every other packet by one. People on stage get theirs at once.

use crate::tcp_connections::{Closed, Connection};
use crate::tcp_socket::send;
use majlis_core::Micros;
use majlis_core::demux::{Kind, classify};
use majlis_core::framing::HEAD;
use std::io::{self, ErrorKind};

/// How long a packet of sound waits for the next one; only where the one before came so lately.
pub const HOLD: Micros = 26_000;

/// What went out; totals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Whole datagrams.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
    /// Datagrams given up for slow readers.
    pub skipped: u64,
}

impl Connection {
    /// Sends a framed datagram, behind what waits already; true when it is held for the next one, until [`HOLD`] later.
    pub fn send(&mut self, frame: &[u8], in_twos: bool, now: Micros, written: &mut Written) -> Result<bool, Closed> {
        let datagram = &frame[HEAD..];
        self.used_at = now;
        if !self.outbox.is_empty() {
            self.outbox.put(datagram, now);
            written.skipped += self.outbox.take_skipped();
            return Ok(false);
        }
        if in_twos && classify(datagram) == Kind::Rtp {
            let regular = now.saturating_sub(self.sound_at) < HOLD;
            self.sound_at = now;
            let held = !self.held.is_empty();
            if held || regular {
                self.held.extend_from_slice(frame);
                if held {
                    self.release(now, written)?;
                } else {
                    self.held_at = now;
                }
                return Ok(!held);
            }
        }
        self.write(frame, now, written).map(|()| false)
    }

    /// Sends what is held, if it has been since then.
    pub fn release_held(&mut self, since: Micros, now: Micros, written: &mut Written) -> Result<(), Closed> {
        if self.held.is_empty() || self.held_at != since { Ok(()) } else { self.release(now, written) }
    }

    fn release(&mut self, now: Micros, written: &mut Written) -> Result<(), Closed> {
        let mut held = std::mem::take(&mut self.held);
        let result = self.write(&held, now, written);
        held.clear();
        self.held = held;
        result
    }

    /// Writes whole frames while nothing waits; what is not taken waits from now on.
    fn write(&mut self, frames: &[u8], now: Micros, written: &mut Written) -> Result<(), Closed> {
        self.took_at = now;
        let mut taken = match send(&self.stream, frames) {
            Ok(taken) => taken,
            Err(error) if may_go_on(&error) => 0,
            Err(_) => return Err(Closed::Reset),
        };
        written.bytes += taken as u64;
        let mut rest = frames;
        while let Some(head) = rest.first_chunk::<HEAD>() {
            let (frame, tail) = rest.split_at(rest.len().min(HEAD + usize::from(u16::from_be_bytes(*head))));
            match taken {
                0 => self.outbox.put(&frame[HEAD..], now),
                _ if taken < frame.len() => self.outbox.put_rest(&frame[HEAD..], taken),
                _ => written.frames += 1,
            }
            taken = taken.saturating_sub(frame.len());
            rest = tail;
        }
        Ok(())
    }

    /// Writes what waits, as far as it is taken.
    pub fn write_waiting(&mut self, now: Micros, written: &mut Written) -> Result<(), Closed> {
        while let Some(bytes) = self.outbox.front(now) {
            match send(&self.stream, bytes) {
                Ok(taken) => {
                    self.took_at = now;
                    written.bytes += taken as u64;
                    written.frames += u64::from(self.outbox.advance(taken));
                }
                Err(error) if may_go_on(&error) => break,
                Err(_) => return Err(Closed::Reset),
            }
        }
        written.skipped += self.outbox.take_skipped();
        Ok(())
    }
}

/// Nothing is taken, or nothing has come, for the moment.
pub fn may_go_on(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
