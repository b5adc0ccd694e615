//! The command line, made from the table of settings.

use crate::config::{KEYS, Key, Kind, Place};
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Value;

/// What was typed.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The file with the configuration, if a flag names one.
    pub(crate) file: Option<(String, Place)>,
    /// Print the configuration instead of serving.
    pub(crate) print_config: bool,
    /// Settings given by flags.
    pub(crate) flags: Vec<(&'static Key, Value)>,
}

impl Arguments {
    /// Reads the command line of this process; says what is wrong with it and ends with 2.
    pub(crate) fn parse() -> Self {
        Self::of(&command().get_matches())
    }

    fn of(matches: &ArgMatches) -> Self {
        // Nothing said means `serve`.
        let Some(serve) = matches.subcommand_matches("serve") else {
            return Self { file: None, print_config: false, flags: Vec::new() };
        };
        let file = serve.get_one::<String>("config").map(|name| (name.clone(), Place::Flag("config")));
        let flags = KEYS.iter().filter_map(|key| Some((key, given(serve, key)?))).collect();
        Self { file, print_config: serve.get_flag("print-config"), flags }
    }
}

/// What a flag gives, in TOML's terms.
fn given(serve: &ArgMatches, key: &Key) -> Option<Value> {
    let (flag, value_name) = key.flag?;
    if value_name.is_empty() {
        // A flag without a value says the contrary of the default.
        return serve.get_flag(flag).then(|| Value::Boolean(key.default != Some("true")));
    }
    let mut values = serve.get_many::<String>(flag)?.map(|text| Value::from(text.as_str()));
    if is_list(key) { Some(Value::Array(values.collect())) } else { values.next_back() }
}

fn is_list(key: &Key) -> bool {
    matches!(key.kind, Kind::Texts | Kind::Patterns)
}

fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("TOML file with settings; flags and the environment overrule it [env: WSRING_CONFIG]");
    let print = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the configuration in effect as TOML, with where each value came from, and end");
    let serve = Command::new("serve")
        .about("Serve until SIGTERM or Ctrl-C, then drain")
        .after_help(
            "TIME is written as 500ms, 30s, 2m or 1h, SIZE as 4096, 64KiB, 16MiB or 1GiB.\n\
             Every setting stands in docs/operating.md. Secrets are given by the environment or files alone: \
             WSRING_AUTH_JWT_HS256_SECRET, WSRING_AUTH_API_KEYS.",
        )
        .args([config, print])
        .args(KEYS.iter().filter_map(argument));
    Command::new("wsring")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A WebSocket push server on io_uring, one shard per core")
        .subcommand(serve)
}

fn argument(key: &'static Key) -> Option<Arg> {
    let (flag, value_name) = key.flag?;
    let heading = match key.section {
        "" => "Server",
        "limits" => "Limits",
        "timeouts" => "Timeouts",
        "drain" => "Stopping",
        "topics" => "Topics",
        "deflate" => "Compression",
        _ => "Authentication",
    };
    let argument = Arg::new(flag).long(flag).help(help(key)).help_heading(heading);
    Some(match (value_name.is_empty(), is_list(key)) {
        (true, _) => argument.action(ArgAction::SetTrue),
        (false, true) => argument.value_name(value_name).action(ArgAction::Append),
        (false, false) => argument.value_name(value_name),
    })
}

/// What it is for, what may stand there, its default and its variable.
fn help(key: &Key) -> String {
    let mut help = String::from(key.help);
    if is_list(key) {
        help.push_str("; may be given several times");
    }
    if let Kind::Choice(words) = key.kind {
        help.push_str(&format!(" [possible: {}]", words.join(", ")));
    }
    if let Some(default) = key.default.filter(|_| !matches!(key.kind, Kind::Switch)) {
        help.push_str(&format!(" [default: {default}]"));
    }
    help.push_str(&format!(" [env: {}]", key.variable()));
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        command().try_get_matches_from(line.split_whitespace()).map(|matches| Arguments::of(&matches))
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
        assert!(parse("wsring").unwrap().flags.is_empty());
        assert!(parse("wsring serve").unwrap().flags.is_empty());
    }

    #[test]
    fn flags_are_taken_as_they_are_typed() {
        let typed = parse(
            "wsring serve --config a.toml --listen 127.0.0.1:1 --listen [::1]:2 --shards 2 --pin 1 --io uring \
             --placement reuse-port --connections-max 10 --message-max 1KiB --handshake-timeout 1s --ping-interval 0 \
             --pong-timeout 1s --idle-timeout 2s --lifetime-max 3s --high-water 1KiB --slow-peer close \
             --drain-window 0 --drain-deadline 5s --insecure-open --log json --no-deflate --deflate-level 9 \
             --deflate-server-takeover --print-config",
        )
        .unwrap();
        assert!(typed.print_config);
        assert_eq!(typed.file, Some(("a.toml".into(), Place::Flag("config"))));
        assert_eq!(typed.flags.len(), 21);
        let sources = crate::config::Sources { flags: typed.flags, ..Default::default() };
        let resolved = sources.resolve().unwrap();
        let config = resolved.config().unwrap();
        assert_eq!(config.listen, ["127.0.0.1:1", "[::1]:2"]);
        let settings = config.settings();
        assert_eq!((settings.shards, settings.pin, settings.connections_max), (Some(2), Some(1), Some(10)));
        assert_eq!((settings.limits.message_bytes_max, settings.high_water_bytes), (1024, 1024));
        assert_eq!((settings.ping_interval, settings.slow_peer), (None, wsring::SlowPeer::Close));
        assert!(config.insecure_open);
        assert_eq!(config.deflate.options(), None);
    }

    #[test]
    fn what_is_no_flag_is_said_to_be_none() {
        for line in
            ["wsring serve --lisen x", "wsring serve --shards 1 --shards 2", "wsring sreve", "wsring serve x"]
        {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
