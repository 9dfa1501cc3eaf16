//! Datagrams in and out in batches: `recvmmsg` and `sendmmsg` over buffers that are allocated once.

use crate::socket::{from_sockaddr, to_sockaddr};
use crate::sys::{self, EventFd};
use crate::tcp_ring::RingIn;
use majlis_core::fanout::Transmit;
use majlis_core::{MTU, Path};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Datagrams in one system call.
pub const BATCH: usize = 64;
/// How long a full send buffer is waited for before datagrams are given up.
const FULL_BUFFER_WAIT: Duration = Duration::from_millis(2);

/// What became of datagrams handed to the system; totals.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendCounters {
    /// Accepted by the system.
    pub sent: u64,
    /// Bytes accepted.
    pub bytes: u64,
    /// Given up because the send buffer stayed full.
    pub buffer_drops: u64,
    /// Refused by the system for one destination.
    pub errors: u64,
    /// Of those, longer than the interface takes.
    pub too_long: u64,
    /// Of those, without a way there.
    pub unreachable: u64,
    /// Of those, filtered.
    pub forbidden: u64,
    /// Given up because the TCP thread was behind.
    pub lost_to_tcp: u64,
}

impl SendCounters {
    fn refused(&mut self, error: &io::Error) {
        self.errors += 1;
        match error.raw_os_error() {
            Some(libc::EMSGSIZE) => self.too_long += 1,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN) => self.unreachable += 1,
            Some(libc::EPERM | libc::EACCES) => self.forbidden += 1,
            _ => {}
        }
    }
}

/// Datagrams waiting to be sent, one batch for each socket.
pub struct SendBatch {
    sockets: Arc<Vec<UdpSocket>>,
    batches: Vec<Batch>,
    /// Where those of TCP connections go.
    tcp: Option<TcpOutlet>,
    /// Where a datagram for a socket that does not exist is written, and forgotten.
    nowhere: Box<[u8; MTU]>,
    counters: SendCounters,
}

/// The way to the TCP thread, which nobody waits for.
pub struct TcpOutlet {
    /// What it is to write.
    pub ring: RingIn,
    /// Wakes it.
    pub wake: Arc<EventFd>,
}

struct Batch {
    buffers: Box<[[u8; MTU]]>,
    addresses: Vec<(libc::sockaddr_in6, libc::socklen_t)>,
    lengths: Vec<usize>,
}

impl SendBatch {
    /// An empty batch for each of `sockets`; datagrams of TCP paths go nowhere.
    pub fn new(sockets: Arc<Vec<UdpSocket>>) -> Self {
        let batch = |_| Batch {
            buffers: vec![[0; MTU]; BATCH].into_boxed_slice(),
            addresses: Vec::with_capacity(BATCH),
            lengths: Vec::with_capacity(BATCH),
        };
        Self {
            batches: sockets.iter().map(batch).collect(),
            sockets,
            tcp: None,
            nowhere: Box::new([0; MTU]),
            counters: SendCounters::default(),
        }
    }

    /// The same, with a way to the TCP thread if there is one.
    pub fn with_tcp(self, tcp: Option<TcpOutlet>) -> Self {
        Self { tcp, ..self }
    }

    /// Totals so far.
    pub fn counters(&self) -> SendCounters {
        let lost_to_tcp = self.tcp.as_ref().map_or(0, |tcp| tcp.ring.lost());
        SendCounters { lost_to_tcp, ..self.counters }
    }
}

impl Transmit for SendBatch {
    fn buffer(&mut self, path: &Path) -> &mut [u8] {
        match (self.batches.get_mut(usize::from(path.socket)), &mut self.tcp) {
            (Some(batch), _) => &mut batch.buffers[batch.lengths.len()],
            (None, Some(tcp)) if path.is_tcp() => tcp.ring.buffer(),
            _ => &mut self.nowhere[..],
        }
    }

    fn commit(&mut self, path: &Path, len: usize) {
        let at = usize::from(path.socket);
        if let Some(tcp) = self.tcp.as_mut().filter(|_| path.is_tcp()) {
            tcp.ring.commit(path, len);
            return;
        }
        let Some(batch) = self.batches.get_mut(at) else { return };
        batch.addresses.push(to_sockaddr(&path.remote));
        batch.lengths.push(len.min(MTU));
        if batch.lengths.len() == BATCH {
            batch.send(self.sockets[at].as_raw_fd(), &mut self.counters);
        }
    }

    fn flush(&mut self) {
        for (batch, socket) in self.batches.iter_mut().zip(self.sockets.iter()) {
            if !batch.lengths.is_empty() {
                batch.send(socket.as_raw_fd(), &mut self.counters);
            }
        }
        if let Some(tcp) = &mut self.tcp
            && tcp.ring.take_fresh()
        {
            tcp.wake.signal();
        }
    }
}

impl Batch {
    fn send(&mut self, fd: RawFd, counters: &mut SendCounters) {
        // SAFETY: all-zero bytes are valid for these C structs of integers and nullable pointers.
        let mut vectors: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let count = self.lengths.len();
        for at in 0..count {
            vectors[at].iov_base = self.buffers[at].as_mut_ptr().cast();
            vectors[at].iov_len = self.lengths[at];
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.addresses[at].0).cast();
            header.msg_namelen = self.addresses[at].1;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
        }
        self.push_out(fd, &mut headers[..count], counters);
        self.addresses.clear();
        self.lengths.clear();
    }

    fn push_out(&self, fd: RawFd, headers: &mut [libc::mmsghdr], counters: &mut SendCounters) {
        let mut done = 0;
        let mut waited = false;
        while done < headers.len() {
            let rest = &mut headers[done..];
            // SAFETY: each header points at a buffer, an address and a vector that outlive the call, and the count is
            // that of the slice.
            let sent = unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT) };
            if sent > 0 {
                let lengths = &self.lengths[done..done + sent as usize];
                counters.bytes += lengths.iter().sum::<usize>() as u64;
                counters.sent += sent as u64;
                done += sent as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if !waited => {
                    waited = true;
                    wait_writable(fd);
                }
                io::ErrorKind::WouldBlock => {
                    counters.buffer_drops += (headers.len() - done) as u64;
                    return;
                }
                // The first datagram's destination is at fault (unreachable, filtered): the others are not.
                _ => {
                    counters.refused(&error);
                    done += 1;
                }
            }
        }
    }
}

fn wait_writable(fd: RawFd) {
    let mut polled = [libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }];
    sys::poll(&mut polled, FULL_BUFFER_WAIT);
}

/// Buffers for received datagrams.
pub struct ReceiveBatch {
    buffers: Box<[[u8; MTU + 1]]>,
    addresses: Vec<libc::sockaddr_in6>,
    lengths: [usize; BATCH],
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self {
            buffers: vec![[0; MTU + 1]; BATCH].into_boxed_slice(),
            // SAFETY: all-zero bytes are a valid sockaddr_in6, a struct of integers.
            addresses: vec![unsafe { std::mem::zeroed() }; BATCH],
            lengths: [0; BATCH],
        }
    }
}

impl ReceiveBatch {
    /// Takes what waits on the socket without blocking, at most [`BATCH`] datagrams; returns how many there are now.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: all-zero bytes are valid for these C structs of integers and nullable pointers.
        let mut vectors: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for at in 0..BATCH {
            vectors[at].iov_base = self.buffers[at].as_mut_ptr().cast();
            vectors[at].iov_len = MTU + 1;
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.addresses[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
        }
        let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: each header points at a buffer, an address and a vector that outlive the call, with their lengths.
        let count = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut()) };
        let count = usize::try_from(count).unwrap_or(0);
        for (length, header) in self.lengths.iter_mut().zip(&headers[..count]) {
            *length = header.msg_len as usize;
        }
        count
    }

    /// A received datagram and where it came from. One longer than [`MTU`] reads as empty: nothing we speak is so long.
    pub fn datagram(&mut self, at: usize) -> Option<(SocketAddr, &mut [u8])> {
        let remote = from_sockaddr(self.addresses.get(at)?)?;
        let len = self.lengths[at];
        Some((remote, &mut self.buffers[at][..if len > MTU { 0 } else { len }]))
    }
}
