//! From values to places on an axis, and the marks that make it readable.

use crate::report::words::{number, quantity, trimmed};
use crate::threshold::Nanos;

/// Marks that an axis has at most, about.
const TICKS: f64 = 6.0;

/// What an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// With the unit, where the marks do not say it.
    pub(crate) label: String,
    pub(crate) scale: Scale,
    pub(crate) unit: Unit,
}

/// How values lie on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From the least to the greatest.
    Linear,
    /// From zero: lengths can be compared.
    FromZero,
    /// Equal ratios are equal lengths.
    Log,
    /// Values are log10(1 / (1 - quantile)): each nine is as long as the one before.
    Percentile,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanos,
    Seconds,
    Bytes,
    /// A number for which the label says what it is.
    Plain,
    /// As [`Scale::Percentile`].
    Percentile,
    /// A share by which something differs.
    Change,
}

/// An axis for certain values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted {
    scale: Scale,
    low: f64,
    high: f64,
    pub(crate) ticks: Vec<Tick>,
}

/// A mark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Share of the axis that lies before it.
    pub(crate) at: f64,
    /// Empty: a line without words.
    pub(crate) label: String,
}

impl Unit {
    /// Of a unit of a fact in the model.
    pub(crate) fn of(unit: &str) -> Self {
        match unit {
            "ns" => Self::Nanos,
            "s" => Self::Seconds,
            "B" => Self::Bytes,
            _ => Self::Plain,
        }
    }

    /// A value as it is read at the pointer.
    pub(crate) fn exact(self, value: f64) -> String {
        match self {
            Self::Nanos => quantity(value, "ns"),
            Self::Seconds => format!("{value:.1} s"),
            Self::Bytes => quantity(value, "B"),
            Self::Plain => number(value),
            Self::Change => format!("{:+.1} %", value * 100.0),
            Self::Percentile => {
                let percentile = 100.0 * (1.0 - 10f64.powf(-value));
                let decimals = (value.ceil() as usize).saturating_sub(1);
                format!("p{}", trimmed(&format!("{percentile:.decimals$}")))
            }
        }
    }

    /// The value of a mark: round, so that few digits say it.
    fn mark(self, value: f64) -> String {
        match self {
            Self::Nanos => marked(&Nanos(value).to_string()),
            Self::Seconds => format!("{} s", number(value)),
            Self::Bytes => quantity(value, "B"),
            Self::Plain => thousands(value),
            Self::Percentile => self.exact(value),
            Self::Change if value == 0.0 => String::from("0"),
            Self::Change => {
                format!("{}{} %", if value < 0.0 { "-" } else { "+" }, number((value * 100.0).abs()))
            }
        }
    }
}

/// Without zeros after the point: `1.00 ms` is `1 ms`.
fn marked(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) => {
            format!("{} {unit}", trimmed(number))
        }
        _ => text.to_owned(),
    }
}

/// `150,000` as `150 k`.
fn thousands(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 1e9 => format!("{} G", number(value / 1e9)),
        magnitude if magnitude >= 1e6 => format!("{} M", number(value / 1e6)),
        magnitude if magnitude >= 1e4 => format!("{} k", number(value / 1e3)),
        _ => number(value),
    }
}

impl Axis {
    pub(crate) fn new(label: &str, scale: Scale, unit: Unit) -> Self {
        Self { label: label.to_owned(), scale, unit }
    }

    /// The axis that holds these values.
    pub(crate) fn fit(&self, values: impl Iterator<Item = f64>) -> Fitted {
        // A logarithm has no place for zero, and a time of less than a nanosecond is not measured.
        let floor = if self.scale == Scale::Log { 1.0 } else { f64::NEG_INFINITY };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value.max(floor)), high.max(value.max(floor)));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        match self.scale {
            Scale::Linear => self.linear(low, high),
            Scale::FromZero => self.linear(low.min(0.0), high),
            Scale::Log => self.logarithmic(low.max(f64::MIN_POSITIVE), high),
            Scale::Percentile => self.nines(high),
        }
    }

    fn linear(&self, low: f64, high: f64) -> Fitted {
        // Nothing, or one value: any axis will do that has a length.
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        let step = self.step((high - low) / TICKS);
        let is_exact = self.scale == Scale::Linear;
        // The values of a vertical axis end at a mark; those of a horizontal one where they end.
        let end = if is_exact { high } else { (high / step - 1e-9).ceil() * step };
        let (first, last) = ((low / step - 1e-9).ceil() as i64, (end / step + 1e-9).floor() as i64);
        let values = (first..=last).map(|index| index as f64 * step);
        self.marked(low, end, values.map(|value| (value, true)))
    }

    /// The least of 1, 2, 5 times a power of ten (or of two, for bytes) that is not below.
    fn step(&self, least: f64) -> f64 {
        if self.unit == Unit::Bytes {
            return 2f64.powf(least.log2().ceil());
        }
        let power = 10f64.powf(least.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
        factor.unwrap_or(10.0) * power
    }

    /// From a mark to a mark, where marks are at 1, 2 and 5 times a power of ten.
    fn logarithmic(&self, low: f64, high: f64) -> Fitted {
        let index_at = |value: f64| {
            let power = value.log10().floor();
            let mantissa = value / 10f64.powf(power);
            (power as i64, mantissa)
        };
        let (power, mantissa) = index_at(low * (1.0 + 1e-9));
        let first =
            power * 3 + [1.0, 2.0, 5.0].iter().rposition(|mark| *mark <= mantissa).unwrap_or(0) as i64;
        let (power, mantissa) = index_at(high * (1.0 - 1e-9));
        let above = [1.0, 2.0, 5.0, 10.0].iter().position(|mark| *mark >= mantissa).unwrap_or(3) as i64;
        let last = (power * 3 + above).max(first + 1);
        let value = |index: i64| {
            [1.0, 2.0, 5.0][index.rem_euclid(3) as usize] * 10f64.powi(index.div_euclid(3) as i32)
        };
        // Few marks: all of them can be named. Many: whole powers of ten alone.
        let is_short = last - first <= TICKS as i64;
        let ticks = (first..=last).map(|index| (value(index), is_short || index.rem_euclid(3) == 0));
        self.marked(value(first), value(last), ticks)
    }

    /// p50, p90, p99, ... up to the last.
    fn nines(&self, high: f64) -> Fitted {
        let high = high.max(0.5);
        let median = 2f64.log10();
        let values = [median].into_iter().chain((1..=9).map(f64::from)).filter(|value| *value <= high + 1e-9);
        self.marked(0.0, high, values.map(|value| (value, true)))
    }

    fn marked(&self, low: f64, high: f64, values: impl Iterator<Item = (f64, bool)>) -> Fitted {
        let mut fitted = Fitted { scale: self.scale, low, high, ticks: Vec::new() };
        let mark = |value, is_named| if is_named { self.unit.mark(value) } else { String::new() };
        fitted.ticks = values
            .map(|(value, is_named)| Tick { at: fitted.at(value), label: mark(value, is_named) })
            .collect();
        fitted
    }
}

impl Fitted {
    /// Share of the axis that lies before a value, 0 to 1.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = if self.scale == Scale::Log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the marks, and where the first and the last named one are in per cent.
    fn check(scale: Scale, unit: Unit, values: &[f64], labels: &str, ends: (i64, i64)) {
        let fitted = Axis::new("", scale, unit).fit(values.iter().copied());
        let named: Vec<_> = fitted.ticks.iter().filter(|tick| !tick.label.is_empty()).collect();
        let found: Vec<_> = named.iter().map(|tick| tick.label.as_str()).collect();
        let at = |tick: Option<&&Tick>| tick.map_or(-1, |tick| (tick.at * 100.0).round() as i64);
        assert_eq!(
            (found.join(" | ").as_str(), at(named.first()), at(named.last())),
            (labels, ends.0, ends.1)
        );
        for value in values.iter().filter(|value| value.is_finite()) {
            assert!((0.0..=1.0).contains(&fitted.at(*value)), "{value} in {fitted:?}");
        }
    }

    #[test]
    fn marks_are_round_and_hold_the_values() {
        check(
            Scale::FromZero,
            Unit::Plain,
            &[0.0, 98_432.0],
            "0 | 20 k | 40 k | 60 k | 80 k | 100 k",
            (0, 100),
        );
        check(Scale::FromZero, Unit::Plain, &[0.13, 0.98], "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1", (0, 100));
        check(
            Scale::FromZero,
            Unit::Bytes,
            &[700e6],
            "0 B | 128 MiB | 256 MiB | 384 MiB | 512 MiB | 640 MiB | 768 MiB",
            (0, 100),
        );
        check(Scale::FromZero, Unit::Plain, &[0.0, 0.0], "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1", (0, 100));
        check(Scale::FromZero, Unit::Plain, &[], "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1", (0, 100));
        check(Scale::Linear, Unit::Seconds, &[2.0, 12.0], "2 s | 4 s | 6 s | 8 s | 10 s | 12 s", (0, 100));
        check(Scale::Linear, Unit::Seconds, &[2.5, 11.5], "4 s | 6 s | 8 s | 10 s", (17, 83));
        check(Scale::Log, Unit::Nanos, &[12e3, 3.1e6], "10 us | 100 us | 1 ms", (0, 74));
        check(Scale::Log, Unit::Nanos, &[12e3, 31e3], "10 us | 20 us | 50 us", (0, 100));
        check(Scale::Log, Unit::Nanos, &[1e6], "1 ms | 2 ms", (0, 100));
        check(
            Scale::Log,
            Unit::Nanos,
            &[0.0, 1e9],
            "1 ns | 10 ns | 100 ns | 1 us | 10 us | 100 us | 1 ms | 10 ms | 100 ms | 1 s",
            (0, 100),
        );
        check(Scale::Percentile, Unit::Percentile, &[0.0, 4.0], "p50 | p90 | p99 | p99.9 | p99.99", (8, 100));
        check(Scale::Linear, Unit::Change, &[-0.12, 0.31], "-10 % | 0 | +10 % | +20 % | +30 %", (5, 98));
        check(Scale::Percentile, Unit::Percentile, &[0.0, 1.3], "p50 | p90", (23, 77));
    }

    #[test]
    fn values_at_the_pointer() {
        let table = [
            (Unit::Percentile, 2.0, "p99"),
            (Unit::Percentile, 3.05, "p99.911"),
            (Unit::Percentile, 0.0, "p0"),
            (Unit::Seconds, 12.04, "12.0 s"),
            (Unit::Nanos, 1234.0, "1.23 us"),
            (Unit::Plain, 98_432.0, "98,432"),
            (Unit::Change, -0.0123, "-1.2 %"),
        ];
        for (unit, value, text) in table {
            assert_eq!(unit.exact(value), text);
        }
    }
}
