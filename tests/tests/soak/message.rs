//! What the server says, taken apart without parsing all of it: most of a message is filling.

use serde_json::Value;
use wsring_tests::Peer;
use wsring_tests::wire::{CLOSE, PING, PONG, TEXT, message};

/// One message of the server, or the end.
#[derive(Debug)]
pub(crate) enum Said {
    Message {
        topic: String,
        offset: u64,
        number: u64,
    },
    Gap {
        topic: String,
        gap: Gap,
    },
    /// An answer, or the first message of a subscription.
    Other(Value),
    /// A Close, with its code.
    Closed(u16),
    /// The stream has ended without one.
    Lost,
}

/// What was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) reason: String,
}

impl Gap {
    /// Of a gap whose extent is known.
    pub(crate) fn of(value: &Value) -> Self {
        let number = |name: &str| value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}"));
        let gap = Self {
            from: number("from"),
            to: number("to"),
            reason: value["reason"].as_str().unwrap().to_owned(),
        };
        assert_eq!(number("missed"), gap.to - gap.from, "{value}");
        gap
    }
}

/// The data that a source publishes with a number.
pub(crate) fn data(number: u64, filling: usize) -> String {
    format!("{{\"n\":{number},\"filling\":\"{}\"}}", "x".repeat(filling))
}

/// The number of a source's data.
pub(crate) fn number(data: &str) -> u64 {
    assert!(data.starts_with("{\"n\":") && data.ends_with("x\"}"), "not what was published: {data:.60}");
    digits(&data[5..])
}

fn digits(text: &str) -> u64 {
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or_else(|_| panic!("a number at {text:.40}"))
}

/// The next of them. Pings are answered.
pub(crate) fn next(peer: &mut Peer) -> Said {
    loop {
        let Some(frame) = peer.try_frame() else { return Said::Lost };
        match frame.opcode {
            TEXT => return said(std::str::from_utf8(&frame.payload).unwrap()),
            PING => drop(peer.try_send(&message(PONG, &frame.payload))),
            CLOSE => return Said::Closed(frame.close_reason().0),
            _ => panic!("{frame:?}"),
        }
    }
}

fn said(text: &str) -> Said {
    let delivery = text.strip_prefix("{\"topic\":\"").and_then(|rest| {
        let (topic, rest) = rest.split_once("\",\"offset\":")?;
        let (_, data) = rest.split_once(",\"data\":")?;
        Some(Said::Message {
            topic: topic.to_owned(),
            offset: digits(rest),
            number: number(data.strip_suffix('}')?),
        })
    });
    delivery.unwrap_or_else(|| {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:.200}"));
        match (&value["topic"], value.get("gap")) {
            (Value::String(topic), Some(gap)) => Said::Gap { topic: topic.clone(), gap: Gap::of(gap) },
            _ => Said::Other(value),
        }
    })
}
