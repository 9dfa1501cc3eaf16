//! Datagrams over TCP (RFC 4571): in a byte stream each has two bytes of length before it.
//!
//! [`Deframer`] finds them in what was read, [`Outbox`] holds those that a connection does not take yet, and decides which
//! are given up: a listener whose network stalls goes on with what is said now, never with what was said long ago.

mod deframer;
mod outbox;

pub use deframer::{Deframer, FrameError};
pub use outbox::{MAX_AGE, MAX_URGENT, MAX_WAITING, Outbox};

/// Bytes of length before each datagram.
pub const HEAD: usize = 2;

/// The bytes before a datagram of `len` bytes.
pub fn head(len: usize) -> [u8; HEAD] {
    (len as u16).to_be_bytes()
}
