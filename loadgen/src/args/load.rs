//! What workloads that send messages have in common.

use super::KindChoice;
use crate::clock;
use crate::failure::Failure;
use crate::load::size::SizeChoice;
use crate::units::time;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use wsring::Time;

/// What messages look like.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageOptions {
    /// Payload of each message, up to 64MiB: 64, 1KiB, uniform:10-1000, lognormal:200,1.5 (median, and standard
    /// deviation of the logarithm), zipf:64-65536. It begins with the message's number, of which less than 8
    /// bytes (16 as text) hold a part.
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<SizeChoice>,
    /// Type of the messages.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindChoice>,
    /// Send the lines of this file in turn, as text unless --kind says otherwise.
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    pub(crate) file: Option<PathBuf>,
    /// Send the whole file as one message.
    #[arg(long, requires = "file")]
    pub(crate) file_whole: bool,
    /// Frames that each message is sent in.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) fragments: u32,
}

/// How long everything takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Phases")]
pub(crate) struct PhaseOptions {
    /// Rest between opening the connections and the first message.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = time)]
    pub(crate) settle: Duration,
    /// Begin the load, with its warm-up, when the wall clock says so many seconds since 1970: several processes, on
    /// several hosts, then begin together. `date +%s -d '20 seconds'` gives such a time.
    #[arg(long, value_name = "SECONDS", value_parser = unix_seconds)]
    pub(crate) start_at: Option<f64>,
    /// Load before measuring begins.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) warm_up: Duration,
    /// How long to measure.
    #[arg(long, value_name = "TIME", value_parser = positive)]
    pub(crate) duration: Option<Duration>,
    /// How long to wait for the last answers after that.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(crate) drain_timeout: Duration,
    /// Pieces in which the measured time is reported.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = positive)]
    pub(crate) interval: Duration,
}

/// How much of the generator's own trouble a run may have.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Validity")]
pub(crate) struct HealthOptions {
    /// Longest 99th percentile of the time by which messages leave, or openings begin, later than the schedule wants
    /// it. When not given: a tenth of the 99th percentile of response, and 1ms at least; of connect and churn: a tenth
    /// of that of open, and 10ms at least.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) lag_max: Option<Duration>,
    /// Do not call a run INVALID (exit code 4) when the generator was its limit: warn instead. Right where only
    /// the generator's own throughput is of interest.
    #[arg(long)]
    pub(crate) allow_limited: bool,
}

impl PhaseOptions {
    /// Looks whether the load can still begin when it is to, before anything is opened for it.
    ///
    /// # Errors
    /// The caller's fault: that time has passed.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.start_at.map(|start| start - clock::unix_seconds()) {
            Some(ahead) if ahead < 0.0 => Err(Failure::Usage(format!(
                "--start-at was {:.1} s ago: name a later time, which all are ready by",
                -ahead
            ))),
            _ => Ok(()),
        }
    }

    /// When the load begins: after a rest, or at the time that was named.
    ///
    /// # Errors
    /// The caller's fault: that time has passed before all connections were open.
    pub(crate) fn begin(&self) -> Result<Time, Failure> {
        let rested = clock::now().after(self.settle);
        match self.start_at.map(clock::at_unix) {
            None => Ok(rested),
            Some(begin) if begin >= rested => Ok(begin),
            Some(begin) => Err(Failure::Usage(format!(
                "--start-at comes {:.1} s before all connections are open and have rested: name a later time",
                rested.since(begin).as_secs_f64()
            ))),
        }
    }

    /// How long to measure: as asked for, or as a preset has it, or ten seconds.
    pub(crate) fn duration(&self, preset: Option<Duration>) -> Duration {
        self.duration.or(preset).unwrap_or(Duration::from_secs(10))
    }
}

/// A duration that is not zero.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err("it has to be more than 0".into()),
        time => Ok(time),
    }
}

/// Seconds since 1970, fractions too.
fn unix_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e11).contains(seconds));
    seconds.ok_or_else(|| {
        format!("{text:?} is no time; write it as seconds since 1970, which `date +%s` prints")
    })
}

/// A rate, as in `1000`, `0.5`, `20k` or `1.5M`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix('k') {
        Some(number) => (number, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |number| (number, 1e6)),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * factor);
    let wrong = || format!("{text:?} is no rate; write it as 1000, 0.5, 20k or 1.5M");
    rate.filter(|rate| (1e-6..=1e9).contains(rate)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, value) in [("1000", 1000.0), ("0.5", 0.5), ("20k", 20_000.0), ("1.5M", 1_500_000.0)] {
            assert_eq!(rate(text), Ok(value));
        }
        for text in ["", "0", "-1", "k", "nan", "inf", "5G", "1e12"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert!(
            unix_seconds("1764042000.5").is_ok()
                && unix_seconds("-1").is_err()
                && unix_seconds("noon").is_err()
        );
        assert!(positive("0").is_err() && positive("5ms").is_ok());
    }
}
