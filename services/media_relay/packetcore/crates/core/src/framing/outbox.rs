//! What a connection does not take yet, and what is given up for it.

use super::{HEAD, head};
use crate::demux::{Kind, classify};
use crate::types::{Micros, SECOND};
use std::collections::VecDeque;

/// Most bytes that wait for one connection.
pub const MAX_WAITING: usize = 64 << 10;
/// Of those, most that are answers to checks, or a handshake.
pub const MAX_URGENT: usize = 16 << 10;
/// Sound that has waited for longer is given up.
pub const MAX_AGE: Micros = 2 * SECOND;

/// The datagrams that wait for one connection, framed; answers to checks and handshakes go before sound.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The frame that is being written, and how much of it has been.
    writing: Vec<u8>,
    written: usize,
    urgent: VecDeque<Box<[u8]>>,
    urgent_bytes: usize,
    media: VecDeque<(Micros, Box<[u8]>)>,
    media_bytes: usize,
    skipped: u64,
}

impl Outbox {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.writing.len() - self.written + self.urgent_bytes + self.media_bytes
    }

    /// Datagrams given up since this was asked last.
    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Adds a datagram behind those of its kind. When that is too much, or the sound that waits is too old, all of that
    /// sound is given up: what is said next is heard at once.
    pub fn put(&mut self, datagram: &[u8], now: Micros) {
        let frame = [&head(datagram.len())[..], datagram].concat().into_boxed_slice();
        let is_urgent = matches!(classify(datagram), Kind::Stun | Kind::Dtls);
        if is_urgent {
            while self.urgent_bytes + frame.len() > MAX_URGENT
                && let Some(oldest) = self.urgent.pop_front()
            {
                self.urgent_bytes -= oldest.len();
                self.skipped += 1;
            }
        }
        let is_old = self.media.front().is_some_and(|(since, _)| now.saturating_sub(*since) > MAX_AGE);
        if self.waiting() + frame.len() > MAX_WAITING || is_old {
            self.skipped += self.media.len() as u64;
            self.media.clear();
            self.media_bytes = 0;
        }
        if is_urgent {
            self.urgent_bytes += frame.len();
            self.urgent.push_back(frame);
        } else {
            self.media_bytes += frame.len();
            self.media.push_back((now, frame));
        }
    }

    /// Keeps the rest of a datagram's frame of which `written` bytes have gone out already.
    pub fn put_rest(&mut self, datagram: &[u8], written: usize) {
        self.writing.clear();
        self.writing.extend_from_slice(&head(datagram.len()));
        self.writing.extend_from_slice(datagram);
        self.written = written;
    }

    /// What to write next; None when nothing waits that is worth it.
    pub fn front(&mut self, now: Micros) -> Option<&[u8]> {
        if self.written == self.writing.len() {
            self.writing.clear();
            self.written = 0;
            let frame = self.pop(now)?;
            self.writing.extend_from_slice(&frame);
        }
        Some(&self.writing[self.written..])
    }

    fn pop(&mut self, now: Micros) -> Option<Box<[u8]>> {
        if let Some(frame) = self.urgent.pop_front() {
            self.urgent_bytes -= frame.len();
            return Some(frame);
        }
        while let Some((since, frame)) = self.media.pop_front() {
            self.media_bytes -= frame.len();
            if now.saturating_sub(since) <= MAX_AGE {
                return Some(frame);
            }
            self.skipped += 1;
        }
        None
    }

    /// So many bytes of [`Outbox::front`] have gone out; true when that was the end of a datagram.
    pub fn advance(&mut self, bytes: usize) -> bool {
        self.written = (self.written + bytes).min(self.writing.len());
        let ended = self.written == self.writing.len();
        debug_assert!(self.writing.len() != HEAD, "no frame is empty");
        if ended && self.is_empty() {
            // Whoever never stalls again keeps no memory for it.
            *self = Self { skipped: self.skipped, ..Self::default() };
        }
        ended
    }
}
