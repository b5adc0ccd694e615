//! `wsload echo`.

use super::load::{HealthOptions, MessageOptions, PhaseOptions, positive, rate};
use super::{Common, KindChoice, SlowOptions};
use crate::failure::Failure;
use crate::limits::calibrate::CeilingChoice;
use crate::load::presets::{Preset, Sending};
use crate::load::schedule::{Arrivals, Model};
use crate::load::size::SizeChoice;
use clap::Args;
use std::time::Duration;

/// Durations are written as in 30s, 500ms, 2m; sizes as in 20, 64KiB, 1MiB; rates as in 500, 20k, 1.5M.
///
/// Without --message-rate this is a closed loop: each answer is followed by the next message, so that a slow
/// server is asked less often, and its latency says nothing about a given rate. With it the load is open:
/// messages leave by the schedule, whatever is answered, and response times count from the moment at which the
/// schedule wanted them to leave.
#[derive(Clone, Debug, Args)]
pub(crate) struct EchoOptions {
    /// Connections; 100 when neither this nor a preset says otherwise.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: Option<u32>,
    /// Closed loop: messages that each connection has on their way at once; 1 when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) depth: Option<u32>,
    /// Open loop: messages a second, of all connections together.
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "depth")]
    pub(crate) message_rate: Option<f64>,
    /// Open loop: how messages are spread over time; fixed when not given.
    #[arg(long, value_enum)]
    pub(crate) arrivals: Option<Arrivals>,
    /// Open loop: give a connection no further message while it has so many on their way. Messages that are held
    /// back by this are counted, and the run is not met. There is no such limit otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "depth")]
    pub(crate) in_flight_max: Option<u32>,
    /// The parameters of a well-known benchmark, where nothing else is given: see --help.
    #[arg(long, value_name = "NAME", value_parser = Preset::parser())]
    pub(crate) preset: Option<String>,
    /// Give a message up when it has no answer for so long (noticed up to an eighth of that later, or up to 80ms where
    /// that is more): a closed loop goes on with the next one, and an answer that comes after all is counted as late.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) answer_timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) messages: MessageOptions,
    #[command(flatten)]
    pub(crate) slow: SlowOptions,
    #[command(flatten)]
    pub(crate) phases: PhaseOptions,
    #[command(flatten)]
    pub(crate) health: HealthOptions,
    /// What this generator can do at most, for the share that this run has used of it: a file that `wsload
    /// calibrate` wrote, or auto for what it last left on this host.
    #[arg(long, value_name = "FILE", default_value = "auto", help_heading = "Validity")]
    pub(crate) ceiling: CeilingChoice,
}

impl EchoOptions {
    /// The benchmark whose parameters are the defaults.
    pub(crate) fn preset(&self) -> Option<&'static Preset> {
        self.preset.as_deref().and_then(Preset::named)
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.or_else(|| self.preset().map(|preset| preset.connections)).unwrap_or(100)
    }

    pub(crate) fn size(&self) -> SizeChoice {
        let preset = self.preset().map(|preset| SizeChoice::Fixed(preset.size));
        self.messages.size.clone().or(preset).unwrap_or(SizeChoice::Fixed(64))
    }

    pub(crate) fn kind(&self) -> KindChoice {
        let file = self.messages.file.as_ref().map(|_| KindChoice::Text);
        let preset = || self.preset().map(|preset| preset.kind);
        self.messages.kind.or(file).or_else(preset).unwrap_or(KindChoice::Binary)
    }

    pub(crate) fn duration(&self) -> Duration {
        self.phases.duration(self.preset().and_then(|preset| preset.seconds).map(Duration::from_secs))
    }

    /// What decides when the next message goes out.
    ///
    /// # Errors
    /// The caller's fault: an option of an open loop, and no rate for one.
    pub(crate) fn model(&self) -> Result<Model, Failure> {
        let arrivals = self.arrivals.unwrap_or(Arrivals::Fixed);
        let open = |rate| Ok(Model::Open { rate, arrivals, in_flight_max: self.in_flight_max });
        let preset = self.preset().map(|preset| preset.sending);
        let depth = match (self.message_rate, self.depth, preset) {
            (Some(rate), _, _) => return open(rate),
            (_, None, Some(Sending::RateEach(rate))) => return open(rate * f64::from(self.connections())),
            (_, Some(depth), _) | (_, None, Some(Sending::Depth(depth))) => depth,
            (_, None, None) => 1,
        };
        let open_only =
            [("--in-flight-max", self.in_flight_max.is_some()), ("--arrivals", self.arrivals.is_some())];
        match open_only.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => {
                Err(Failure::Usage(format!("{option} is about an open loop: give --message-rate as well")))
            }
            None => Ok(Model::Closed { depth }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::args::KindChoice::{Binary, Json, Text};
    use crate::args::{Arguments, Command};
    use clap::Parser;

    #[test]
    fn what_decides_the_type_of_messages() {
        let table = [
            ("", Binary),
            ("--preset uws-echo", Binary),
            ("--preset httparena-echo-512", Text),
            ("--file lines.txt", Text),
            ("--file lines.txt --preset uws-echo", Text),
            ("--file lines.txt --preset httparena-echo-512 --kind binary", Binary),
            ("--preset uws-echo --kind json", Json),
        ];
        for (flags, kind) in table {
            let line = format!("wsload echo ws://localhost {flags}");
            let arguments = Arguments::try_parse_from(line.split_whitespace()).expect(flags);
            let Command::Echo(options) = arguments.command else { panic!("{flags} is another command") };
            assert_eq!(options.kind(), kind, "{flags}");
        }
    }
}
