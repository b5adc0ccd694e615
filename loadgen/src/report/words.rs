//! Numbers and their units, and the load, as people read them.

use crate::model::{Arrivals, Latency, Load, Model, Value};
use crate::threshold::Nanos;

/// Stands for what was not measured, or of too few samples.
pub(crate) const UNKNOWN: &str = "-";

/// What a workload's answers are, as in a rate of them.
pub(crate) fn answered(workload: &str) -> &'static str {
    if workload == "fanout" { "delivered" } else { "answered" }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As many digits as say something: `0.00123`, `1.23`, `123`, `1,235`.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    match value.abs() {
        magnitude if magnitude >= 999.5 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", grouped(magnitude.round() as u64))
        }
        magnitude if magnitude >= 99.95 => format!("{value:.0}"),
        magnitude if magnitude >= 9.995 => trimmed(&format!("{value:.1}")),
        magnitude if magnitude >= 0.01 || magnitude == 0.0 => trimmed(&format!("{value:.2}")),
        _ => format!("{value:.2e}"),
    }
}

/// Without zeros after the point that say nothing.
pub(crate) fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// A number of things, the last word in the plural where it is not one.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// Bytes in powers of 1024.
pub(crate) fn bytes(value: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut power = 0;
    let mut scaled = value;
    while scaled.abs() >= 1023.5 && power + 1 < units.len() {
        scaled /= 1024.0;
        power += 1;
    }
    format!("{} {}", number(scaled), units[power])
}

/// Nanoseconds, or the sign for unknown.
pub(crate) fn nanos(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| Nanos(value as f64).to_string())
}

/// A value of a latency; one that its clocks cannot tell is only said to be less than they can.
pub(crate) fn latency(of: &Latency, value: Option<f64>) -> String {
    match (value, of.uncertainty) {
        (None, _) => UNKNOWN.to_owned(),
        (Some(value), Some(uncertainty)) if !of.can_tell(value) => format!("< {}", Nanos(uncertainty as f64)),
        (Some(value), _) => Nanos(value).to_string(),
    }
}

/// A number with a unit of a fact in the model.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "ns" => Nanos(value).to_string(),
        "s" if value.abs() < 1.0 && value != 0.0 => Nanos(value * 1e9).to_string(),
        "B" => bytes(value),
        "1/s" => format!("{} per second", number(value)),
        "" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

/// A value of a section.
pub(crate) fn value(value: &Value, unit: &str) -> String {
    match value {
        Value::Count(count) if unit.is_empty() => grouped(*count),
        Value::Count(count) => quantity(*count as f64, unit),
        Value::Number(number) => quantity(*number, unit),
        Value::Text(text) if unit.is_empty() => text.clone(),
        Value::Text(text) => format!("{text} {unit}"),
        Value::Unknown => UNKNOWN.to_owned(),
    }
}

/// A share in per cent.
pub(crate) fn share(value: f64) -> String {
    format!("{} %", number(value * 100.0))
}

/// `out_of_order` as `out of order`.
pub(crate) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// What was asked of the server, in a line.
pub(crate) fn load(load: &Load) -> String {
    let model = match load.model {
        Model::None => None,
        Model::Closed { depth } => Some(format!("closed loop, depth {depth}")),
        Model::Open { rate, arrivals } => {
            let arrivals = match arrivals {
                Arrivals::Fixed => "at fixed distances",
                Arrivals::Poisson => "as a Poisson process",
                Arrivals::Burst => "on all connections at once",
            };
            Some(format!("open loop, {} messages per second {arrivals}", number(rate)))
        }
    };
    let connections = counted(load.connections, "connection");
    let message = [load.size.as_str(), load.kind.as_str()].join(" ").trim().to_owned();
    let preset = load.preset.as_ref().map(|preset| format!("preset {preset}"));
    let parts = [model, Some(connections), Some(message), preset];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Unix time in UTC: `2026-01-31 12:34:56 UTC`.
pub(crate) fn moment(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the proleptic Gregorian calendar, in years that begin with March: the algorithm of
    // Howard Hinnant's "chrono-compatible low-level date algorithms".
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let table = [
            (0.0, "0"),
            (0.001_234, "1.23e-3"),
            (0.05, "0.05"),
            (1.0, "1"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (999.4, "999"),
            (999.6, "1,000"),
            (-1_234_567.0, "-1,234,567"),
            (f64::NAN, "-"),
        ];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn quantities() {
        let table = [
            (1_500_000.0, "ns", "1.50 ms"),
            (0.25, "s", "250 ms"),
            (12.5, "s", "12.5 s"),
            (1023.0, "B", "1,023 B"),
            (1536.0, "B", "1.5 KiB"),
            (3e12, "B", "2.73 TiB"),
            (98_000.4, "1/s", "98,000 per second"),
            (12.5, "%", "12.5 %"),
            (2.0, "", "2"),
        ];
        for (value, unit, text) in table {
            assert_eq!(quantity(value, unit), text);
        }
        assert_eq!(value(&Value::Count(12_345), ""), "12,345");
        assert_eq!(value(&Value::Unknown, "ns"), "-");
    }

    #[test]
    fn what_clocks_cannot_tell_is_no_figure() {
        let certain = Latency::default();
        let uncertain = Latency { uncertainty: Some(120_000), ..Latency::default() };
        let table = [
            (&certain, Some(5.0), "5 ns"),
            (&uncertain, Some(119_999.0), "< 120 us"),
            (&uncertain, Some(120_000.0), "120 us"),
            (&uncertain, None, "-"),
        ];
        for (of, value, text) in table {
            assert_eq!(latency(of, value), text);
        }
    }

    #[test]
    fn moments() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399_000, "2000-02-28 23:59:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (4_107_542_400_999, "2100-03-01 00:00:00 UTC"),
            (1_769_862_896_000, "2026-01-31 12:34:56 UTC"),
        ];
        for (unix_ms, text) in table {
            assert_eq!(moment(unix_ms), text);
        }
    }

    #[test]
    fn loads() {
        let open = Model::Open { rate: 50_000.0, arrivals: Arrivals::Poisson };
        let table = [
            (Model::None, "", "", "1,000 connections"),
            (
                Model::Closed { depth: 2 },
                "64 B",
                "binary",
                "closed loop, depth 2, 1,000 connections, 64 B binary",
            ),
            (
                open,
                "20 B",
                "text",
                "open loop, 50,000 messages per second as a Poisson process, 1,000 connections, 20 B text",
            ),
        ];
        for (model, size, kind, text) in table {
            let asked = Load { model, connections: 1000, kind: kind.into(), size: size.into(), preset: None };
            assert_eq!(load(&asked), text);
        }
    }
}
