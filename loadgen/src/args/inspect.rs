//! The options of `inspect`.

use super::PeerOptions;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// Durations are written as in 30s, 500ms, 2m. Without --send, --send-hex and --ping, lines from standard
/// input are sent: each as a text message, or by `/hex BYTES`, `/ping TEXT`, `/fragments N TEXT`,
/// `/close CODE REASON`. Exit codes: 0 all was right, 1 no WebSocket was opened, 2 a mistake on the command
/// line, 3 the server broke the protocol.
#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// The server, as ws://HOST:PORT/PATH (TLS, wss://, is not spoken yet)
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
    #[command(flatten)]
    pub(crate) script: Script,
    /// Send each message in so many frames.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) fragments: u16,
    /// End after so many messages from the server; by default after as many as were sent.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// The code and the reason of the Close at the end, as 1000 or 4000:bye; any number, also a wrong one.
    #[arg(long, value_name = "CODE", default_value = "1000", value_parser = close)]
    pub(crate) close: Close,
    /// Offer a subprotocol; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Offer permessage-deflate, and compress messages if the server accepts it.
    #[arg(long)]
    pub(crate) deflate: bool,
    /// Show at most so many bytes of each payload.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) bytes: usize,
    /// Take the key and the masks from this number, so that the same output comes again.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// What is sent, in the order of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) actions: Vec<Action>,
}

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A Ping.
    Ping(String),
}

/// A close code and a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_BYTES_MAX: usize = 125;

impl Args for Script {
    fn augment_args(command: Command) -> Command {
        let repeated =
            |id: &'static str, long: &'static str| Arg::new(id).long(long).action(ArgAction::Append);
        command
            .arg(repeated("send", "send").value_name("TEXT").help(
                "Send a text message; --send, --send-hex and --ping may be given several times, and are sent in \
                 their order",
            ))
            .arg(
                repeated("send_hex", "send-hex")
                    .value_name("BYTES")
                    .value_parser(hex)
                    .help("Send a binary message, written as in '00 ff' or 00ff"),
            )
            .arg(
                repeated("ping", "ping")
                    .value_name("TEXT")
                    .value_parser(control)
                    .help("Send a Ping with this payload"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Script {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut actions: Vec<(usize, Action)> = Vec::new();
        let indices = |id| matches.indices_of(id).into_iter().flatten();
        let texts = |id| matches.get_many::<String>(id).into_iter().flatten().cloned();
        let bytes = matches.get_many::<Vec<u8>>("send_hex").into_iter().flatten().cloned();
        actions.extend(indices("send").zip(texts("send").map(Action::Text)));
        actions.extend(indices("send_hex").zip(bytes.map(Action::Binary)));
        actions.extend(indices("ping").zip(texts("ping").map(Action::Ping)));
        actions.sort_by_key(|(index, _)| *index);
        Ok(Self { actions: actions.into_iter().map(|(_, action)| action).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Bytes as in `00 ff` or `00ff`.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?} are no bytes; write them as '00 ff' or 00ff");
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let value = |digit: u8| (digit as char).to_digit(16);
    let byte = |pair: &[u8; 2]| Some((value(pair[0])? << 4 | value(pair[1])?) as u8);
    pairs.iter().map(byte).collect::<Option<_>>().ok_or_else(wrong)
}

/// Text that fits a control frame.
pub(crate) fn control(text: &str) -> Result<String, String> {
    if text.len() > CONTROL_BYTES_MAX {
        let length = text.len();
        return Err(format!("{length} bytes; a control frame has at most {CONTROL_BYTES_MAX} (section 5.5)"));
    }
    Ok(text.into())
}

/// A close code, and a reason behind a colon.
pub(crate) fn close(text: &str) -> Result<Close, String> {
    let (code, reason) = text.split_once(':').unwrap_or((text, ""));
    let code =
        code.parse().map_err(|_| format!("{code:?} is no close code; write it as 1000 or 4000:bye"))?;
    // The code itself takes two of the bytes.
    if reason.len() > CONTROL_BYTES_MAX - 2 {
        let length = reason.len();
        return Err(format!("the reason has {length} bytes, a Close has room for 123 (section 5.5)"));
    }
    Ok(Close { code, reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser;

    #[test]
    fn what_is_sent_keeps_the_order_of_the_command_line() {
        let line = "wsload inspect ws://h --ping a --send b --send-hex 00Ff --send c --ping d";
        let Command::Inspect(options) = Arguments::parse_from(line.split(' ')).command else { panic!() };
        let ping = |text: &str| Action::Ping(text.into());
        let text = |text: &str| Action::Text(text.into());
        let expected = [ping("a"), text("b"), Action::Binary(vec![0, 255]), text("c"), ping("d")];
        assert_eq!(options.script.actions, expected);
    }

    #[test]
    fn values_that_cannot_be() {
        assert_eq!(hex("0a 0B"), Ok(vec![10, 11]));
        assert_eq!(hex(""), Ok(vec![]));
        assert!(hex("0").is_err() && hex("zz").is_err() && hex("+1").is_err());
        assert_eq!(close("4000:a:b"), Ok(Close { code: 4000, reason: "a:b".into() }));
        assert!(
            close("x").is_err() && close("65536").is_err() && close(&format!("1000:{:124}", "")).is_err()
        );
        assert!(control(&"x".repeat(125)).is_ok() && control(&"x".repeat(126)).is_err());
    }
}
