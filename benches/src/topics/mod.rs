//! What `topics-server` serves, and what it tells: a server of topics for measurements, led by lines
//! ([`crate::led`]).
//!
//! * `/subscribe/{topic}`: subscribes; a gap is told as text, `gap FROM TO`.
//! * `/publish/{topic}`: publishes what comes.
//! * `/own`: subscribes to a topic of its own and publishes to it, so that what comes goes back.
//! * `/many`: on a message with the numbers FIRST, STEP and COUNT (four bytes each, little-endian) makes so many
//!   subscriptions to the topics that the command `topics` has made, and sends the message back.
//!
//! Commands are those of [`Command`]. Read [`serve`] first.

mod burst;
mod handlers;

pub use burst::Burst;

use crate::driven::say;
use clap::{Args, ValueEnum};
use handlers::{Many, Own, Publisher, Subscriber};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wsring::{Behind, Response, Retention, Running, Server, Settings, Topic, TopicRule, TopicSettings};

/// How the server is set up.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Shards, each on a core of its own
    #[arg(long, default_value_t = 1)]
    pub shards: usize,
    /// Core of the first shard
    #[arg(long)]
    pub core: Option<usize>,
    /// What happens to subscribers that retention has overtaken
    #[arg(long, value_enum, default_value_t = Policy::Skip)]
    pub behind: Policy,
    /// Bytes that a topic keeps
    #[arg(long, default_value_t = 1 << 20)]
    pub retention_bytes: usize,
}

/// What happens to subscribers that retention has overtaken, as command lines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// Closed with 1013.
    Close,
    /// Go on with the oldest that is kept.
    Skip,
    /// Go on with the newest.
    Latest,
}

impl Policy {
    /// As command lines name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Skip => "skip",
            Self::Latest => "latest",
        }
    }

    fn behind(self) -> Behind {
        match self {
            Self::Close => Behind::Close,
            Self::Skip => Behind::Skip,
            Self::Latest => Behind::Latest,
        }
    }
}

/// The first line that the server says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

/// What the server tells of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Bytes in use on its heap, as they were asked for.
    pub heap_bytes: usize,
    /// Connections now.
    pub connections: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Topics now.
    pub topics: usize,
    /// Messages published.
    pub published: u64,
    /// Messages handed to subscribers, each counted for each.
    pub deliveries: u64,
    /// Sends that had to wait or stopped short.
    pub sends_blocked: u64,
    /// Bytes of all logs.
    pub retained_bytes: usize,
    /// Subscriptions that are behind.
    pub behind: usize,
    /// Messages missed by those that were closed.
    pub closed: u64,
    /// Messages skipped.
    pub skipped: u64,
    /// Messages passed over for the newest.
    pub latest: u64,
}

impl Figures {
    /// Messages missed, whatever the policy.
    pub fn missed(&self) -> u64 {
        self.closed + self.skipped + self.latest
    }
}

/// What the server is told to do, a line each; `figures`, `topics COUNT`, and `burst TOPIC MESSAGES BYTES`.
enum Command<'a> {
    Figures,
    Topics(usize),
    Burst { topic: &'a str, messages: u64, bytes: usize },
}

impl<'a> Command<'a> {
    fn parse(line: &'a str) -> io::Result<Self> {
        let wrong = || io::Error::other(format!("{line:?} is no command"));
        let number = |word: &str| word.parse::<usize>().map_err(|_| wrong());
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["figures"] => Ok(Self::Figures),
            ["topics", count] => Ok(Self::Topics(number(count)?)),
            ["burst", topic, messages, bytes] => {
                Ok(Self::Burst { topic, messages: number(messages)? as u64, bytes: number(bytes)? })
            }
            _ => Err(wrong()),
        }
    }
}

/// Serves until standard input ends. `heap_bytes` tells what is in use on the heap.
///
/// # Errors
/// The server's; a line that is no command.
pub fn serve(options: &Options, heap_bytes: fn() -> usize) -> io::Result<()> {
    let topics = Arc::new(OnceLock::new());
    let running = start(options, &topics).map_err(io::Error::other)?;
    say(&serde_json::to_string(&Ready { port: running.addresses()[0].port() })?)?;
    for line in io::stdin().lines() {
        let line = line?;
        let answer = match Command::parse(&line)? {
            Command::Figures => serde_json::to_string(&figures(&running, heap_bytes()))?,
            Command::Topics(count) => {
                topics.get_or_init(|| make(&running, count));
                serde_json::to_string(&figures(&running, heap_bytes()))?
            }
            Command::Burst { topic, messages, bytes } => {
                let topic = running.topic(topic).map_err(io::Error::other)?;
                serde_json::to_string(&burst::burst(&running, &topic, messages, bytes)?)?
            }
        };
        say(&answer)?;
    }
    Ok(())
}

fn start(options: &Options, topics: &Arc<OnceLock<Vec<Topic>>>) -> Result<Running, wsring::Error> {
    // A client that is not read from answers no Ping; it is to be stalled, not to be gone.
    let settings = Settings {
        shards: Some(options.shards),
        pin: options.core,
        ping_interval: None,
        handshake_timeout: Duration::from_secs(60),
        ..Settings::default()
    };
    let retention = Retention { bytes: options.retention_bytes, ..Retention::default() };
    let rule = TopicRule {
        pattern: "#".into(),
        settings: TopicSettings { retention, behind: options.behind.behind() },
    };
    let server = Server::new().listen("127.0.0.1:0").settings(settings).topic_rules(vec![rule]);
    let (subscribe, publish, own) = (server.publisher(), server.publisher(), server.publisher());
    let (number, many) = (AtomicU64::new(0), Arc::clone(topics));
    let named = |upgrade: &wsring::Upgrade<'_>, all: &wsring::Publisher| {
        upgrade.param("topic").and_then(|name| all.topic(&name).ok())
    };
    server
        .websocket("/subscribe/{topic}", move |upgrade| match named(&upgrade, &subscribe) {
            Some(topic) => upgrade.accept(Subscriber(topic)),
            None => upgrade.reject(Response::empty(400)),
        })
        .websocket("/publish/{topic}", move |upgrade| match named(&upgrade, &publish) {
            Some(topic) => upgrade.accept(Publisher(topic)),
            None => upgrade.reject(Response::empty(400)),
        })
        .websocket("/own", move |upgrade| {
            match own.topic(&format!("own/{}", number.fetch_add(1, Ordering::Relaxed))) {
                Ok(topic) => upgrade.accept(Own(topic)),
                Err(_) => upgrade.reject(Response::empty(503)),
            }
        })
        .websocket("/many", move |upgrade| upgrade.accept(Many(Arc::clone(&many))))
        .start()
}

/// Topics with names of a usual kind, held so that they stay.
fn make(running: &Running, count: usize) -> Vec<Topic> {
    let publisher = running.publisher();
    (0..count).filter_map(|number| publisher.topic(&name(number)).ok()).collect()
}

/// The name of a topic that `topics` makes.
pub fn name(number: usize) -> String {
    format!("prices/{number:06}")
}

fn figures(running: &Running, heap_bytes: usize) -> Figures {
    let observer = running.observer();
    let (shards, topics) = (observer.shards(), observer.topics());
    let sum = |figure: fn(&wsring::ShardFigures) -> u64| shards.iter().map(figure).sum();
    Figures {
        heap_bytes,
        connections: running.connections().iter().map(|count| u64::from(*count)).sum(),
        subscriptions: sum(|shard| shard.subscriptions),
        topics: topics.topics,
        published: topics.published,
        deliveries: sum(|shard| shard.deliveries),
        sends_blocked: sum(|shard| shard.sends_blocked),
        retained_bytes: topics.retained_bytes,
        behind: topics.behind,
        closed: topics.missed.closed,
        skipped: topics.missed.skipped,
        latest: topics.missed.latest,
    }
}
