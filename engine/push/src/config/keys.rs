//! Every setting: its key, form, default, flag, and what it is for. The command line, the environment,
//! the file and the printed configuration are all made from this table.

use super::key::Key;
use super::kind::{Kind, NUMBER_MAX};
use std::time::Duration;

/// The array of tables that only the file has.
pub(crate) const RULES: &str = "topics.rules";

const ANY: Kind = Kind::Count { min: 0, max: NUMBER_MAX };
const POSITIVE: Kind = Kind::Count { min: 1, max: NUMBER_MAX };
const CONNECTIONS: Kind = Kind::Count { min: 1, max: u32::MAX as u64 };
const SIZE: Kind = Kind::Size { min: 1, max: NUMBER_MAX };
const TIME: Kind = Kind::Time { min: Duration::ZERO };
const SOME_TIME: Kind = Kind::Time { min: Duration::from_millis(1) };
/// A window of DEFLATE as RFC 7692 (section 7.1.2) names it.
const WINDOW_BITS: Kind = Kind::Count { min: 8, max: 15 };
/// From fast to thorough.
const LEVEL: Kind = Kind::Count { min: 1, max: 9 };
/// What happens to a subscriber that retention has overtaken.
const BEHIND: Kind = Kind::Choice(&["close", "skip", "latest"]);

pub(crate) static KEYS: &[Key] = &[
    Key::new("", "listen", Kind::Texts, Some("127.0.0.1:8080"), "Addresses to listen on")
        .flag("listen", "ADDR"),
    Key::new("", "shards", POSITIVE, None, "Shards, each a thread with a ring; one per core when not set")
        .flag("shards", "N"),
    Key::new("", "pin", ANY, None, "Bind shards to cores, the first to this one; not bound when not set")
        .flag("pin", "CORE"),
    Key::new("", "io", Kind::Choice(&["auto", "uring"]), Some("auto"), "How to speak to the kernel")
        .flag("io", "IO"),
    Key::new(
        "",
        "placement",
        Kind::Choice(&["hand-over", "reuse-port"]),
        Some("hand-over"),
        "How connections come to shards: the first accepts and hands over evenly, or the kernel spreads them",
    )
    .flag("placement", "PLACEMENT"),
    Key::new(
        "",
        "peer_addresses",
        Kind::Switch,
        Some("false"),
        "Look up where clients come from, for /debug/slow; two system calls and some 40 bytes per connection",
    )
    .flag("peer-addresses", ""),
    Key::new(
        "",
        "insecure_open",
        Kind::Switch,
        Some("false"),
        "Listen beyond loopback although no authentication is configured",
    )
    .flag("insecure-open", ""),
    Key::new(
        "",
        "log",
        Kind::Choice(&["text", "json"]),
        Some("text"),
        "Form of the log on standard error; RUST_LOG sets its level",
    )
    .flag("log", "FORM"),
    Key::new(
        "limits",
        "connections",
        CONNECTIONS,
        None,
        "Connections in all: more than one ring's table holds start more shards; what the tables hold when \
         not set",
    )
    .flag("connections-max", "N"),
    Key::new(
        "limits",
        "connections_per_address",
        CONNECTIONS,
        None,
        "Connections from one address; not limited when not set",
    )
    .flag("connections-per-address", "N"),
    Key::new("limits", "topics", POSITIVE, Some("1000000"), "Topics in all").flag("topics-max", "N"),
    Key::new(
        "limits",
        "topics_per_connection",
        POSITIVE,
        Some("1000"),
        "Topics and patterns that one connection subscribes to",
    )
    .flag("topics-per-connection", "N"),
    Key::new(
        "limits",
        "retained_bytes",
        SIZE,
        Some("4GiB"),
        "Memory for the messages of all topics; beyond it each keeps little more than its newest",
    )
    .flag("retained-max", "SIZE"),
    Key::new("limits", "message_bytes", SIZE, Some("64MiB"), "Longest message that a client may send")
        .flag("message-max", "SIZE"),
    Key::new("limits", "body_bytes", SIZE, Some("1MiB"), "Longest body of a plain HTTP request")
        .flag("body-max", "SIZE"),
    Key::new("limits", "batch_messages", POSITIVE, Some("1000"), "Messages in one batch of POST /publish")
        .flag("batch-max", "N"),
    Key::new(
        "limits",
        "publishes_per_second",
        ANY,
        Some("0"),
        "Messages that one WebSocket may publish per second; 0: not limited",
    )
    .flag("publishes-per-second", "N"),
    Key::new(
        "limits",
        "publishes_burst",
        ANY,
        Some("0"),
        "Messages that it may publish at once after a rest; 0: those of one second",
    )
    .flag("publishes-burst", "N"),
    Key::new(
        "limits",
        "name_bytes",
        Kind::Count { min: 1, max: crate::names::NAME_BYTES_MAX as u64 },
        Some("255"),
        "Longest name of a topic",
    )
    .flag("name-max", "BYTES"),
    Key::new(
        "limits",
        "high_water_bytes",
        SIZE,
        Some("1MiB"),
        "Unsent output of one connection at which slow_peer acts",
    )
    .flag("high-water", "SIZE"),
    Key::new(
        "limits",
        "slow_peer",
        Kind::Choice(&["pause", "drop", "close"]),
        Some("pause"),
        "What then happens to a client that does not read: stop reading from it, drop messages, or close it",
    )
    .flag("slow-peer", "POLICY"),
    Key::new(
        "timeouts",
        "handshake",
        SOME_TIME,
        Some("10s"),
        "From accept to a finished handshake or request",
    )
    .flag("handshake-timeout", "TIME"),
    Key::new(
        "timeouts",
        "ping_interval",
        TIME,
        Some("30s"),
        "Silence after which a client is sent a Ping; 0: never",
    )
    .flag("ping-interval", "TIME"),
    Key::new("timeouts", "pong", SOME_TIME, Some("15s"), "Silence after a Ping that ends the connection")
        .flag("pong-timeout", "TIME"),
    Key::new(
        "timeouts",
        "idle",
        TIME,
        Some("0"),
        "Time without a message that ends a connection; 0: none does",
    )
    .flag("idle-timeout", "TIME"),
    Key::new("timeouts", "lifetime", TIME, Some("0"), "Longest life of a connection; 0: no limit")
        .flag("lifetime-max", "TIME"),
    Key::new("drain", "window", TIME, Some("2s"), "Time over which a drain spreads its Closes")
        .flag("drain-window", "TIME"),
    Key::new("drain", "deadline", TIME, Some("10s"), "Time after which a drain cuts off what is left")
        .flag("drain-deadline", "TIME"),
    Key::new("topics", "retention_bytes", SIZE, Some("1MiB"), "Bytes of messages that a topic keeps")
        .flag("retention-bytes", "SIZE"),
    Key::new(
        "topics",
        "retention_messages",
        POSITIVE,
        None,
        "Messages that a topic keeps; as many as retention_bytes hold when not set",
    )
    .flag("retention-messages", "N"),
    Key::new("topics", "retention_age", TIME, Some("0"), "Age up to which a topic keeps messages; 0: any")
        .flag("retention-age", "TIME"),
    Key::new(
        "topics",
        "behind",
        BEHIND,
        Some("skip"),
        "What happens to a subscriber that retention has overtaken: close it, skip to the oldest kept \
         message, or go on at the latest",
    )
    .flag("behind", "POLICY"),
    Key::new("deflate", "enabled", Kind::Switch, Some("true"), "Compress for clients that offer permessage-deflate")
        .flag("no-deflate", ""),
    Key::new(
        "deflate",
        "level",
        LEVEL,
        Some("2"),
        "Effort of compressing for one client, from 1, fast, to 9, thorough",
    )
    .flag("deflate-level", "N"),
    Key::new("deflate", "bytes_min", ANY, Some("128"), "Messages shorter than this are not compressed")
        .flag("deflate-min", "BYTES"),
    Key::new(
        "deflate",
        "server_window_bits",
        WINDOW_BITS,
        Some("15"),
        "Largest window of what the server compresses for one client",
    )
    .flag("deflate-server-window", "BITS"),
    Key::new(
        "deflate",
        "client_window_bits",
        WINDOW_BITS,
        Some("15"),
        "Largest window of what clients compress, if they let the server choose",
    )
    .flag("deflate-client-window", "BITS"),
    Key::new(
        "deflate",
        "server_takeover",
        Kind::Switch,
        Some("false"),
        "Compress echoes and answers with the client's earlier ones in mind; takes memory for each client",
    )
    .flag("deflate-server-takeover", ""),
    Key::new(
        "deflate",
        "client_takeover",
        Kind::Switch,
        Some("false"),
        "Let clients compress with their earlier messages in mind; takes memory for each client",
    )
    .flag("deflate-client-takeover", ""),
    Key::new(
        "deflate",
        "shared_window_bits",
        WINDOW_BITS,
        Some("12"),
        "Window of topics' messages, compressed once for all clients that agreed on at least as large a one",
    )
    .flag("deflate-shared-window", "BITS"),
    Key::new(
        "deflate",
        "shared_level",
        LEVEL,
        Some("6"),
        "Effort of compressing topics' messages, once for all clients",
    )
    .flag("deflate-shared-level", "N"),
    Key::new(
        "deflate",
        "context_bytes",
        SIZE,
        Some("64MiB"),
        "Memory of each shard for the windows of clients; when it is used up further ones go without takeover",
    )
    .flag("deflate-contexts-max", "SIZE"),
    Key::new(
        "deflate",
        "compressor_bytes",
        SIZE,
        Some("32MiB"),
        "Memory of each shard for compressing with takeover; when it is used up those longest unused start afresh",
    )
    .flag("deflate-compressors-max", "SIZE"),
    Key::new(
        "auth",
        "jwt_hs256_secret",
        Kind::Text,
        None,
        "Secret that HS256 tokens are signed with, at least 32 bytes; no tokens when not set",
    )
    .secret(),
    Key::new(
        "auth",
        "jwt_hs256_secret_file",
        Kind::Text,
        None,
        "File that holds it; white space at its end is not part of it",
    )
    .flag("jwt-hs256-secret-file", "FILE"),
    Key::new(
        "auth",
        "jwt_rs256_public_key_file",
        Kind::Text,
        None,
        "PEM file with the public key that RS256 tokens are checked with",
    )
    .flag("jwt-rs256-public-key-file", "FILE"),
    Key::new(
        "auth",
        "jwt_eddsa_public_key_file",
        Kind::Text,
        None,
        "PEM file with the public key that EdDSA tokens are checked with",
    )
    .flag("jwt-eddsa-public-key-file", "FILE"),
    Key::new(
        "auth",
        "jwt_audience",
        Kind::Text,
        None,
        "What the tokens' aud has to name; not asked when not set",
    )
    .flag("jwt-audience", "TEXT"),
    Key::new(
        "auth",
        "jwt_issuer",
        Kind::Text,
        None,
        "What the tokens' iss has to be; not asked when not set",
    )
    .flag("jwt-issuer", "TEXT"),
    Key::new("auth", "jwt_expiry_required", Kind::Switch, Some("true"), "Refuse tokens without exp")
        .flag("jwt-expiry-required", "BOOL"),
    Key::new(
        "auth",
        "api_keys",
        Kind::Texts,
        None,
        "Keys that publish to every topic, each of at least 16 bytes; none when not set",
    )
    .secret(),
    Key::new("auth", "api_keys_file", Kind::Text, None, "File with such keys, one a line")
        .flag("api-keys-file", "FILE"),
    Key::new(
        "auth",
        "origins",
        Kind::Texts,
        None,
        "Origins of pages that may use this server, such as https://example.com; * allows all; those of \
         the same host when not set",
    )
    .flag("origin", "ORIGIN"),
    Key::new(
        "auth",
        "anonymous_subscribe",
        Kind::Patterns,
        None,
        "Topics that may be subscribed without a token; when not set all without authentication, else none",
    )
    .flag("anonymous-subscribe", "PATTERN"),
    Key::new(
        "auth",
        "anonymous_publish",
        Kind::Patterns,
        None,
        "Topics that may be published to without a token; when not set all without authentication, else none",
    )
    .flag("anonymous-publish", "PATTERN"),
];

/// The keys of one rule of `[[topics.rules]]`; what it does not set is as in `[topics]`.
pub(crate) static RULE_KEYS: &[Key] = &[
    Key::new(RULES, "pattern", Kind::Text, None, "Topics that it is for"),
    Key::new(RULES, "retention_bytes", SIZE, None, ""),
    Key::new(RULES, "retention_messages", POSITIVE, None, ""),
    Key::new(RULES, "retention_age", TIME, None, ""),
    Key::new(RULES, "behind", BEHIND, None, ""),
];

/// The key of this path, as in `limits.connections`.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path() == path)
}
