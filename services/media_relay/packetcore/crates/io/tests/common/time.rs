//! Tests of what happens in real time, on a machine that may be busy.

use majlis_io::sys;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A machine that takes longer than this from a sleeping thread gives no sound its time.
const STALL: Duration = Duration::from_millis(10);
const ATTEMPTS: usize = 5;

/// Runs a test of what happens in real time. A failure counts only when the machine gave the test its time: while
/// others had the processors for longer than a frame can wait, it is run again.
pub fn on_time(test: impl Fn()) {
    for attempt in 1..=ATTEMPTS {
        let watch = Watch::start();
        let result = catch_unwind(AssertUnwindSafe(&test));
        let stalled = watch.longest() > STALL;
        match result {
            Ok(()) => return,
            Err(_) if stalled && attempt < ATTEMPTS => {}
            Err(failure) => resume_unwind(failure),
        }
    }
}

/// Measures how late a thread wakes that wants to wake every two milliseconds.
struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Watch {
    fn start() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (pause, mut longest) = (Duration::from_millis(2), Duration::ZERO);
            while !until.load(Ordering::Relaxed) {
                let began = sys::monotonic_micros();
                std::thread::sleep(pause);
                let slept = Duration::from_micros(sys::monotonic_micros() - began);
                longest = longest.max(slept.saturating_sub(pause));
            }
            longest
        });
        Self { ended, thread }
    }

    fn longest(self) -> Duration {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watch only sleeps")
    }
}
