//! What the rounds of a comparison come to: medians, ratios within rounds, and doubts.

use super::Window;
use super::scenario::Case;
use serde::Serialize;

/// Rounds of one server that differ by more than this share of their median are doubtful.
const SPREAD_MAX: f64 = 0.10;
/// More of the server's core than this used by others is worth a warning.
const FOREIGN_MAX: f64 = 0.02;

/// A process that runs for this share of the time fills its core.
const FULL: f64 = 0.95;

/// What kept the rate from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The server's core.
    Server,
    /// The client's core.
    Client,
    /// Neither core.
    Neither,
}

impl Limit {
    /// In a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Server => "the server is the limit",
            Self::Client => {
                "the client is the limit: the rate says little about the server, its CPU time counts"
            }
            Self::Neither => {
                "neither fills its core: they wait for each other, or the host took time from them"
            }
        }
    }
}

/// What was the limit in a window.
pub fn limit(window: &Window) -> Limit {
    if window.server_use() >= FULL {
        Limit::Server
    } else if window.client_use() >= FULL {
        Limit::Client
    } else {
        Limit::Neither
    }
}

/// Smallest, middle and largest of some figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle, or the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one figure.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Self { min, median, max }
    }

    /// The distance from smallest to largest as a share of the median.
    pub fn relative(&self) -> f64 {
        (self.max - self.min) / self.median
    }
}

/// One server in one comparison.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Connections that receive.
    pub connections: u32,
    /// Bytes of a message.
    pub payload: usize,
    /// Who.
    pub server: String,
    /// CPU nanoseconds per message over the rounds.
    pub cpu_ns_per_message: Spread,
    /// Those divided by the first server's of the same round.
    pub ratio: Spread,
    /// Messages per second.
    pub rate: Spread,
    /// Those divided by the first server's of the same round.
    pub rate_ratio: Spread,
    /// Median latency, microseconds.
    pub latency_p50_us: Spread,
    /// 99th percentile, microseconds.
    pub latency_p99_us: Spread,
    /// How busy the server was, 1 for all of its core.
    pub server_use: Spread,
    /// How busy the client was.
    pub client_use: Spread,
}

impl Line {
    /// Sums up the rounds of a server beside those of the first; same order, same number.
    pub fn of(case: Case, server: &str, rounds: &[Window], first: &[Window]) -> Self {
        let over = |figure: fn(&Window) -> f64| Spread::of(rounds.iter().map(figure));
        let ratio = |figure: fn(&Window) -> f64| {
            Spread::of(rounds.iter().zip(first).map(|(own, first)| figure(own) / figure(first)))
        };
        Self {
            connections: case.connections,
            payload: case.payload,
            server: server.to_owned(),
            cpu_ns_per_message: over(Window::cpu_ns_per_message),
            ratio: ratio(Window::cpu_ns_per_message),
            rate: over(|window| window.rate),
            rate_ratio: ratio(|window| window.rate),
            latency_p50_us: over(|window| window.latency_p50_us),
            latency_p99_us: over(|window| window.latency_p99_us),
            server_use: over(Window::server_use),
            client_use: over(Window::client_use),
        }
    }
}

/// Reasons to doubt the rounds of one server.
pub fn doubts(case: Case, server: &str, rounds: &[Window]) -> Vec<String> {
    let mut doubts = Vec::new();
    let Case { connections, payload } = case;
    let mut doubt =
        |text: String| doubts.push(format!("{server}, {connections} connections, {payload} B: {text}"));
    let spread = Spread::of(rounds.iter().map(Window::cpu_ns_per_message));
    if spread.relative() > SPREAD_MAX {
        doubt(format!(
            "rounds differ by {:.0} % of the median; quieten the machine",
            spread.relative() * 100.0
        ));
    }
    if rounds.iter().filter(|window| limit(window) == Limit::Client).count() * 2 > rounds.len() {
        doubt(Limit::Client.text().to_owned());
    }
    let steal: u64 = rounds.iter().filter_map(|window| window.core_steal_ns).sum();
    if steal > 0 {
        doubt(format!("the hypervisor took {} ms from the server's core", steal / 1_000_000));
    }
    let foreign = rounds.iter().map(Window::foreign_use).fold(0.0, f64::max);
    if foreign > FOREIGN_MAX {
        doubt(format!("others used up to {:.0} % of the server's core", foreign * 100.0));
    }
    if let Some(threads) = rounds.iter().filter_map(|window| window.server_threads).max().filter(|&n| n > 1) {
        doubt(format!("the server ran {threads} threads; all are counted"));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case { connections: 200, payload: 20 };

    fn window(cpu_ns: u64) -> Window {
        Window {
            messages: 1_000_000,
            errors: 0,
            seconds: 4.0,
            rate: 250_000.0,
            latency_p50_us: 1.0,
            latency_p99_us: 2.0,
            messages_per_turn: 20.0,
            client_cpu_ns: 0,
            server_cpu_ns: Some(cpu_ns),
            server_threads: Some(1),
            core_busy_ns: Some(cpu_ns + 10_000_000),
            core_steal_ns: Some(0),
        }
    }

    #[test]
    fn medians() {
        let cases: [(&[f64], f64); 4] =
            [(&[3.0], 3.0), (&[1.0, 2.0], 1.5), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 3.0, 2.0], 2.5)];
        for (figures, median) in cases {
            assert_eq!(Spread::of(figures.iter().copied()).median, median, "{figures:?}");
        }
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let first = [window(1_000_000_000), window(2_000_000_000)];
        let own = [window(1_100_000_000), window(2_200_000_000)];
        let line = Line::of(CASE, "own", &own, &first);
        assert!((line.ratio.min - 1.1).abs() < 1e-9 && (line.ratio.max - 1.1).abs() < 1e-9, "{line:?}");
        assert_eq!(line.cpu_ns_per_message.median, 1650.0);
        assert_eq!(line.rate_ratio.median, 1.0);
    }

    #[test]
    fn the_limit_is_whose_core_is_full() {
        let cases = [
            (3_900_000_000, 3_900_000_000, Limit::Server),
            (3_000_000_000, 3_900_000_000, Limit::Client),
            (3_000_000_000, 3_000_000_000, Limit::Neither),
        ];
        for (server, client, expected) in cases {
            let window = Window { client_cpu_ns: client, ..window(server) };
            assert_eq!(limit(&window), expected, "server {server}, client {client}");
            let spoken = doubts(CASE, "some", &[window]).iter().any(|doubt| doubt.contains("the client is"));
            assert_eq!(spoken, expected == Limit::Client);
        }
    }

    #[test]
    fn doubts_are_spoken() {
        assert_eq!(doubts(CASE, "quiet", &[window(1_000_000_000), window(1_050_000_000)]), [""; 0]);
        let mut loud = window(1_200_000_000);
        loud.core_steal_ns = Some(30_000_000);
        loud.core_busy_ns = Some(3_000_000_000);
        loud.server_threads = Some(3);
        let doubts = doubts(CASE, "loud", &[window(1_000_000_000), loud]);
        for part in ["differ by 18 %", "took 30 ms", "45 % of", "3 threads"] {
            assert!(doubts.iter().any(|doubt| doubt.contains(part)), "{part} in {doubts:?}");
        }
    }
}
