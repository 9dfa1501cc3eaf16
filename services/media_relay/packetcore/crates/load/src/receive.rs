//! Reads whatever waits on a socket in one system call, with the kernel's arrival times, so that sockets can be polled.

use anyhow::{Context, Result};
use nix::cmsg_space;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt};
use nix::sys::time::TimeSpec;
use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Datagrams read in one call.
const BATCH: usize = 32;
/// Longest datagram, bytes.
const MTU: usize = 2048;
/// Seconds from the NTP epoch (1900) to the Unix epoch.
const NTP_UNIX: u64 = 2_208_988_800;

/// Opens a non-blocking socket on `ip` whose datagrams carry the time the kernel got them.
pub fn open(ip: IpAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).context("no UDP port")?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    Ok(socket)
}

/// The local address from which `host:port` is reached.
pub fn local_ip_towards(target: SocketAddr) -> Result<IpAddr> {
    let any: SocketAddr = if target.is_ipv6() { "[::]:0".parse()? } else { "0.0.0.0:0".parse()? };
    let probe = UdpSocket::bind(any)?;
    probe.connect(target)?;
    Ok(probe.local_addr()?.ip())
}

/// Buffers for one batch, used for all sockets in turn.
pub struct Receiver {
    headers: MultiHeaders<()>,
    buffers: Box<[[u8; MTU]; BATCH]>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            buffers: Box::new([[0; MTU]; BATCH]),
        }
    }
}

impl Receiver {
    /// Calls `each` with every datagram that waits on `socket` and its arrival time, NTP 32.32. A socket error (the
    /// other side's port is closed) counts as nothing waiting.
    pub fn drain(&mut self, socket: &UdpSocket, mut each: impl FnMut(&[u8], u64)) {
        // A flood cannot hold the loop: the rest waits for the next turn.
        for _ in 0..8 {
            if self.batch(socket, &mut each) < BATCH {
                return;
            }
        }
    }

    fn batch(&mut self, socket: &UdpSocket, each: &mut impl FnMut(&[u8], u64)) -> usize {
        let mut found = [(0usize, 0u64); BATCH];
        let mut count = 0;
        {
            let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            // Nothing waits, or the other side's port is closed: both are for the session's own timeouts to judge.
            let Ok(messages) = recvmmsg(fd, &mut self.headers, slices.iter_mut(), flags, None) else { return 0 };
            for message in messages {
                let stamped = message.cmsgs().ok().and_then(|mut list| {
                    list.find_map(|item| match item {
                        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                        _ => None,
                    })
                });
                found[count] = (message.bytes, stamped.map_or_else(ntp_now, ntp));
                count += 1;
            }
        }
        for (buffer, (len, arrival)) in self.buffers.iter().zip(&found[..count]) {
            each(&buffer[..*len], *arrival);
        }
        count
    }
}

/// The wall clock, NTP 32.32.
pub fn ntp_now() -> u64 {
    ntp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn ntp(unix: Duration) -> u64 {
    ((unix.as_secs() + NTP_UNIX) << 32) + (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000
}

/// NTP 32.32 as seconds since the Unix epoch.
pub fn unix_seconds(ntp: u64) -> f64 {
    ntp as f64 / 4_294_967_296.0 - NTP_UNIX as f64
}

/// Difference of two NTP times, ms; negative when `later` is earlier.
pub fn ntp_difference_ms(later: u64, earlier: u64) -> f64 {
    later.wrapping_sub(earlier) as i64 as f64 / 4_294_967.296
}
