//! Slow readers among healthy ones.

use crate::units::size;
use clap::Args;

/// Connections that do not read as fast as they could.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Slow readers")]
pub(crate) struct SlowOptions {
    /// Share of the connections that read slowly, 0 to 1, spread evenly. That a server ends them is no failure; what
    /// became of them is reported.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) slow: f64,
    /// Bytes of messages that each of them reads per second; 0: nothing at all, from its opening on.
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size)]
    pub(crate) slow_rate: usize,
    /// Receive buffer of each of them (SO_RCVBUF): a small one has the server notice sooner.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) slow_receive_buffer: Option<usize>,
    /// Text by which a message is recognised as a notice of missed messages; they are counted.
    #[arg(long, value_name = "TEXT", default_value = "\"gap\":")]
    pub(crate) gap_notice: String,
}

/// A number from 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("{text:?} is no share; write it as 0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("0.25", Some(0.25)),
            ("1", Some(1.0)),
            ("1.1", None),
            ("x", None),
            ("-0.1", None),
            ("NaN", None),
        ] {
            assert_eq!(share(text).ok(), expected, "{text}");
        }
    }
}
