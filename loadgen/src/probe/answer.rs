//! The head of an HTTP answer, read leniently: what is wrong with it is for others to say.

/// A status line and headers, all of which can be printed: other characters stand as escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status line: version, status and reason.
    pub(super) start: String,
    pub(super) status: u16,
    /// Names and values in their order.
    pub(super) headers: Vec<(String, String)>,
}

/// The longest head that is waited for.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Where the head ends that these bytes begin with: behind its empty line, whose line ends may lack their CR.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    (2..=bytes.len()).find(|end| bytes[..*end].ends_with(b"\n\n") || bytes[..*end].ends_with(b"\n\r\n"))
}

impl Answer {
    /// Reads a head that ends in an empty line.
    ///
    /// # Errors
    /// It is no HTTP at all: how it begins.
    pub(super) fn parse(head: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines().map(printable);
        let start = lines.next().unwrap_or_default();
        let status = start
            .strip_prefix("HTTP/")
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok())
            .ok_or_else(|| shown(head))?;
        let header = |line: String| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header);
        Ok(Self { start, status, headers: headers.collect() })
    }

    /// All values of the headers of this name.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter();
        headers.filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values together, as one list; `None` when there is no such header.
    pub(super) fn list(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether the list of a header has this token, in any case.
    pub(super) fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Status and reason.
    pub(super) fn status_line(&self) -> &str {
        self.start.split_once(' ').map_or("", |(_, rest)| rest.trim())
    }
}

/// A terminal would act on control characters; the tab, which may stand between two items, is left.
fn printable(line: &str) -> String {
    let escaped = |character: char| match character {
        '\t' => "\t".into(),
        character if character.is_control() => character.escape_default().to_string(),
        character => character.to_string(),
    };
    line.chars().map(escaped).collect()
}

/// The beginning of some bytes for a line of text.
pub(super) fn shown(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 40;
    let cut = &bytes[..bytes.len().min(BYTES_MAX)];
    let more = if bytes.len() > BYTES_MAX { "..." } else { "" };
    format!("\"{}\"{more}", cut.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_end_where_the_engine_says_so() {
        let table: [(&[u8], Option<usize>); 5] = [
            (b"HTTP/1.1 101\r\n\r\n\x81\n\n", Some(16)),
            (b"HTTP/1.1 101\nX: y\n\nrest", Some(19)),
            (b"HTTP/1.1 101\n\r\n", Some(15)),
            (b"HTTP/1.1 101\r\n\r", None),
            (b"", None),
        ];
        for (bytes, expected) in table {
            for cut in 0..=bytes.len() {
                let end = head_end(&bytes[..cut]);
                assert_eq!(end, expected.filter(|end| *end <= cut), "{}", bytes[..cut].escape_ascii());
                assert_eq!(end, wsring_proto::http::head_end(&bytes[..cut], 0));
            }
        }
    }

    #[test]
    fn heads_are_read_as_they_are() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade:websocket\nCONNECTION: keep-alive , Upgrade\r\nX: a\r\nx: b\r\n\r\n";
        let answer = Answer::parse(head).unwrap();
        assert_eq!((answer.status, answer.status_line()), (101, "101 Switching Protocols"));
        assert!(answer.lists("Connection", "upgrade") && !answer.lists("Upgrade", "web"));
        assert_eq!(answer.list("X").as_deref(), Some("a, b"));
        assert_eq!(answer.list("Y"), None);
        let escapes =
            Answer::parse(b"HTTP/1.1 200 \x1b[2J\r\nServer: \x1b]0;x\x07\xc2\x9b1m\r\nX: a,\tb\r\n\r\n")
                .unwrap();
        assert_eq!(escapes.status_line(), "200 \\u{1b}[2J");
        assert_eq!(escapes.list("Server").as_deref(), Some("\\u{1b}]0;x\\u{7}\\u{9b}1m"));
        assert!(escapes.lists("X", "b"));
        assert_eq!(Answer::parse(b"SSH-2.0-x\r\n\r\n"), Err("\"SSH-2.0-x\\r\\n\\r\\n\"".into()));
    }
}
