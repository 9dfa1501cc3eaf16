//! System calls without a safe wrapper in the standard library: clocks, waiting, wake-ups, thread scheduling.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Seconds from the NTP era to the Unix era.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// Microseconds of the monotonic clock.
pub fn monotonic_micros() -> u64 {
    let (seconds, nanos) = read_clock(libc::CLOCK_MONOTONIC).unwrap_or((0, 0));
    seconds * 1_000_000 + nanos / 1000
}

/// The wall clock as NTP time, 32.32.
pub fn ntp_now() -> u64 {
    let (seconds, nanos) = read_clock(libc::CLOCK_REALTIME).unwrap_or((0, 0));
    ((seconds + NTP_TO_UNIX) << 32) | ((nanos << 32) / 1_000_000_000)
}

fn read_clock(clock: libc::clockid_t) -> Option<(u64, u64)> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call and is of the type it writes.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    (result == 0).then_some((time.tv_sec as u64, time.tv_nsec as u64))
}

/// The CPU clock of one thread, readable by others while the thread lives.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The calling thread's.
    pub fn of_this_thread() -> Option<Self> {
        let mut clock = 0;
        // SAFETY: `pthread_self` is always valid for the calling thread, and `clock` outlives the call.
        let result = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
        (result == 0).then_some(Self(clock))
    }

    /// User and system time so far; None when the thread has ended.
    pub fn nanoseconds(self) -> Option<u64> {
        read_clock(self.0).map(|(seconds, nanos)| seconds * 1_000_000_000 + nanos)
    }
}

/// Cores that the calling thread may run on, as they are now; 1 where the system does not tell.
pub fn cores_of_this_thread() -> usize {
    // SAFETY: a `cpu_set_t` is a set of bits, of which none is a valid one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` outlives the call, which writes at most its size.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    // SAFETY: `set` is a valid set.
    if result == 0 { unsafe { libc::CPU_COUNT(&set) }.max(1) as usize } else { 1 }
}

/// A wake-up that one thread gives another, or asyncio.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A new one, not signalled.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: `fd` was just opened and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes it readable.
    pub fn signal(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are read from a live variable. A full counter means that it is signalled already.
        unsafe { libc::write(self.raw(), (&raw const one).cast(), 8) };
    }

    /// Makes it unreadable until the next signal.
    pub fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes are written to a live variable; when there is nothing to read the call returns at once.
        unsafe { libc::read(self.raw(), (&raw mut count).cast(), 8) };
    }

    /// The descriptor, for polling.
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Sleeps until one of `fds` is readable or `timeout` is over; true for each readable one.
pub fn wait_readable<const N: usize>(fds: [RawFd; N], timeout: Duration) -> [bool; N] {
    let mut polled = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    poll(&mut polled, timeout);
    polled.map(|entry| entry.revents != 0)
}

/// The same for a list that is not known when compiling.
pub fn poll(polled: &mut [libc::pollfd], timeout: Duration) {
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    };
    // SAFETY: the array and the timeout outlive the call, and its length is passed with it. An interrupted or failed
    // call leaves no descriptor marked, which callers treat as a time-out.
    unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, &timeout, std::ptr::null()) };
}

/// How a thread came to be scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// SCHED_RR.
    RealTime,
    /// A nice value below zero.
    Nice,
    /// The system permits neither.
    Normal,
}

/// Puts the calling thread ahead of ordinary work as far as the system permits, and makes its sleeps exact.
pub fn raise_priority(real_time: i32) -> Priority {
    let parameter = libc::sched_param { sched_priority: real_time };
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches the calling thread only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    // SAFETY: 0 means the calling thread, and the parameter outlives the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &parameter) } == 0 {
        return Priority::RealTime;
    }
    // SAFETY: no pointers; on Linux 0 means the calling thread.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) } == 0 {
        return Priority::Nice;
    }
    Priority::Normal
}

/// Gives freed memory back to the system.
pub fn trim_memory() {
    // SAFETY: takes a number, and the allocator is made for being called from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// A system call's result as the standard library's.
pub fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
