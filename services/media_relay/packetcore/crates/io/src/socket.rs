//! The media port: one UDP socket for each bind address, all on one port number.

use crate::sys::check;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Wanted kernel buffers, bytes; what the system caps is taken as it is.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
const SEND_BUFFER: libc::c_int = 8 << 20;

/// Opens the sockets; a port of 0 in the second and later addresses means the first one's port.
pub fn open(bind: &[(IpAddr, u16)]) -> io::Result<Vec<UdpSocket>> {
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(bind.len());
    for (ip, port) in bind {
        let port = match (port, sockets.first()) {
            (0, Some(first)) => first.local_addr()?.port(),
            (port, _) => *port,
        };
        sockets.push(open_one(SocketAddr::new(*ip, port))?);
    }
    Ok(sockets)
}

fn open_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; the result is checked.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if address.is_ipv6() {
        // Without this `::` would also take the IPv4 port that its sibling needs.
        set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    } else {
        // Datagrams that are never fragmented need no identification (RFC 6864 §4.1), whose making costs the system
        // three in a hundred of its time to send. No path cuts ours: sound keeps within `majlis_core::MAX_DATAGRAM`,
        // reports and handshakes are shorter still.
        set_option(&fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
    }
    set_buffer(&fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
    set_buffer(&fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
    let (storage, len) = to_sockaddr(&address);
    // SAFETY: `storage` holds a valid address of `len` bytes and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const storage).cast(), len) })?;
    Ok(UdpSocket::from(fd))
}

/// The forced option passes the system's cap and needs a capability; the plain one is cut to the cap.
fn set_buffer(fd: &OwnedFd, forced: libc::c_int, plain: libc::c_int, bytes: libc::c_int) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, forced, bytes).or_else(|_| set_option(fd, libc::SOL_SOCKET, plain, bytes))
}

pub(crate) fn set_option(fd: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value outlives the call and its length is passed with it.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const value).cast(), len) })?;
    Ok(())
}

/// An address as the system takes it, with its length. IPv4 addresses fit the storage of IPv6 ones.
pub fn to_sockaddr(address: &SocketAddr) -> (libc::sockaddr_in6, libc::socklen_t) {
    match address {
        SocketAddr::V4(v4) => {
            let short = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: all-zero bytes are a valid sockaddr_in6, a struct of integers.
            let mut storage: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
            const { assert!(size_of::<libc::sockaddr_in>() <= size_of::<libc::sockaddr_in6>()) };
            // SAFETY: the target is larger (asserted above), at least as aligned, and both are plain integers.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(short) };
            (storage, size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
        SocketAddr::V6(v6) => {
            let storage = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            (storage, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
        }
    }
}

/// What [`to_sockaddr`] made, or the system wrote; None for another family.
pub fn from_sockaddr(storage: &libc::sockaddr_in6) -> Option<SocketAddr> {
    match libc::c_int::from(storage.sin6_family) {
        libc::AF_INET6 => {
            let ip = std::net::Ipv6Addr::from(storage.sin6_addr.s6_addr);
            // The flow label is left out: it may change on one path, and a path is a key of maps.
            let port = u16::from_be(storage.sin6_port);
            Some(std::net::SocketAddrV6::new(ip, port, 0, storage.sin6_scope_id).into())
        }
        libc::AF_INET => {
            // SAFETY: the family says that the bytes are a sockaddr_in, which is shorter and not more aligned.
            let short = unsafe { (&raw const *storage).cast::<libc::sockaddr_in>().read() };
            let ip = std::net::Ipv4Addr::from(short.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(ip.into(), u16::from_be(short.sin_port)))
        }
        _ => None,
    }
}
