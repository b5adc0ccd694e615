//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use std::time::Duration;
use wsring::{Drain, Limits, Placement, Settings, SlowPeer};

/// A WebSocket push server on io_uring, one shard per core.
#[derive(Debug, Parser)]
#[command(name = "wsring", version, about, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do; `serve` when nothing is said.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or Ctrl-C, then drain.
    Serve(Serve),
}

/// How to serve.
#[derive(Debug, clap::Args)]
#[command(after_help = "TIME is written as 500ms, 30s, 2m or 1h, SIZE as 4096, 64KiB, 16MiB or 1GiB. \
    RUST_LOG sets the level of the log.")]
pub(crate) struct Serve {
    /// Address to listen on; may be given several times.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: Vec<String>,
    /// Shards, each a thread with a ring; one per core when not given.
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Bind shards to cores, the first to this one.
    #[arg(long, value_name = "CORE")]
    pin: Option<usize>,
    /// How to speak to the kernel.
    #[arg(long, value_enum, default_value_t = IoChoice::Auto)]
    io: IoChoice,
    /// How connections come to shards: handed over by the first, or spread by the kernel.
    #[arg(long, value_enum, default_value_t = PlacementChoice::HandOver)]
    placement: PlacementChoice,
    /// Connections in all. More than the limit of open files allows per ring starts more shards.
    #[arg(long, value_name = "N")]
    connections_max: Option<u32>,
    /// Longest message a client may send.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    message_max: u64,
    /// From accept to a finished handshake or request.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    handshake_timeout: Duration,
    /// Silence after which a client is sent a Ping; 0: never.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    ping_interval: Duration,
    /// Silence after a Ping that ends the connection.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pong_timeout: Duration,
    /// Time without a message that ends a connection; 0: none does.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    idle_timeout: Duration,
    /// Longest life of a connection; 0: no limit.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    lifetime_max: Duration,
    /// Unsent output of one connection at which --slow-peer acts.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = size)]
    high_water: u64,
    /// What happens to a client that does not read: stop reading from it, drop messages, or close it.
    #[arg(long, value_enum, default_value_t = SlowPeerChoice::Pause)]
    slow_peer: SlowPeerChoice,
    /// Time over which a drain spreads its Closes.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    drain_window: Duration,
    /// Time after which a drain cuts off what is left.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    drain_deadline: Duration,
    /// Allow listening beyond loopback although no authentication is configured.
    #[arg(long)]
    pub(crate) insecure_open: bool,
    /// Form of the log on standard error; RUST_LOG sets its level.
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    pub(crate) log: LogForm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IoChoice {
    /// io_uring.
    Auto,
    /// io_uring.
    Uring,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlacementChoice {
    /// Even: the first shard accepts and hands over to the one with the fewest connections.
    HandOver,
    /// SO_REUSEPORT: every shard listens, the kernel chooses by a hash.
    ReusePort,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SlowPeerChoice {
    /// Stop reading from it until it has caught up; messages of others to it are dropped meanwhile.
    Pause,
    /// Drop messages to it.
    Drop,
    /// Close it with 1013.
    Close,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogForm {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl Command {
    /// As if `serve` had been typed.
    pub(crate) fn serve_with_defaults() -> Self {
        let typed = Arguments::parse_from(["wsring", "serve"]);
        typed.command.unwrap_or_else(|| unreachable!("serve was given"))
    }
}

impl Serve {
    pub(crate) fn settings(&self) -> Settings {
        let defaults = Settings::default();
        let message_bytes_max = usize::try_from(self.message_max).unwrap_or(usize::MAX);
        Settings {
            limits: Limits { frame_bytes_max: self.message_max, message_bytes_max, ..defaults.limits },
            handshake_timeout: self.handshake_timeout,
            ping_interval: some(self.ping_interval),
            pong_timeout: self.pong_timeout,
            idle_timeout: some(self.idle_timeout),
            lifetime_max: some(self.lifetime_max),
            high_water_bytes: usize::try_from(self.high_water).unwrap_or(usize::MAX),
            slow_peer: match self.slow_peer {
                SlowPeerChoice::Pause => SlowPeer::Pause,
                SlowPeerChoice::Drop => SlowPeer::Drop,
                SlowPeerChoice::Close => SlowPeer::Close,
            },
            placement: match self.placement {
                PlacementChoice::HandOver => Placement::HandOver,
                PlacementChoice::ReusePort => Placement::ReusePort,
            },
            shards: self.shards,
            pin: self.pin,
            connections_max: self.connections_max,
            ..defaults
        }
    }

    pub(crate) fn drain(&self) -> Drain {
        Drain { window: self.drain_window, deadline: self.drain_deadline }
    }
}

/// Zero stands for "no limit".
fn some(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// A duration as in `30s`, `500ms`, `2m`, `1h` or `0`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it as 30s, 500ms, 2m, 1h or 0");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 0,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

/// A size as in `4096`, `64KiB`, `16MiB`, `1GiB`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write it as 4096, 64KiB, 16MiB or 1GiB");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(bytes).ok_or_else(wrong)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
        let Command::Serve(serve) = Command::serve_with_defaults();
        assert_eq!(serve.listen, ["127.0.0.1:8080"]);
    }

    #[test]
    fn durations_and_sizes() {
        let table = [("0", Some(0)), ("30s", Some(30_000)), ("500ms", Some(500)), ("2m", Some(120_000))];
        for (text, milliseconds) in table {
            assert_eq!(time(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
        for text in ["", "s", "30", "1.5s", "30 s", "-1s", "99999999999999999999s"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!(size("64KiB"), Ok(65536));
        assert_eq!(size("17"), Ok(17));
        assert!(size("64kb").is_err());
        assert!(size("99999999999GiB").is_err());
    }
}
