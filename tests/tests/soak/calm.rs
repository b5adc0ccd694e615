//! The server when everybody is gone: it holds nothing, and how much memory that takes.

use std::fmt;
use std::time::{Duration, Instant};
use wsring_tests::Peer;
use wsring_tests::process::Process;

/// How long it may take to notice that all are gone, and to forget topics of which all has expired.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calm {
    pub(crate) private_bytes: u64,
    /// Messages that subscribers have skipped since the server started.
    pub(crate) skipped: u64,
    /// Messages passed over for the newest.
    pub(crate) latest: u64,
}

impl Calm {
    /// Waits until the server holds nothing any more.
    pub(crate) fn reached(server: &Process) -> Self {
        let begin = Instant::now();
        loop {
            let metrics = metrics(server);
            let left: Vec<(&str, u64)> = [
                ("wsring_connections", 1),
                ("wsring_subscriptions", 0),
                ("wsring_subscriptions_behind", 0),
                ("wsring_topics", 0),
                ("wsring_patterns", 0),
                ("wsring_retained_bytes", 0),
            ]
            .into_iter()
            // The one connection is that which asks.
            .filter_map(|(name, most)| {
                Some((name, sum(&metrics, name, ""))).filter(|(_, found)| *found > most)
            })
            .collect();
            if left.is_empty() {
                return Self {
                    private_bytes: server.private_bytes(),
                    skipped: sum(&metrics, "wsring_missed_total", "policy=\"skip\""),
                    latest: sum(&metrics, "wsring_missed_total", "policy=\"latest\""),
                };
            }
            assert!(begin.elapsed() < PATIENCE, "all are gone, and the server still has {left:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl fmt::Display for Calm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "then {} KiB of private memory", self.private_bytes >> 10)
    }
}

fn metrics(server: &Process) -> String {
    let mut peer = Peer::connect(server.address());
    peer.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = peer.answer();
    assert_eq!(answer.status, 200);
    answer.text()
}

/// The samples of a family, added up: those with this label.
fn sum(metrics: &str, name: &str, label: &str) -> u64 {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
        let value = rest.rsplit_once(' ')?.1;
        rest.contains(label).then(|| value.parse::<f64>().unwrap() as u64)
    });
    let samples: Vec<u64> = samples.collect();
    assert!(!samples.is_empty(), "no {name} in\n{metrics}");
    samples.iter().sum()
}
