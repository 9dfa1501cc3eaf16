//! Waits for thousands of descriptors at once.

use crate::sys::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What is ready, told at once at most.
const EVENTS: usize = 256;

/// What became of a descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// As it was added.
    pub token: u64,
    /// There is something to read, or the end.
    pub readable: bool,
    /// It takes bytes again.
    pub writable: bool,
}

/// Descriptors that are watched; a closed one leaves by itself.
pub struct Poller {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poller {
    /// One that watches nothing.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was just opened and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS] })
    }

    /// Watches a descriptor for something to read.
    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, false)
    }

    /// Whether a descriptor is watched for taking bytes too.
    pub fn want_write(&self, fd: RawFd, token: u64, wanted: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, wanted)
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: u64, writes: bool) -> io::Result<()> {
        let wanted = libc::EPOLLIN | if writes { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: wanted as u32, u64: token };
        // SAFETY: `event` outlives the call, and both descriptors are only numbers to it.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }

    /// Sleeps until something is ready or `timeout` is over.
    pub fn wait(&mut self, timeout: Duration) -> impl Iterator<Item = Ready> + use<'_> {
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let (fd, most) = (self.fd.as_raw_fd(), EVENTS as libc::c_int);
        // SAFETY: the list outlives the call and holds as many events as are asked for at most.
        let count = unsafe { libc::epoll_wait(fd, self.events.as_mut_ptr(), most, milliseconds) };
        // An interrupted call reads as a time-out.
        let ready = &self.events[..usize::try_from(count).unwrap_or(0)];
        ready.iter().map(|event| {
            let events = event.events as libc::c_int;
            let over = events & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            Ready {
                token: event.u64,
                readable: over || events & libc::EPOLLIN != 0,
                writable: over || events & libc::EPOLLOUT != 0,
            }
        })
    }
}
