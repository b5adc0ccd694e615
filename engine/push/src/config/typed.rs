//! The configuration as the server uses it.

use serde::{Deserialize, Deserializer};
use std::time::Duration;
use wsring::{
    Behind, DeflateOptions, Drain, Placement, Retention, Settings, SharedDeflate, SlowPeer, TopicRule,
    TopicSettings,
};

/// Everything that can be set, checked.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) listen: Vec<String>,
    shards: Option<usize>,
    pin: Option<usize>,
    placement: PlacementWord,
    peer_addresses: bool,
    pub(crate) insecure_open: bool,
    pub(crate) log: LogForm,
    pub(crate) limits: Limits,
    timeouts: Timeouts,
    drain: DrainTimes,
    pub(crate) topics: Topics,
    pub(crate) deflate: Deflate,
    pub(crate) auth: Auth,
}

/// What a client may use; the engine enforces the first few, the routes the others.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Limits {
    connections: Option<u32>,
    connections_per_address: Option<u32>,
    pub(crate) topics: usize,
    pub(crate) topics_per_connection: usize,
    pub(crate) retained_bytes: usize,
    pub(crate) message_bytes: usize,
    body_bytes: usize,
    pub(crate) batch_messages: usize,
    /// 0: not limited.
    pub(crate) publishes_per_second: u64,
    /// 0: those of one second.
    pub(crate) publishes_burst: u64,
    pub(crate) name_bytes: usize,
    high_water_bytes: usize,
    slow_peer: SlowPeerWord,
}

#[derive(Clone, Debug, Deserialize)]
struct Timeouts {
    #[serde(deserialize_with = "milliseconds")]
    handshake: Duration,
    #[serde(deserialize_with = "milliseconds")]
    ping_interval: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pong: Duration,
    #[serde(deserialize_with = "milliseconds")]
    idle: Duration,
    #[serde(deserialize_with = "milliseconds")]
    lifetime: Duration,
}

#[derive(Clone, Debug, Deserialize)]
struct DrainTimes {
    #[serde(deserialize_with = "milliseconds")]
    window: Duration,
    #[serde(deserialize_with = "milliseconds")]
    deadline: Duration,
}

/// What topics keep, and what they do with a subscriber that is further behind than that.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Topics {
    retention_bytes: usize,
    pub(crate) retention_messages: Option<u64>,
    /// Zero: any age.
    #[serde(deserialize_with = "milliseconds")]
    pub(crate) retention_age: Duration,
    pub(crate) behind: BehindWord,
    pub(crate) rules: Vec<Rule>,
}

/// What differs for the topics that match a pattern.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Rule {
    pub(crate) pattern: String,
    pub(crate) retention_bytes: Option<usize>,
    pub(crate) retention_messages: Option<u64>,
    #[serde(default, deserialize_with = "some_milliseconds")]
    pub(crate) retention_age: Option<Duration>,
    pub(crate) behind: Option<BehindWord>,
}

/// Compression (permessage-deflate).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Deflate {
    enabled: bool,
    level: u8,
    bytes_min: usize,
    server_window_bits: u8,
    client_window_bits: u8,
    server_takeover: bool,
    client_takeover: bool,
    shared_window_bits: u8,
    shared_level: u8,
    context_bytes: usize,
    compressor_bytes: usize,
}

/// Who may do what.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Auth {
    pub(crate) jwt_hs256_secret: Option<String>,
    pub(crate) jwt_hs256_secret_file: Option<String>,
    pub(crate) jwt_rs256_public_key_file: Option<String>,
    pub(crate) jwt_eddsa_public_key_file: Option<String>,
    pub(crate) jwt_audience: Option<String>,
    pub(crate) jwt_issuer: Option<String>,
    pub(crate) jwt_expiry_required: bool,
    #[serde(default)]
    pub(crate) api_keys: Vec<String>,
    pub(crate) api_keys_file: Option<String>,
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) anonymous_subscribe: Option<Vec<String>>,
    pub(crate) anonymous_publish: Option<Vec<String>>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogForm {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// What happens to a subscriber that retention has overtaken.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BehindWord {
    /// It is closed with 1013.
    Close,
    /// It goes on at the oldest message that is kept.
    Skip,
    /// It goes on at the newest.
    Latest,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PlacementWord {
    HandOver,
    ReusePort,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SlowPeerWord {
    Pause,
    Drop,
    Close,
}

impl Config {
    /// The engine's part of it.
    pub(crate) fn settings(&self) -> Settings {
        let defaults = Settings::default();
        let (limits, timeouts) = (&self.limits, &self.timeouts);
        Settings {
            limits: wsring::Limits {
                frame_bytes_max: limits.message_bytes as u64,
                message_bytes_max: limits.message_bytes,
                context_bytes_max: self.deflate.context_bytes,
                ..defaults.limits
            },
            body_bytes_max: limits.body_bytes,
            handshake_timeout: timeouts.handshake,
            ping_interval: some(timeouts.ping_interval),
            pong_timeout: timeouts.pong,
            idle_timeout: some(timeouts.idle),
            lifetime_max: some(timeouts.lifetime),
            high_water_bytes: limits.high_water_bytes,
            compressor_bytes_max: self.deflate.compressor_bytes,
            slow_peer: match limits.slow_peer {
                SlowPeerWord::Pause => SlowPeer::Pause,
                SlowPeerWord::Drop => SlowPeer::Drop,
                SlowPeerWord::Close => SlowPeer::Close,
            },
            placement: match self.placement {
                PlacementWord::HandOver => Placement::HandOver,
                PlacementWord::ReusePort => Placement::ReusePort,
            },
            shards: self.shards,
            pin: self.pin,
            connections_max: limits.connections,
            connections_per_address_max: limits.connections_per_address,
            peer_addresses: self.peer_addresses,
            ..defaults
        }
    }

    pub(crate) fn drain(&self) -> Drain {
        Drain { window: self.drain.window, deadline: self.drain.deadline }
    }
}

impl Deflate {
    /// What every WebSocket is answered that offers it; `None`: nothing.
    pub(crate) fn options(&self) -> Option<DeflateOptions> {
        self.enabled.then_some(DeflateOptions {
            server_takeover: self.server_takeover,
            client_takeover: self.client_takeover,
            server_window_bits: self.server_window_bits,
            client_window_bits: self.client_window_bits,
            level: self.level,
            bytes_min: self.bytes_min,
        })
    }

    /// How messages of topics are compressed for all.
    pub(crate) fn shared(&self) -> SharedDeflate {
        SharedDeflate {
            window_bits: self.shared_window_bits,
            level: self.shared_level,
            bytes_min: self.bytes_min,
        }
    }
}

impl Topics {
    /// The rules as the engine takes them: those of the file, then one for all other topics.
    pub(crate) fn rules(&self) -> Vec<TopicRule> {
        let rest = Rule { pattern: "#".into(), ..Rule::default() };
        self.rules.iter().chain([&rest]).map(|rule| self.rule(rule)).collect()
    }

    fn rule(&self, rule: &Rule) -> TopicRule {
        let retention = Retention {
            bytes: rule.retention_bytes.unwrap_or(self.retention_bytes),
            messages: rule.retention_messages.or(self.retention_messages).unwrap_or(u64::MAX),
            age: some(rule.retention_age.unwrap_or(self.retention_age)),
        };
        let behind = match rule.behind.unwrap_or(self.behind) {
            BehindWord::Close => Behind::Close,
            BehindWord::Skip => Behind::Skip,
            BehindWord::Latest => Behind::Latest,
        };
        TopicRule { pattern: rule.pattern.clone(), settings: TopicSettings { retention, behind } }
    }
}

impl Auth {
    /// Whether anything tells one client from another.
    pub(crate) fn is_configured(&self) -> bool {
        let keys = [
            &self.jwt_hs256_secret,
            &self.jwt_hs256_secret_file,
            &self.jwt_rs256_public_key_file,
            &self.jwt_eddsa_public_key_file,
            &self.api_keys_file,
        ];
        keys.into_iter().any(Option::is_some) || !self.api_keys.is_empty()
    }
}

/// Without the secrets.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("is_configured", &self.is_configured()).finish_non_exhaustive()
    }
}

/// Zero stands for "no limit".
fn some(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

fn milliseconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    u64::deserialize(input).map(Duration::from_millis)
}

fn some_milliseconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    milliseconds(input).map(Some)
}
