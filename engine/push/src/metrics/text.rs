//! OpenMetrics as text (the specification 1.0): families with their type, unit and help, samples, an end.

use std::fmt::{Display, Write};

/// The content type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What kind of number a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Goes up and down.
    Gauge,
    /// Only goes up; its samples are called `NAME_total`.
    Counter,
    /// Counts by size.
    Histogram,
    /// Always 1; the labels are what it is for.
    Info,
}

/// A text that grows by families.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

/// A family whose samples follow.
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    suffix: &'static str,
}

impl Exposition {
    /// Begins a family. A name that ends in a unit is said to have it.
    pub(crate) fn family(&mut self, name: &'static str, kind: Type, help: &str) -> Family<'_> {
        let (word, suffix) = match kind {
            Type::Gauge => ("gauge", ""),
            Type::Counter => ("counter", "_total"),
            Type::Histogram => ("histogram", ""),
            Type::Info => ("info", "_info"),
        };
        // A String takes everything, here and below.
        let _ = writeln!(self.text, "# TYPE {name} {word}");
        if let Some(unit) = ["bytes", "seconds"].iter().find(|unit| name.ends_with(*unit)) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {}", escaped(help));
        Family { text: &mut self.text, name, suffix }
    }

    /// The whole text.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub(crate) fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.line(self.suffix, labels, value);
    }

    /// The samples of one histogram: counts up to each bound, in all, and the sum. The last count is of
    /// what exceeds all bounds.
    pub(crate) fn histogram(
        &mut self,
        label: (&str, &dyn Display),
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) {
        let mut below = 0;
        for (index, count) in counts.iter().enumerate() {
            below += count;
            match bounds.get(index) {
                Some(bound) => self.line("_bucket", &[label, ("le", bound)], below),
                None => self.line("_bucket", &[label, ("le", &"+Inf")], below),
            }
        }
        self.line("_count", &[label], below);
        self.line("_sum", &[label], sum);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(&value.to_string()));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
