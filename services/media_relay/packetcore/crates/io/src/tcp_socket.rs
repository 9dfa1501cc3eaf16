//! The media port's TCP side: listening sockets on its number, and what the connections they take are like.

use crate::socket::{set_option, to_sockaddr};
use crate::sys::check;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Connections that wait to be taken; what the system caps is taken as it is.
const BACKLOG: libc::c_int = 1024;
/// Bytes that the system may hold for one connection, its own costs included, which for small packets are most of it:
/// a second of speech on its way over a slow network.
const SEND_BUFFER: libc::c_int = 64 << 10;
const RECEIVE_BUFFER: libc::c_int = 32 << 10;
/// Of those, bytes that it has not sent at all: more of them wait here, where they can still be given up.
const NOT_SENT: libc::c_int = 2 << 10;
/// What is not acknowledged for so long, milliseconds, ends the connection.
const USER_TIMEOUT: libc::c_int = 20_000;

/// Listens on `address`. The options hold for all connections that it takes.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; the result is checked.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if address.is_ipv6() {
        // Without this `::` would also take the IPv4 port that its sibling needs.
        set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    // A relay that starts again finds connections of the one before that are not forgotten yet.
    set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, SEND_BUFFER)?;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, NOT_SENT)?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, USER_TIMEOUT)?;
    let (storage, len) = to_sockaddr(&address);
    // SAFETY: `storage` holds a valid address of `len` bytes and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const storage).cast(), len) })?;
    // SAFETY: no pointers; the result is checked.
    check(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(fd))
}

/// Hands bytes to the system, which takes them or not, at once. What is handed over together stays apart from what comes
/// later: the system would else fill a packet that waits with tens of thousands of bytes, whatever [`NOT_SENT`] says.
pub fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_EOR;
    // SAFETY: the bytes outlive the call and their number is passed with them.
    let sent = unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Lets this process hold as many descriptors as it may, and says how many that are.
pub fn raise_descriptor_limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call and is of the type it writes.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return 1024;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: `raised` outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
        limit = raised;
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}
