//! What the publishing process and those that subscribe say to each other: a line for a question, a line of JSON for
//! its answer, on one TCP connection.
//!
//! ```text
//!   run         what will be published, and whose clock it goes by
//!   clock       what it shows
//!   ready       when publishing begins and ends; answered once all who are waited for are ready
//!   published   what was published since this was last asked, and when
//! ```

use crate::failure::Failure;
use crate::load::fanout::stamp::Stamps;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

pub(crate) const RUN: &str = "run";
pub(crate) const CLOCK: &str = "clock";
pub(crate) const READY: &str = "ready";
pub(crate) const PUBLISHED: &str = "published";

/// No question is longer.
pub(crate) const QUESTION_BYTES_MAX: u64 = 64;
/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Messages in one answer, so that its line stays below that.
pub(crate) const MESSAGES_MAX: usize = 16_384;

/// What is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Whose clock it is: [`machine`].
    pub(crate) machine: String,
    /// As people call it.
    pub(crate) host: String,
    /// Which messages these are.
    pub(crate) campaign: u32,
    /// As in the report's load.
    pub(crate) kind: String,
    /// As --size has it.
    pub(crate) size: String,
    pub(crate) publishers: u32,
    pub(crate) message_rate: f64,
}

/// When it is published, in nanoseconds of the publisher's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) begin: u64,
    /// What is due from here on is measured.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// How many messages there are.
    pub(crate) count: u64,
}

/// What a clock shows: when the question was read, and when its answer was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) received: u64,
    pub(crate) answered: u64,
}

/// What was published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// Numbers and times.
    pub(crate) messages: Vec<(u64, u64)>,
    /// All that could not be published so far, by why.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// An answer that is none, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) refused: String,
}

impl Run {
    /// The messages; `None` where their size is none.
    pub(crate) fn stamps(&self) -> Option<Stamps> {
        Some(Stamps::new(&self.size.parse().ok()?, self.campaign, 0))
    }

    /// What can be subscribed to.
    ///
    /// # Errors
    /// The other process is another program, or another version of this one.
    pub(crate) fn checked(self) -> Result<Self, Failure> {
        let is_sane = self.stamps().is_some_and(|stamps| stamps.can_be_found())
            && self.publishers > 0
            && (1e-6..=1e9).contains(&self.message_rate);
        if is_sane {
            Ok(self)
        } else {
            Err(Failure::Damaged(format!("the publishing process says {self:?}")))
        }
    }
}

/// Which clock this process reads: that of a boot, in a time namespace. Where both are the same, CLOCK_MONOTONIC is.
pub(crate) fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // time_namespaces(7): each has an offset of its own for CLOCK_MONOTONIC.
    let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display()).trim().to_owned()
}

/// The next line, without its end; empty when the other has closed.
pub(crate) fn line(from: &mut impl BufRead, bytes_max: u64) -> io::Result<String> {
    let mut line = String::new();
    from.take(bytes_max).read_line(&mut line)?;
    if line.is_empty() || line.ends_with('\n') {
        return Ok(line.trim_end().to_owned());
    }
    Err(io::Error::other("a line has no end"))
}

/// Reads an answer.
///
/// # Errors
/// The connection is gone, what was asked is refused, or the other speaks another language.
pub(crate) fn answer<T: for<'a> Deserialize<'a>>(from: &mut impl BufRead) -> Result<T, String> {
    parsed(&answer_line(from)?)
}

/// The line of an answer.
///
/// # Errors
/// The connection is gone.
pub(crate) fn answer_line(from: &mut impl BufRead) -> Result<String, String> {
    let line = line(from, ANSWER_BYTES_MAX).map_err(|cause| cause.to_string())?;
    if line.is_empty() { Err("it has gone away".into()) } else { Ok(line) }
}

/// What a line says.
///
/// # Errors
/// As [`answer`], once the line is there.
pub(crate) fn parsed<T: for<'a> Deserialize<'a>>(line: &str) -> Result<T, String> {
    if let Ok(refused) = serde_json::from_str::<Refused>(line) {
        return Err(refused.refused);
    }
    serde_json::from_str(line).map_err(|_| "its answer is not that of a wsload of this version".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_said_to_be_none() {
        let table: [(&str, Result<Reading, &str>); 5] = [
            ("{\"received\":1,\"answered\":2}\n", Ok(Reading { received: 1, answered: 2 })),
            ("{\"refused\":\"too late\"}\n", Err("too late")),
            ("HTTP/1.1 400 Bad Request\r\n", Err("its answer is not that of a wsload of this version")),
            ("", Err("it has gone away")),
            ("{\"received\":1", Err("a line has no end")),
        ];
        for (text, expected) in table {
            let found = answer::<Reading>(&mut text.as_bytes());
            assert_eq!(found, expected.map_err(String::from), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let run = Run {
            machine: machine(),
            host: "a".into(),
            campaign: 1,
            kind: "text".into(),
            size: "64".into(),
            publishers: 1,
            message_rate: 10.0,
        };
        assert!(!run.machine.is_empty() && run.clone().checked().is_ok());
        for wrong in [
            Run { size: "19".into(), ..run.clone() },
            Run { size: "65MiB".into(), ..run.clone() },
            Run { publishers: 0, ..run.clone() },
            Run { message_rate: f64::NAN, ..run },
        ] {
            assert!(wrong.clone().checked().is_err(), "{wrong:?}");
        }
    }
}
