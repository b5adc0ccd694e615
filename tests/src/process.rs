//! What the kernel says about processes and threads.

use std::time::Duration;

/// Processor time of a process so far, all threads together.
///
/// # Panics
/// When it is gone.
pub fn processor_time(process: u32) -> Duration {
    processor_time_at(&format!("/proc/{process}/stat"))
}

/// Processor time so far of the thread of this process that has this name.
///
/// # Panics
/// When there is none.
pub fn processor_time_of_thread(name: &str) -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("/proc is mounted");
    for thread in threads.map(|entry| entry.expect("a thread").path()) {
        if std::fs::read_to_string(thread.join("comm")).is_ok_and(|found| found.trim_end() == name) {
            return processor_time_at(&thread.join("stat").to_string_lossy());
        }
    }
    panic!("no thread is called {name}")
}

fn processor_time_at(path: &str) -> Duration {
    let text = std::fs::read_to_string(path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
    // The name, in brackets, may hold anything; utime and stime are fields 14 and 15 (proc_pid_stat(5)).
    let fields = text.rsplit_once(')').expect("a name in brackets").1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 1000 / CLOCK_TICKS_PER_SECOND)
}

/// USER_HZ, which is 100 on every architecture that Linux still has.
const CLOCK_TICKS_PER_SECOND: u64 = 100;
