//! What becomes of panics: those that are contained must not fill a disk with their reports (a client that finds a bug may
//! trigger it often), and one that is not ends the process.

use crate::sys;
use majlis_core::limits::Throttle;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// Runs a thread's body. A panic that nothing inside has contained ends the process: without one of its threads the core
/// serves no room, and whoever watches the process starts it again.
pub fn or_abort(name: &str, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        eprintln!("the packet core's thread {name:?} has failed: the process ends, to be started again");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::or_abort;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const CHILD: &str = "MAJLIS_TEST_FAILING_THREAD";

    #[test]
    fn a_process_does_not_outlive_a_thread_of_its_core() {
        if std::env::var_os(CHILD).is_some() {
            or_abort("ends", || {});
            let thread = std::thread::spawn(|| or_abort("fails", || panic!("injected failure")));
            let _ = thread.join();
            return;
        }
        let this = std::env::current_exe().expect("a test runs from a file");
        let name = "panics::tests::a_process_does_not_outlive_a_thread_of_its_core";
        let child = Command::new(this).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
        let child = child.expect("what runs once runs twice");
        let said = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{said}");
        assert!(said.contains("thread \"fails\" has failed"), "{said}");
    }
}
