//! Measures what this machine can do at best: seal and send on loopback with one core.

use crate::batch::{BATCH, SendBatch};
use crate::sys;
use crate::{RelayError, socket};
use majlis_core::Path;
use majlis_core::fanout::Transmit;
use majlis_core::rtp::{FIXED_HEADER, Header};
use majlis_core::srtp::{Profile, SealKey};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Receiving sockets, unread: their buffers fill and the kernel drops, as it does behind a busy client.
const RECEIVERS: usize = 64;
/// A 20 ms frame at 32 kbit/s.
const PAYLOAD: usize = 80;

/// Packets per second that one core can seal and send, measured for about `seconds`.
pub fn self_calibrate(seconds: f64) -> Result<u32, RelayError> {
    if !(0.01..=30.0).contains(&seconds) {
        return Err(RelayError::Argument("seconds must be 0.01 to 30".to_owned()));
    }
    let loopback = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let sender = Arc::new(socket::open(&[loopback])?);
    let mut batch = SendBatch::new(sender);
    let mut receivers = Vec::with_capacity(RECEIVERS);
    for at in 0..RECEIVERS {
        let socket = socket::open(&[loopback])?.remove(0);
        let path = Path { socket: 0, remote: socket.local_addr()? };
        let mut key = SealKey::new(Profile::AeadAes128Gcm, &[at as u8 + 1; 28])?;
        let stream = key.open_stream(at as u32, 1)?;
        receivers.push((socket, path, key, stream));
    }
    let begin = sys::monotonic_micros();
    let end = begin + (seconds * 1e6) as u64;
    let mut sent = 0u64;
    while sys::monotonic_micros() < end {
        for (_, path, key, stream) in &mut receivers {
            let index = stream.claim_next().ok_or(RelayError::NoAnswer)?;
            let buf = batch.buffer(path);
            Header::default().write(buf);
            let len = key.seal_rtp(index, buf, FIXED_HEADER, FIXED_HEADER + PAYLOAD)?;
            batch.commit(path, len);
        }
        batch.flush();
        sent += BATCH as u64;
    }
    let elapsed = sys::monotonic_micros() - begin;
    Ok((sent * 1_000_000 / elapsed.max(1)) as u32)
}
