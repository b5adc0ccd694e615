//! A probe, and the list of all.

use super::bench::Bench;
use super::outcome::Probing;
use super::{closing, compression, control, delivery, framing, messages, opening};

/// One question to a server.
#[derive(Debug)]
pub(super) struct Probe {
    /// A short name, for `--only` and for programs.
    pub(super) name: &'static str,
    /// Where the rule stands.
    pub(super) section: Section,
    /// What is sent.
    pub(super) sent: &'static str,
    /// What the server should do.
    pub(super) expected: &'static str,
    pub(super) needs: Needs,
    pub(super) run: fn(&Bench) -> Probing,
}

/// A section of an RFC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Of RFC 6455, The WebSocket Protocol.
    Rfc6455(&'static str),
    /// Of RFC 7692, Compression Extensions for WebSocket.
    Rfc7692(&'static str),
}

/// What a probe asks of the server beyond the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// That messages come back.
    Echo,
    /// That it accepts permessage-deflate.
    Deflate,
    /// Both.
    DeflateEcho,
}

impl Section {
    pub(super) fn rfc(self) -> u16 {
        match self {
            Self::Rfc6455(_) => 6455,
            Self::Rfc7692(_) => 7692,
        }
    }

    pub(super) fn number(self) -> &'static str {
        match self {
            Self::Rfc6455(number) | Self::Rfc7692(number) => number,
        }
    }
}

impl Needs {
    pub(super) fn echo(self) -> bool {
        matches!(self, Self::Echo | Self::DeflateEcho)
    }

    pub(super) fn deflate(self) -> bool {
        matches!(self, Self::Deflate | Self::DeflateEcho)
    }
}

/// The parts of the list, with their headings.
pub(super) const PARTS: [(&str, &[Probe]); 7] = [
    ("opening handshake", opening::PROBES),
    ("frames", framing::PROBES),
    ("control frames", control::PROBES),
    ("messages", messages::PROBES),
    ("delivery and size", delivery::PROBES),
    ("closing", closing::PROBES),
    ("permessage-deflate", compression::PROBES),
];

/// The probe that judges the echo itself; without it no other that needs an echo means anything.
pub(super) const ECHO: &str = "echo";

/// Whether a word of `--only` means this probe: its name, or its section or one above that.
pub(super) fn is_meant(probe: &Probe, word: &str) -> bool {
    let number = probe.section.number();
    let below = number.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    probe.name == word || below || probe.section.rfc().to_string() == word
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static Probe> {
        PARTS.iter().flat_map(|(_, probes)| probes.iter())
    }

    #[test]
    fn names_are_unique_and_the_echo_comes_before_what_needs_it() {
        let names: BTreeSet<&str> = all().map(|probe| probe.name).collect();
        assert_eq!(names.len(), all().count());
        let first = all().find(|probe| probe.needs.echo()).unwrap();
        assert_eq!(first.name, ECHO);
    }

    #[test]
    fn probes_are_chosen_by_name_section_or_document() {
        let count = |word: &str| all().filter(|probe| is_meant(probe, word)).count();
        assert_eq!(count("accept"), 1);
        assert_eq!(
            count("5") - count("5.2"),
            all().filter(|probe| is_meant(probe, "5") && probe.section.number() != "5.2").count()
        );
        assert!(count("5.5") > count("5.5.1") && count("5.5.1") > 0);
        assert_eq!(count("6455") + count("7692"), all().count());
        assert_eq!(count("nothing"), 0);
    }
}
