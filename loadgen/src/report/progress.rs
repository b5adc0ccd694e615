//! What is told on standard error while a run goes on: on a terminal one line that is written over again,
//! elsewhere a line now and then, so that the log of a build stays short.

use super::words::{counted, nanos, number, spaced};
use crate::model::Interval;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Between two lines that are kept.
const KEPT_LINES_APART: Duration = Duration::from_secs(5);

/// Clears the line and begins it anew, without wrapping at the edge: a line that took two could not be
/// written over.
const REWRITE: &str = "\r\x1b[2K\x1b[?7l";
/// The reverse of the last part.
const WRAP: &str = "\x1b[?7h";
const CLEAR: &str = "\r\x1b[2K";

/// A run as it stands now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment<'a> {
    /// As in [`crate::model::Phase`].
    pub(crate) phase: &'a str,
    /// Of the phase, where it has an end.
    pub(crate) remaining: Option<Duration>,
    /// Open now.
    pub(crate) connections: u64,
    /// The latest piece of the series.
    pub(crate) interval: Option<&'a Interval>,
    /// Since the start.
    pub(crate) errors: u64,
}

/// Tells how a run goes on. What it has on the terminal is wiped when it is dropped.
pub(crate) struct Progress {
    way: Way,
    out: Box<dyn Write + Send>,
    /// Of the last line that was written.
    phase: String,
    written: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Silent,
    /// A line that is written over.
    Rewritten,
    /// Lines that stay.
    Kept,
}

impl Progress {
    /// On standard error, unless it is to be silent.
    pub(crate) fn new(is_silent: bool) -> Self {
        let way = match (is_silent, stderr().is_terminal()) {
            (true, _) => Way::Silent,
            (false, true) => Way::Rewritten,
            (false, false) => Way::Kept,
        };
        Self::over(way, Box::new(stderr()))
    }

    fn over(way: Way, out: Box<dyn Write + Send>) -> Self {
        Self { way, out, phase: String::new(), written: None }
    }

    /// Tells how it stands; may be called as often as there is something new.
    pub(crate) fn show(&mut self, moment: &Moment<'_>) {
        let line = line(moment);
        let is_due = self.written.is_none_or(|written| written.elapsed() >= KEPT_LINES_APART);
        // Nobody is there to be told when standard error is closed.
        let _ = match self.way {
            Way::Silent => Ok(()),
            Way::Rewritten => write!(self.out, "{REWRITE}{line}{WRAP}").and_then(|()| self.out.flush()),
            Way::Kept if is_due || self.phase != moment.phase => {
                self.written = Some(Instant::now());
                writeln!(self.out, "wsload: {line}")
            }
            Way::Kept => Ok(()),
        };
        if self.phase != moment.phase {
            moment.phase.clone_into(&mut self.phase);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.way == Way::Rewritten {
            let _ = write!(self.out, "{CLEAR}").and_then(|()| self.out.flush());
        }
    }
}

/// The most important first: a narrow terminal shows no more.
fn line(moment: &Moment<'_>) -> String {
    let mut parts = vec![spaced(moment.phase)];
    if let Some(remaining) = moment.remaining {
        parts.push(format!("{:.0} s left", remaining.as_secs_f64().ceil()));
    }
    if let Some(interval) = moment.interval {
        parts.push(format!("{}/s", number(interval.answered as f64 / interval.seconds.max(1e-9))));
        for (name, value) in [("p50", interval.p50), ("p99", interval.p99), ("max", interval.max)] {
            if value.is_some() {
                parts.push(format!("{name} {}", nanos(value)));
            }
        }
    }
    parts.push(counted(moment.errors, "error"));
    parts.push(counted(moment.connections, "connection"));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of these phases.
    fn written(way: Way, phases: &[&str]) -> String {
        let screen = Screen::default();
        let mut progress = Progress::over(way, Box::new(screen.clone()));
        for phase in phases {
            progress.show(&Moment { phase, ..Moment::default() });
        }
        drop(progress);
        String::from_utf8(screen.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_that_stay_are_few() {
        let phases = ["connect", "connect", "measure", "measure"];
        let nothing = "0 errors, 0 connections";
        assert_eq!(
            written(Way::Kept, &phases),
            format!("wsload: connect, {nothing}\nwsload: measure, {nothing}\n")
        );
        assert_eq!(written(Way::Silent, &phases), "");
        let screen = written(Way::Rewritten, &phases);
        assert_eq!(screen.matches(REWRITE).count(), 4);
        assert!(screen.ends_with(CLEAR), "{screen:?}");
    }

    #[test]
    fn a_line_says_rate_percentiles_errors_and_what_is_left() {
        let interval = Interval {
            seconds: 0.5,
            answered: 49_216,
            p50: Some(45_100),
            p99: Some(1_204_000),
            max: Some(13_000_000),
            ..Interval::default()
        };
        let moment = Moment {
            phase: "warm_up",
            remaining: Some(Duration::from_millis(11_200)),
            connections: 1000,
            interval: Some(&interval),
            errors: 1,
        };
        let expected =
            "warm up, 12 s left, 98,432/s, p50 45.1 us, p99 1.20 ms, max 13.0 ms, 1 error, 1,000 connections";
        assert_eq!(line(&moment), expected);
        let opening = Moment { interval: None, remaining: None, phase: "connect", ..moment };
        assert_eq!(line(&opening), "connect, 1 error, 1,000 connections");
    }
}
