//! Ctrl-C and SIGTERM: a run comes to its end early and reports what there is; a second one ends the process at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A sleeper looks so often whether it is to wake up.
const LOOK: Duration = Duration::from_millis(50);

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on a signal ends the run and not the process.
///
/// # Errors
/// The environment's fault: the kernel takes no handler.
pub(crate) fn watch() -> io::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag as it was. 128 + N is what shells say of a signal.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(asked))?;
        flag::register(signal, Arc::clone(asked))?;
    }
    Ok(())
}

/// Sleeps as long as `left` says that there is something left, or until the run is to come to its end.
pub(crate) fn sleep(left: impl Fn() -> Duration) {
    loop {
        let left = left();
        if left.is_zero() || is_asked() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// Whether the run is to come to its end.
pub(crate) fn is_asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Acquire))
}
