//! The words every module shares: time, handles, and where a datagram comes from or goes to.

use std::net::SocketAddr;

/// Microseconds of a monotonic clock with any origin.
pub type Micros = u64;

/// One second in [`Micros`].
pub const SECOND: Micros = 1_000_000;

/// Largest datagram the core reads, bytes.
pub const MTU: usize = 1500;

/// Largest datagram with sound that the core builds, bytes: no path cuts these, so that they may forbid it.
pub const MAX_DATAGRAM: usize = 1200;

/// A media session; minted by the caller, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A room's stage on its home relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId(pub u64);

/// One programme channel of one room on this relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u64);

/// A local socket and a remote address: what ICE calls a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// Index of the local socket; from [`Path::TCP`] on, of the one that takes TCP connections.
    pub socket: u8,
    /// The other side.
    pub remote: SocketAddr,
}

impl Path {
    /// The first number of sockets that take TCP connections, of which each path is one.
    pub const TCP: u8 = 0x80;

    /// Whether datagrams go over a TCP connection.
    pub fn is_tcp(&self) -> bool {
        self.socket >= Self::TCP
    }
}

/// Turns monotonic time into NTP time (RFC 5905, 32.32).
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock {
    ntp_at_zero: u64,
}

impl WallClock {
    /// A clock on which `now` is `ntp`.
    pub fn new(now: Micros, ntp: u64) -> Self {
        Self { ntp_at_zero: ntp.wrapping_sub(micros_to_ntp(now)) }
    }

    /// The NTP time at `now`.
    pub fn ntp(&self, now: Micros) -> u64 {
        self.ntp_at_zero.wrapping_add(micros_to_ntp(now))
    }
}

fn micros_to_ntp(micros: Micros) -> u64 {
    ((u128::from(micros) << 32) / 1_000_000) as u64
}
