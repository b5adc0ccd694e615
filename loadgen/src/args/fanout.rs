//! `wsload fanout`.

use super::load::{HealthOptions, PhaseOptions, rate};
use super::{Common, KindChoice};
use crate::units::size;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;

/// Durations are written as in 30s, 500ms, 2m; sizes as in 20, 64KiB, 1MiB; rates as in 500, 20k, 1.5M.
///
/// Subscribers connect to URL. Publishes leave by a schedule, whatever becomes of them. Where the text of a command
/// or a body has {payload}, the message is put; it is letters and digits, and is known by them wherever it stands in
/// what a subscriber gets, so that a server may wrap it.
#[derive(Clone, Debug, Args)]
pub(crate) struct FanoutOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Subscribers.
    #[arg(short = 'c', long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) subscribers: u32,
    /// What each subscriber sends when it has opened; may be given again. Many servers need nothing.
    #[arg(long, value_name = "TEXT")]
    pub(crate) subscribe: Vec<String>,
    /// Speak wsring.v1 about this topic: fills in --subscribe and --publish-text.
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["subscribe", "publish_text"])]
    pub(crate) topic: Option<String>,
    /// Messages published per second.
    #[arg(long, value_name = "RATE", default_value = "10", value_parser = rate)]
    pub(crate) message_rate: f64,
    /// Payload of each message; at least 24.
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    pub(crate) size: usize,
    /// Type of the messages that are published by WebSocket.
    #[arg(long, value_enum, default_value_t = KindChoice::Text)]
    pub(crate) kind: KindChoice,
    /// How messages are published.
    #[arg(long, value_enum, default_value_t = Way::Ws)]
    pub(crate) publish: Way,
    /// Where to: a ws:// URL, which is that of the subscribers when not given, or an http:// URL, to which each
    /// message is POSTed.
    #[arg(long, value_name = "URL")]
    pub(crate) publish_url: Option<String>,
    /// What is sent there.
    #[arg(long, value_name = "TEXT", default_value = "{payload}")]
    pub(crate) publish_text: String,
    /// A header of each POST; may be given again.
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) publish_header: Vec<String>,
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
        "publish_command", "publishers", "settle", "start_at", "warm_up", "duration",
    ])]
    pub(crate) clock: Option<String>,
    #[command(flatten)]
    pub(crate) phases: PhaseOptions,
    #[command(flatten)]
    pub(crate) health: HealthOptions,
}

/// How messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// As messages on WebSockets of their own.
    Ws,
    /// By POST requests.
    Http,
    /// By a command of yours.
    Command,
}

impl FanoutOptions {
    /// What each subscriber sends when it has opened.
    pub(crate) fn subscribe(&self) -> Vec<String> {
        match &self.topic {
            Some(topic) => vec![format!(r#"{{"id":0,"command":"subscribe","topic":{}}}"#, json(topic))],
            None => self.subscribe.clone(),
        }
    }

    /// What is published, with `{payload}` in it.
    pub(crate) fn publish_text(&self) -> String {
        match &self.topic {
            Some(topic) if self.publish == Way::Ws => {
                format!(r#"{{"id":0,"command":"publish","topic":{},"data":"{{payload}}"}}"#, json(topic))
            }
            _ => self.publish_text.clone(),
        }
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
