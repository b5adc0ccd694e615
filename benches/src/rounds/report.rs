//! What a load client says when nobody leads it.

use super::{Senders, Target};
use crate::comparison::Window;
use crate::comparison::summary::limit;
use crate::driven::say;
use std::io;

/// Prints the figures of a window: as one line of JSON, or for people.
///
/// # Errors
/// Nobody reads it; or some of what came was wrong, which is said after the figures.
pub fn report(window: &Window, target: &Target, json: bool) -> io::Result<()> {
    say(&if json { serde_json::to_string(window)? } else { text(window, target) })?;
    match window.errors {
        0 => Ok(()),
        errors => Err(io::Error::other(format!("{errors} of {} messages were wrong", window.messages))),
    }
}

fn text(window: &Window, target: &Target) -> String {
    let receivers = u64::from(target.receivers);
    let senders = if target.senders == Senders::Receivers { receivers } else { 1 };
    let rounds = window.messages / (receivers * senders * target.burst as u64);
    let side = |name: &str, cpu: f64, share: f64| {
        format!("{name}: {:.1} ns of CPU per delivery, {:.0} % of a core\n", cpu, share * 100.0)
    };
    let mut text = format!(
        "{senders} to {receivers}, {} B: {rounds} rounds in {:.2} s, {:.3} million deliveries per second\n\
         round: median {:.0} us, 99th percentile {:.0} us\n",
        target.payload,
        window.seconds,
        window.rate / 1e6,
        window.latency_p50_us,
        window.latency_p99_us,
    );
    let client_cpu = window.client_cpu_ns as f64 / window.messages as f64;
    text += &side("client", client_cpu, window.client_use());
    if window.server_cpu_ns.is_some() {
        text += &side("server", window.cpu_ns_per_message(), window.server_use());
    }
    text + limit(window).text()
}
