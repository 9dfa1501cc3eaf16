//! Numbers that nobody may guess, and that differ between streams.

use crate::RelayError;
use majlis_core::fanout::StreamStart;

/// 32 random bits of the system.
pub fn random() -> Result<u32, RelayError> {
    getrandom::u32().map_err(|error| RelayError::Io(std::io::Error::other(error.to_string())))
}

/// Where an RTP stream begins: random, as RFC 3550 §5.1 asks.
pub fn stream_start() -> Result<StreamStart, RelayError> {
    let sequence = random()? as u16;
    let timestamp = random()?;
    Ok(StreamStart { sequence, timestamp })
}
