//! Keeps the reports of contained panics from filling a disk: a client that finds a bug may trigger it often.

use crate::sys;
use majlis_core::limits::Throttle;
use std::sync::{Mutex, Once, PoisonError};

/// Reports written in a second.
const PER_SECOND: u32 = 5;

static INSTALLED: Once = Once::new();

/// Lets the process's panic reports through a throttle, from the first relay on.
pub fn throttle_reports() {
    INSTALLED.call_once(|| {
        let report = std::panic::take_hook();
        let throttle = Mutex::new(Throttle::new(PER_SECOND, sys::monotonic_micros()));
        std::panic::set_hook(Box::new(move |info| {
            let allowed = throttle.lock().unwrap_or_else(PoisonError::into_inner).allow(sys::monotonic_micros());
            let Some(suppressed) = allowed else { return };
            report(info);
            if suppressed > 0 {
                eprintln!("and {suppressed} reports like it before were not written");
            }
        }));
    });
}
