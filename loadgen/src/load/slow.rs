//! Slow readers: connections that take what they are sent at a rate, or not at all.
//!
//! They stop receiving, so that the kernel's buffers fill up, first theirs and then the server's: what the server
//! does then is what is to be seen. A reader at a rate pauses after each message for as long as that should have
//! taken. That it was cut off is noticed although it reads nothing.

use super::spread::Spread;
use crate::args::SlowOptions;
use crate::clock;
use crate::fleet::ending;
use crate::measure::meter::{self, histogram, record};
use crate::model::{Latency, Report, Section};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wsring::{Closed, Conn, Message, Time};

/// Which connections read slowly, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    share: Spread,
    /// Bytes per second; 0: none.
    rate: u64,
    pub(crate) receive_buffer_bytes: Option<u32>,
}

impl Plan {
    /// As asked for.
    pub(crate) fn of(options: &SlowOptions) -> Self {
        let receive_buffer_bytes =
            options.slow_receive_buffer.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        Self { share: Spread(options.slow), rate: options.slow_rate as u64, receive_buffer_bytes }
    }

    /// Whether there are any.
    pub(crate) fn has_any(&self) -> bool {
        self.share != Spread::default()
    }

    /// How many of the first so many connections are.
    pub(crate) fn up_to(&self, connections: u32) -> u32 {
        self.share.up_to(connections)
    }

    /// Whether the connection with this number is one: they are spread evenly.
    pub(crate) fn is_slow(&self, number: u32) -> bool {
        self.share.has(number)
    }
}

/// How one of them reads.
#[derive(Debug)]
pub(crate) struct Reader {
    rate: u64,
    fates: Arc<Fates>,
    opened: Time,
    /// The bytes of a while, and when that began: they are read when they should have been by the rate.
    began: Time,
    bytes: u64,
    paused: bool,
}

/// What became of all of them.
#[derive(Debug)]
pub(crate) struct Fates {
    gap_notice: String,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    opened: u64,
    gap_notices: u64,
    ended: BTreeMap<String, u64>,
    /// From the opening to the end.
    lasted: Histogram<u64>,
}

impl Reader {
    pub(crate) fn new(plan: &Plan, fates: &Arc<Fates>) -> Self {
        let fates = Arc::clone(fates);
        Self { rate: plan.rate, fates, opened: Time(0), began: Time(0), bytes: 0, paused: false }
    }

    pub(crate) fn open(&mut self, conn: &mut Conn<'_>) {
        self.opened = conn.now();
        self.fates.lock().opened += 1;
        if self.rate == 0 {
            conn.pause_reading();
        }
    }

    pub(crate) fn message(&mut self, conn: &mut Conn<'_>, message: &Message<'_>) {
        self.fates.look_for_gap(message.payload());
        let now = conn.now();
        if self.rate == 0 {
            return;
        }
        if !self.paused && now > self.due() {
            (self.began, self.bytes) = (now, 0);
        }
        self.bytes += message.payload().len() as u64;
        if !self.paused && self.due() > now {
            self.paused = true;
            conn.pause_reading();
            conn.set_timer(Some(self.due().since(now)));
        }
    }

    /// The time that was set has come.
    pub(crate) fn timer(&mut self, conn: &mut Conn<'_>) {
        let (now, due) = (conn.now(), self.due());
        if due > now {
            // More had arrived when reading was paused.
            return conn.set_timer(Some(due.since(now)));
        }
        self.paused = false;
        conn.resume_reading();
    }

    pub(crate) fn close(&self, closed: &Closed<'_>) {
        let mut counts = self.fates.lock();
        *counts.ended.entry(ending(closed)).or_default() += 1;
        record(&mut counts.lasted, clock::now().since(self.opened));
    }

    /// When its bytes should have been read.
    fn due(&self) -> Time {
        let seconds = self.bytes as f64 / self.rate.max(1) as f64;
        self.began.after(Duration::from_secs_f64(seconds))
    }
}

impl Fates {
    pub(crate) fn new(options: &SlowOptions) -> Self {
        let counts = Counts { opened: 0, gap_notices: 0, ended: BTreeMap::new(), lasted: histogram() };
        Self { gap_notice: options.gap_notice.clone(), counts: Mutex::new(counts) }
    }

    fn look_for_gap(&self, payload: &[u8]) {
        if self.is_gap_notice(payload) {
            self.lock().gap_notices += 1;
        }
    }

    /// Whether a message says that others were missed.
    pub(crate) fn is_gap_notice(&self, payload: &[u8]) -> bool {
        let notice = self.gap_notice.as_bytes();
        !notice.is_empty() && payload.windows(notice.len()).any(|window| window == notice)
    }

    /// Writes down what became of them so far.
    ///
    /// `messages` is what became of the messages that they were sent, where there were any.
    pub(crate) fn report(&self, plan: &Plan, report: &mut Report, messages: Option<&meter::Counts>) {
        let counts = self.lock();
        let ended: u64 = counts.ended.values().sum();
        let reading = match plan.rate {
            0 => "nothing".to_owned(),
            rate => format!("{rate} bytes per second"),
        };
        let mut section = Section::new("slow_readers", "Slow readers")
            .fact("opened", counts.opened, "")
            .fact("read", reading, "")
            .fact("still open", counts.opened.saturating_sub(ended), "")
            .fact("notices of missed messages", counts.gap_notices, "")
            .columns(&["ended", "how"]);
        if let Some(messages) = messages {
            let named = [
                ("messages sent to the server for them", "slow_sent", messages.sent),
                ("answered to them", "slow_answered", messages.answered),
                ("not answered to them", "slow_unanswered", messages.unanswered),
                ("not sent: their connection was over", "slow_refused", messages.refused),
            ];
            for (what, name, count) in named {
                section = section.fact(what, count, "");
                report.counts.insert(name.to_owned(), count);
            }
        }
        for (how, count) in &counts.ended {
            section = section.row(vec![(*count).into(), how.as_str().into()]);
        }
        report.sections.push(section);
        report.counts.insert("slow_ended".into(), ended);
        *report.counts.entry("gap_notices".into()).or_default() += counts.gap_notices;
        report.latencies.extend((ended > 0).then(|| Latency::of("eviction", &counts.lasted)));
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
