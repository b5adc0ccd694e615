//! `wsload fanout`.

use super::load::{HealthOptions, PhaseOptions, positive, rate};
use super::{Common, KindChoice, SlowOptions};
use crate::load::presets::{FanoutPreset, Publishing};
use crate::load::size::SizeChoice;
use crate::units::header;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::time::Duration;

/// Durations are written as in 30s, 500ms, 2m; sizes as in 20, 64KiB, 1MiB; rates as in 500, 20k, 1.5M.
///
/// Subscribers connect to URL. Publishes leave by a schedule, whatever becomes of them; or, with --publish members
/// and no --message-rate, in rounds: the members send, and send again when all have got everything. Where the text of
/// a command or a body has {payload}, the message is put; it is letters and digits, and is known by them wherever it
/// stands in what a subscriber gets, so that a server may wrap it.
#[derive(Clone, Debug, Args)]
pub(crate) struct FanoutOptions {
    /// Subscribers; 100 when neither this nor a preset says otherwise.
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) subscribers: Option<u32>,
    /// What each subscriber sends when it has opened; may be given again. Many servers need nothing.
    #[arg(long, value_name = "TEXT")]
    pub(crate) subscribe: Vec<String>,
    /// Speak wsring.v1 about this topic: fills in --subscribe and --publish-text.
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["subscribe", "publish_text"])]
    pub(crate) topic: Option<String>,
    /// The parameters of a well-known benchmark, where nothing else is given: see --help.
    #[arg(long, value_name = "NAME", value_parser = FanoutPreset::parser())]
    pub(crate) preset: Option<String>,
    /// Messages published per second; 10 when not given, and as many as can be with --publish members.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) message_rate: Option<f64>,
    /// Payload of each message, 64 when not given: a length, or a distribution as echo has them. From 20 on a message
    /// is found wherever it stands in what arrives. Rounds take shorter ones, which have to end what arrives.
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<SizeChoice>,
    /// Type of the messages that are published by WebSocket: text when not given; json is {"data":"{payload}"},
    /// unless --publish-text says otherwise.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindChoice>,
    /// How messages are published; by WebSocket when not given.
    #[arg(long, value_enum)]
    pub(crate) publish: Option<Way>,
    /// Where to: a ws:// URL, which is that of the subscribers when not given, or an http:// URL, to which each
    /// message is POSTed.
    #[arg(long, value_name = "URL")]
    pub(crate) publish_url: Option<String>,
    /// What is sent there; {payload} when not given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) publish_text: Option<String>,
    /// A header of each POST; may be given again.
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) publish_header: Vec<(String, String)>,
    /// For --publish command: run by sh for each message, which it gets on standard input.
    #[arg(long, value_name = "COMMAND", required_if_eq("publish", "command"))]
    pub(crate) publish_command: Option<String>,
    /// Connections, or processes at a time, that take turns in publishing.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) publishers: u32,
    /// Publish only, and listen here for `wsload fanout --clock`: processes, on this host or on others, that subscribe.
    /// They are told what is published and when, and what the clock shows.
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["subscribers", "subscribe"])]
    pub(crate) clock_listen: Option<SocketAddr>,
    /// How many of those publishing waits for.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "clock_listen", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) processes: u32,
    /// Subscribe only, to what the process publishes that was called with --clock-listen and is reached here. It has
    /// the rate, the messages and all times but --drain-timeout and --interval; latencies are known to within
    /// what the two clocks are, which the report says.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = [
        "clock_listen", "message_rate", "size", "publish", "publish_url", "publish_text", "publish_header",
        "publish_command", "publishers", "preset", "settle", "start_at", "warm_up", "duration",
    ])]
    pub(crate) clock: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) rounds: RoundOptions,
    #[command(flatten)]
    pub(crate) slow: SlowOptions,
    #[command(flatten)]
    pub(crate) phases: PhaseOptions,
    #[command(flatten)]
    pub(crate) health: HealthOptions,
}

/// The closed load of members that publish.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Rounds (--publish members without --message-rate)")]
pub(crate) struct RoundOptions {
    /// Members that send in a round, in turn; all when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) senders: Option<u32>,
    /// Messages that each of them sends, one behind the other; 1 when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) burst: Option<u32>,
    /// A round that is not over after so long is given up: what did not come of it is counted as missed, and the next
    /// one begins.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) round_timeout: Duration,
}

/// How messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// As messages on WebSockets of their own.
    Ws,
    /// By the subscribers, each on its own connection.
    Members,
    /// By POST requests.
    Http,
    /// By a command of yours.
    Command,
}

impl FanoutOptions {
    /// The benchmark whose parameters are the defaults.
    pub(crate) fn preset(&self) -> Option<&'static FanoutPreset> {
        self.preset.as_deref().and_then(FanoutPreset::named)
    }

    pub(crate) fn subscribers(&self) -> u32 {
        self.subscribers.or_else(|| self.preset().map(|preset| preset.subscribers)).unwrap_or(100)
    }

    pub(crate) fn size(&self) -> SizeChoice {
        let preset = self.preset().map(|preset| preset.size.clone());
        self.size.clone().or(preset).unwrap_or(SizeChoice::Fixed(64))
    }

    pub(crate) fn kind(&self) -> KindChoice {
        self.kind.or_else(|| self.preset().map(|preset| preset.kind)).unwrap_or(KindChoice::Text)
    }

    pub(crate) fn publish(&self) -> Way {
        let in_rounds = self.preset().is_some_and(|preset| preset.publishing.is_in_rounds());
        self.publish.unwrap_or(if in_rounds { Way::Members } else { Way::Ws })
    }

    /// Messages per second; `None`: in rounds.
    pub(crate) fn message_rate(&self) -> Option<f64> {
        let preset = self.preset().and_then(|preset| match preset.publishing {
            Publishing::Rate(rate) => Some(rate),
            Publishing::Rounds { .. } => None,
        });
        match self.publish() {
            Way::Members => self.message_rate.or(preset),
            Way::Ws | Way::Http | Way::Command => Some(self.message_rate.or(preset).unwrap_or(10.0)),
        }
    }

    /// Members that send in a round, and messages of each.
    pub(crate) fn round(&self) -> (Option<u32>, u32) {
        let (senders, burst) = match self.preset().map(|preset| preset.publishing) {
            Some(Publishing::Rounds { senders, burst }) => (senders, burst),
            Some(Publishing::Rate(_)) | None => (None, 1),
        };
        (self.rounds.senders.or(senders), self.rounds.burst.unwrap_or(burst))
    }

    pub(crate) fn duration(&self) -> Duration {
        self.phases.duration(self.preset().and_then(|preset| preset.seconds).map(Duration::from_secs))
    }

    /// What each subscriber sends when it has opened.
    pub(crate) fn subscribe(&self) -> Vec<String> {
        match &self.topic {
            Some(topic) => vec![format!(r#"{{"id":0,"command":"subscribe","topic":{}}}"#, json(topic))],
            None => self.subscribe.clone(),
        }
    }

    /// What is published, with `{payload}` in it.
    pub(crate) fn publish_text(&self) -> String {
        if let (Some(topic), Way::Ws | Way::Members) = (&self.topic, self.publish()) {
            return format!(r#"{{"id":0,"command":"publish","topic":{},"data":"{{payload}}"}}"#, json(topic));
        }
        let preset = self.preset().and_then(|preset| preset.text);
        let usual = if self.kind() == KindChoice::Json { r#"{"data":"{payload}"}"# } else { "{payload}" };
        self.publish_text.clone().unwrap_or_else(|| preset.unwrap_or(usual).to_owned())
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::args::{Command, FanoutOptions, Way};
    use crate::failure::Failure;

    fn options(line: &str) -> Result<FanoutOptions, Failure> {
        let line = format!("fanout ws://localhost {line}");
        match Command::of_words(line.split_whitespace().map(String::from))? {
            Command::Fanout(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn presets_are_defaults() {
        type Load = (Way, Option<f64>, u32, &'static str, (Option<u32>, u32));
        let table: [(&str, Load); 9] = [
            ("", (Way::Ws, Some(10.0), 100, "64", (None, 1))),
            ("--publish members", (Way::Members, None, 100, "64", (None, 1))),
            ("--publish members --message-rate 5k", (Way::Members, Some(5000.0), 100, "64", (None, 1))),
            ("--publish members --senders 3 --burst 7", (Way::Members, None, 100, "64", (Some(3), 7))),
            ("--preset uws-broadcast -c 320", (Way::Members, None, 320, "20", (None, 1))),
            ("--preset bun-chat", (Way::Members, None, 32, "3 to 28", (None, 1600))),
            ("--preset bun-chat --burst 4 --size 24", (Way::Members, None, 32, "24", (None, 4))),
            ("--preset shootout-broadcast", (Way::Members, None, 1000, "200", (Some(4), 1))),
            ("--preset market-feed --publish members", (Way::Members, Some(10.0), 25_000, "20", (None, 1))),
        ];
        for (line, (publish, rate, subscribers, size, round)) in table {
            let options = options(line).expect(line);
            assert_eq!((options.publish(), options.message_rate()), (publish, rate), "{line}");
            assert_eq!((options.subscribers(), options.round()), (subscribers, round), "{line}");
            assert_eq!(options.size().to_string(), size, "{line}");
        }
    }

    #[test]
    fn texts_hold_the_payload() {
        let table = [
            ("", "{payload}"),
            ("--kind json", r#"{"data":"{payload}"}"#),
            ("--kind json --publish-text <{payload}>", "<{payload}>"),
            ("--topic a", r#"{"id":0,"command":"publish","topic":"a","data":"{payload}"}"#),
            ("--topic a --publish http", "{payload}"),
        ];
        for (line, text) in table {
            assert_eq!(options(line).expect(line).publish_text(), text, "{line}");
        }
        let shootout = options("--preset shootout-broadcast").expect("it is one").publish_text();
        let message: serde_json::Value = serde_json::from_str(&shootout).expect("it is JSON");
        assert_eq!(
            (&message["type"], &message["payload"]["padding"]),
            (&"broadcast".into(), &"{payload}".into())
        );
        for line in ["--preset none", "--senders 0", "--burst 0", "--round-timeout 0", "--slow 2"] {
            assert_eq!(options(line).expect_err(line).exit_code(), 2, "{line}");
        }
    }
}
