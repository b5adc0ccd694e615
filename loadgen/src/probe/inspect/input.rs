//! Lines of standard input: messages, and commands that begin with a slash.

use crate::args::{self, Action, Close};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Something to send, and in how many frames if the line says so.
    Act(Action, Option<u16>),
    /// To close.
    Close(Close),
}

/// Reads a line.
///
/// # Errors
/// The user's fault, and what can be written instead.
pub(super) fn parse(line: &str) -> Result<Input, String> {
    let text = |text: &str| Input::Act(Action::Text(text.into()), None);
    let Some(command) = line.strip_prefix('/') else { return Ok(text(line)) };
    // Two slashes are a message that begins with one.
    if command.starts_with('/') {
        return Ok(text(command));
    }
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match name {
        "hex" => Ok(Input::Act(Action::Binary(args::hex(rest)?), None)),
        "ping" => Ok(Input::Act(Action::Ping(args::control(rest)?), None)),
        "close" if rest.is_empty() => args::close("1000").map(Input::Close),
        "close" => args::close(&rest.replacen(' ', ":", 1)).map(Input::Close),
        "fragments" => {
            let (count, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let count = count.parse().ok().filter(|count| (1..=1000).contains(count));
            let count = count.ok_or("write /fragments N TEXT, with N from 1 to 1000")?;
            Ok(Input::Act(Action::Text(rest.into()), Some(count)))
        }
        _ => Err(format!(
            "/{name} is no command; there are /hex BYTES, /ping TEXT, /fragments N TEXT and /close CODE REASON, and // \
             begins a message with a slash"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_or_commands() {
        let text = |text: &str, fragments| Input::Act(Action::Text(text.into()), fragments);
        let close = |code, reason: &str| Input::Close(Close { code, reason: reason.into() });
        let table = [
            ("Hello", Some(text("Hello", None))),
            ("", Some(text("", None))),
            ("//a", Some(text("/a", None))),
            ("/hex 00 ff", Some(Input::Act(Action::Binary(vec![0, 255]), None))),
            ("/ping", Some(Input::Act(Action::Ping(String::new()), None))),
            ("/ping a b", Some(Input::Act(Action::Ping("a b".into()), None))),
            ("/fragments 3 a b", Some(text("a b", Some(3)))),
            ("/close", Some(close(1000, ""))),
            ("/close 4000 see you", Some(close(4000, "see you"))),
            ("/fragments x", None),
            ("/fragments 0 x", None),
            ("/hex 0", None),
            ("/close now", None),
            ("/quit", None),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line).ok(), expected, "{line}");
        }
    }
}
