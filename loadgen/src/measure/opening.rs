//! How openings went: the handshake taken apart.
//!
//! ```text
//!   intended --schedule lag--> begun --tcp--> connected --upgrade--> the 101 is there
//!   `------------------------------------ open ---------------------------------------'
//! ```
//!
//! `begun` is when the shard has asked the kernel for a socket, `connected` when it was told of the connection,
//! both at the edge of a turn of its loop: so the generator's own work is part of what it measures.

use super::kernel::{Counters, Risen, is_local, syn_retries};
use super::meter::{histogram, record};
use crate::clock;
use crate::model::{Latency, Report, Section};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wsring::{Steps, Time};

/// A connect that took as long as a SYN that is sent again, or this much longer, has waited for that.
const RETRY_WIDTH: Duration = Duration::from_millis(500);

/// The openings of all connections, by shard.
#[derive(Clone, Debug)]
pub(crate) struct Openings(Arc<Vec<Mutex<Histograms>>>);

#[derive(Debug)]
struct Histograms {
    open: Histogram<u64>,
    lag: Histogram<u64>,
    tcp: Histogram<u64>,
    upgrade: Histogram<u64>,
    /// Of what failed, from the intended time.
    failed: Histogram<u64>,
}

/// One connection on its way.
#[derive(Debug)]
pub(crate) struct Underway {
    openings: Openings,
    intended: Time,
    steps: Option<Steps>,
}

impl Openings {
    pub(crate) fn new(shards: usize) -> Self {
        Self(Arc::new((0..shards).map(|_| Mutex::new(Histograms::new())).collect()))
    }

    /// A connection that is to be opened at this time.
    pub(crate) fn begin(&self, intended: Time) -> Underway {
        Underway { openings: self.clone(), intended, steps: None }
    }

    /// Writes down all of them.
    pub(crate) fn report(&self, report: &mut Report) {
        let sum = self.sum();
        let named = [
            ("open", &sum.open),
            ("tcp", &sum.tcp),
            ("upgrade", &sum.upgrade),
            ("schedule_lag", &sum.lag),
            ("failed", &sum.failed),
        ];
        let latencies = named.into_iter().filter(|(_, histogram)| !histogram.is_empty());
        report.latencies.extend(latencies.map(|(name, histogram)| Latency::of(name, histogram)));
    }

    /// Whether SYNs were lost: how many connects have waited until theirs was sent again, and which counters of the
    /// kernel say why, where the server is on this machine.
    pub(crate) fn diagnose(&self, server: SocketAddr, before: &Counters, report: &mut Report) {
        let sum = self.sum();
        let mut section = Section::new("handshake", "Handshake")
            .fact("TLS", "none: wss:// is not supported yet", "")
            .columns(&["count", "what"]);
        let mut waited = 0;
        for retry in syn_retries() {
            let (from, to) = (retry.as_nanos() as u64, (retry + RETRY_WIDTH).as_nanos() as u64);
            let count = if sum.tcp.is_empty() { 0 } else { sum.tcp.count_between(from, to) };
            if count > 0 {
                let what =
                    format!("TCP connections that came {retry:?} late: their SYN had to be sent again");
                section = section.row(vec![count.into(), what.into()]);
            }
            waited += count;
        }
        let risen = if is_local(server) { Counters::read().risen_since(before) } else { Vec::new() };
        for (name, count, meaning) in &risen {
            section = section.row(vec![(*count).into(), format!("{name}: {meaning}").into()]);
        }
        if waited > 0 {
            report.warnings.push(warning(waited, server, &risen));
        }
        report.counts.insert("syn_retries".into(), waited);
        report.sections.push(section);
    }

    fn sum(&self) -> Histograms {
        let mut sum = Histograms::new();
        for each in self.0.iter() {
            let each = each.lock().unwrap_or_else(PoisonError::into_inner);
            for (to, from) in [
                (&mut sum.open, &each.open),
                (&mut sum.lag, &each.lag),
                (&mut sum.tcp, &each.tcp),
                (&mut sum.upgrade, &each.upgrade),
                (&mut sum.failed, &each.failed),
            ] {
                to.add(from).expect("a histogram that grows takes any other");
            }
        }
        sum
    }
}

fn warning(waited: u64, server: SocketAddr, risen: &[Risen]) -> String {
    let why = match Counters::blamed(risen) {
        Some((name, count, meaning)) => format!("{name} has risen by {count}: {meaning}"),
        None if is_local(server) => "no counter of a listener has risen on this machine".into(),
        None => "look at ListenOverflows and ListenDrops in /proc/net/netstat of the server's machine".into(),
    };
    format!("{waited} connections waited for a SYN to be sent again; {why}")
}

impl Histograms {
    fn new() -> Self {
        Self {
            open: histogram(),
            lag: histogram(),
            tcp: histogram(),
            upgrade: histogram(),
            failed: histogram(),
        }
    }
}

impl Underway {
    /// TCP is there, and the outcome of the handshake too.
    pub(crate) fn connected(&mut self, steps: &Steps) {
        self.steps = Some(*steps);
    }

    /// The handshake is done.
    pub(crate) fn opened(&self, shard: usize) {
        let now = clock::now();
        let mut histograms = self.openings.0[shard].lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut histograms.open, now.since(self.intended));
        if let Some(steps) = &self.steps {
            record(&mut histograms.lag, steps.begun.since(self.intended));
            record(&mut histograms.tcp, steps.connected.since(steps.begun));
            record(&mut histograms.upgrade, now.since(steps.connected));
        }
    }

    /// There will be no connection.
    pub(crate) fn failed(&self, shard: usize) {
        let mut histograms = self.openings.0[shard].lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut histograms.failed, clock::now().since(self.intended));
        if let Some(steps) = &self.steps {
            record(&mut histograms.tcp, steps.connected.since(steps.begun));
        }
    }
}

/// An opening whose steps are timed as long as it is under way: a handler hands its calls on to it.
#[derive(Debug)]
pub(crate) struct Timed {
    shard: usize,
    underway: Option<Box<Underway>>,
}

impl Timed {
    /// One that begins on a shard; `None`: nobody wants to know how it goes.
    pub(crate) fn new(shard: usize, underway: Option<Underway>) -> Self {
        Self { shard, underway: underway.map(Box::new) }
    }

    /// TCP is there.
    pub(crate) fn connected(&mut self, steps: &Steps) {
        if let Some(underway) = &mut self.underway {
            underway.connected(steps);
        }
    }

    /// The WebSocket is open.
    pub(crate) fn opened(&mut self) {
        if let Some(underway) = self.underway.take() {
            underway.opened(self.shard);
        }
    }

    /// It has come to nothing.
    pub(crate) fn failed(&self) {
        if let Some(underway) = &self.underway {
            underway.failed(self.shard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_time() {
        let openings = Openings::new(2);
        let now = clock::now();
        let at = |milliseconds: u64| Time(now.0 - 10_000_000_000 + milliseconds * 1_000_000);
        let mut one = openings.begin(at(0));
        one.connected(&Steps { begun: at(10), connected: at(1040) });
        one.opened(0);
        let mut other = openings.begin(at(0));
        other.failed(1);
        other.connected(&Steps { begun: at(0), connected: at(3050) });
        other.failed(1);
        let mut report = Report::default();
        openings.report(&mut report);
        let names: Vec<_> = report.latencies.iter().map(|latency| (&*latency.name, latency.count)).collect();
        let expected = [("open", 1), ("tcp", 2), ("upgrade", 1), ("schedule_lag", 1), ("failed", 2)];
        assert_eq!(names, expected);
        let lag = report.latency("schedule_lag").map_or(0, |latency| latency.max);
        assert!((10_000_000..10_100_000).contains(&lag), "{lag}");
        openings.diagnose("192.0.2.1:80".parse().unwrap(), &Counters::default(), &mut report);
        assert_eq!(report.count("syn_retries"), 2, "1.03 s and 3.05 s");
        assert!(report.warnings[0].contains("of the server's machine"), "{:?}", report.warnings);
    }

    #[test]
    fn the_kernels_reason_is_named() {
        let server = "127.0.0.1:80".parse().unwrap();
        let risen = [("RetransSegs", 9, "sent again"), ("ListenOverflows", 7, "the queue was full")];
        let text = warning(3, server, &risen);
        assert!(text.contains("ListenOverflows has risen by 7: the queue was full"), "{text}");
        assert!(warning(3, server, &risen[..1]).contains("no counter"), "{text}");
    }
}
