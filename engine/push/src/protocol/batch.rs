//! A batch of messages over HTTP: `[{"topic":TOPIC,"data":VALUE},...]`.

use super::command::{CommandFault, Members, Parser, fault};
use super::{Code, raw};
use simd_json::Node;

/// One message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) topic: &'a str,
    /// One JSON value as it was sent.
    pub(crate) data: &'a [u8],
}

impl Parser {
    /// Reads a batch and hands on its entries in order, each for itself right or wrong.
    ///
    /// # Errors
    /// The client's fault: no batch, or too many entries; nothing was handed on.
    pub(crate) fn batch(
        &mut self,
        text: &[u8],
        entries_max: usize,
        mut act: impl FnMut(Result<Entry<'_>, CommandFault>),
    ) -> Result<(), CommandFault> {
        self.parse(text, |nodes| {
            let nodes = nodes.ok_or_else(|| fault(Code::BadJson, "the body is not JSON"))?;
            let [Node::Array { len, .. }, nodes @ ..] = nodes else {
                return Err(fault(Code::BadJson, "a batch is a JSON array of {\"topic\":...,\"data\":...}"));
            };
            if *len > entries_max {
                return Err(fault(
                    Code::TooLarge,
                    format!("the batch has {len} entries; at most {entries_max} are taken at once"),
                ));
            }
            let mut rest = nodes;
            for text in raw::elements(text) {
                let nested = match rest.first() {
                    Some(Node::Object { count, .. } | Node::Array { count, .. }) => *count,
                    _ => 0,
                };
                let (nodes, after) = rest.split_at((1 + nested).min(rest.len()));
                rest = after;
                act(entry(nodes, text));
            }
            Ok(())
        })
    }
}

fn entry<'b>(nodes: &'b [Node<'b>], text: &'b [u8]) -> Result<Entry<'b>, CommandFault> {
    let [Node::Object { .. }, nodes @ ..] = nodes else {
        return Err(fault(Code::BadCommand, "an entry is an object with a topic and data"));
    };
    let members = Members { nodes, text };
    members.only("an entry", &["topic", "data"])?;
    Ok(Entry { topic: members.topic("an entry")?, data: members.data("an entry")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut entries = Vec::new();
        let batch = Parser::default().batch(text.as_bytes(), 3, |entry| {
            entries.push(match entry {
                Ok(entry) => format!("{} {}", entry.topic, String::from_utf8_lossy(entry.data)),
                Err(fault) => format!("{}: {}", fault.code.word(), fault.message),
            });
        });
        batch.map(|()| entries).map_err(|fault| format!("{}: {}", fault.code.word(), fault.message))
    }

    #[test]
    fn entries_are_read_one_by_one() {
        let table: [(&str, &[&str]); 6] = [
            ("[]", &[]),
            (r#"[{"topic":"a","data":1.0}]"#, &["a 1.0"]),
            (
                r#" [ {"data":{"x":[1,{"y":2}]},"topic":"a\u0062"} , {"topic":"c","data":"[,]"},{"topic":"d","data":[]}]"#,
                &[r#"ab {"x":[1,{"y":2}]}"#, r#"c "[,]""#, "d []"],
            ),
            (
                r#"[1,{"topic":"a","data":null}]"#,
                &["bad_command: an entry is an object with a topic and data", "a null"],
            ),
            (
                r#"[[{"topic":"x"}],{"topic":"a"},{"data":1}]"#,
                &[
                    "bad_command: an entry is an object with a topic and data",
                    "bad_command: an entry has data, any JSON value",
                    "bad_command: an entry has a topic, a string",
                ],
            ),
            (
                r#"[{"topic":"a","data":1,"id":3},{"topic":7,"data":1},{"topic":"a","topic":"b","data":1}]"#,
                &[
                    "bad_command: an entry has no \"id\"",
                    "bad_command: topic is a string",
                    "bad_command: topic stands there twice",
                ],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_batch_is_refused_as_a_whole() {
        let no_array = "bad_json: a batch is a JSON array of {\"topic\":...,\"data\":...}";
        let table = [
            ("", "bad_json: the body is not JSON"),
            ("[1,]", "bad_json: the body is not JSON"),
            ("{}", no_array),
            ("7", no_array),
            ("[1,2,3,4]", "too_large: the batch has 4 entries; at most 3 are taken at once"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
    }
}
