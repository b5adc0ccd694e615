//! The measured time and its pieces, and the clock that publishing goes by.

use super::apart::Offsets;
use super::publish::{Published, lock};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wsring::Time;

/// What is measured, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) origin: Time,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) interval: Duration,
    /// In rounds: messages of one of them, of which the next ones come when it is over.
    pub(crate) round: Option<u64>,
}

impl Window {
    /// The piece that a time lies in.
    #[inline]
    pub(crate) fn piece(&self, time: Time) -> Option<usize> {
        let is_in = self.start <= time && time < self.end;
        is_in.then(|| ((time.0 - self.start.0) / self.interval.as_nanos() as u64) as usize)
    }

    /// It ends before its time.
    pub(crate) fn cut(&mut self, at: Time) {
        self.start = self.start.min(at);
        self.end = self.end.min(at);
    }

    /// When the next piece begins, or the last one is over.
    pub(crate) fn next_edge(&self, now: Time) -> Option<Time> {
        if now < self.start {
            return Some(self.start);
        }
        let piece = self.piece(now)? as u32;
        Some(self.start.after(self.interval.saturating_mul(piece + 1)).min(self.end))
    }
}

/// The clock that publishing goes by.
#[derive(Clone)]
pub(crate) struct Publisher {
    /// The measured time by it.
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// How it stands to the one here; absent where it is the same.
    pub(crate) offsets: Option<Arc<Mutex<Offsets>>>,
}

impl Publisher {
    /// When it is, by the clock here, what that clock shows there.
    pub(crate) fn here(&self, there: Time) -> Time {
        self.offsets.as_ref().map_or(there, |offsets| lock(offsets).here(there))
    }

    /// Whether more questions about the time may still change that.
    pub(crate) fn is_settled(&self, published: &Published) -> bool {
        let covers = |offsets: &Arc<Mutex<Offsets>>| {
            let offsets = lock(offsets);
            offsets.covers(published.at) && offsets.covers(published.due)
        };
        self.offsets.as_ref().is_none_or(covers)
    }

    /// In which piece of the measured time something is due.
    pub(crate) fn piece(&self, due: Time, window: &Window) -> Option<usize> {
        Window { start: self.start, end: self.end, ..*window }.piece(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_pieces() {
        let interval = Duration::from_nanos(50);
        let window = Window { origin: Time(0), start: Time(100), end: Time(270), interval, round: None };
        let table = [
            (99, None, Some(100)),
            (100, Some(0), Some(150)),
            (149, Some(0), Some(150)),
            (150, Some(1), Some(200)),
            (269, Some(3), Some(270)),
            (270, None, None),
        ];
        for (time, piece, edge) in table {
            let found = (window.piece(Time(time)), window.next_edge(Time(time)).map(|edge| edge.0));
            assert_eq!(found, (piece, edge), "{time}");
        }
    }
}
