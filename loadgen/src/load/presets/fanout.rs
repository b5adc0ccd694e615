//! Benchmarks in which what one sends comes to many.

use super::names;
use crate::args::KindChoice::{self, Binary, Text};
use crate::load::size::SizeChoice;
use clap::builder::PossibleValuesParser;

/// A benchmark's parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FanoutPreset {
    pub(crate) name: &'static str,
    pub(crate) subscribers: u32,
    pub(crate) publishing: Publishing,
    pub(crate) size: SizeChoice,
    pub(crate) kind: KindChoice,
    /// What a message stands in, where it does not stand alone.
    pub(crate) text: Option<&'static str>,
    /// How long it measures, where it says so.
    pub(crate) seconds: Option<u64>,
}

/// Who sends, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Publishing {
    /// So many of the members, or all of them, each so many messages, and again when all have got everything.
    Rounds { senders: Option<u32>, burst: u32 },
    /// One that is no subscriber, so many messages a second.
    Rate(f64),
}

use Publishing::{Rate, Rounds};

/// Lengths of the fifty texts that a client of Bun's benchmark sends 32 times.
const CHAT: [usize; 50] = [
    3, 3, 3, 3, 3, 3, 5, 5, 5, 6, 6, 6, 6, 6, 6, 8, 8, 8, 10, 10, 10, 10, 10, 10, 12, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 22, 22, 22, 28, 28, 28, 28,
];

/// All of them.
pub(crate) static FANOUT_PRESETS: [FanoutPreset; 4] = [
    FanoutPreset {
        name: "uws-broadcast",
        subscribers: 100,
        publishing: Rounds { senders: None, burst: 1 },
        size: SizeChoice::Fixed(20),
        kind: Binary,
        text: None,
        seconds: None,
    },
    FanoutPreset {
        name: "bun-chat",
        subscribers: 32,
        publishing: Rounds { senders: None, burst: 1600 },
        size: SizeChoice::Given(&CHAT),
        kind: Text,
        text: None,
        seconds: Some(10),
    },
    FanoutPreset {
        name: "shootout-broadcast",
        subscribers: 1000,
        publishing: Rounds { senders: Some(4), burst: 1 },
        size: SizeChoice::Fixed(200),
        kind: Text,
        text: Some(
            r#"{"type":"broadcast","payload":{"sendTime":"1483228800000000000","padding":"{payload}"}}"#,
        ),
        seconds: None,
    },
    FanoutPreset {
        name: "market-feed",
        subscribers: 25_000,
        publishing: Rate(10.0),
        size: SizeChoice::Fixed(20),
        kind: Text,
        text: None,
        seconds: Some(60),
    },
];

impl Publishing {
    pub(crate) fn is_in_rounds(self) -> bool {
        matches!(self, Rounds { .. })
    }
}

impl FanoutPreset {
    /// The one with a name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FANOUT_PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Accepts their names, and shows what each is.
    pub(crate) fn parser() -> PossibleValuesParser {
        names(FANOUT_PRESETS.iter().map(|preset| (preset.name, preset.to_string())))
    }
}

impl std::fmt::Display for FanoutPreset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subscribers, size, kind, .. } = self;
        write!(f, "{subscribers} subscribers, {size} B {}, ", kind.name())?;
        match self.publishing {
            Rounds { senders: None, burst: 1 } => write!(f, "rounds in which all send"),
            Rounds { senders: None, burst } => write!(f, "rounds in which all send {burst} each"),
            Rounds { senders: Some(senders), burst: 1 } => write!(f, "rounds in which {senders} send"),
            Rounds { senders: Some(senders), burst } => {
                write!(f, "rounds in which {senders} send {burst} each")
            }
            Rate(rate) => write!(f, "{rate} messages a second"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for preset in &FANOUT_PRESETS {
            assert_eq!(FanoutPreset::named(preset.name), Some(preset));
            let same = FANOUT_PRESETS.iter().filter(|other| other.name == preset.name);
            assert_eq!(same.count(), 1, "{} stands twice", preset.name);
            assert!(preset.text.is_none_or(|text| text.contains("{payload}")), "{}", preset.name);
        }
        assert_eq!(FanoutPreset::named("uws-echo"), None);
        let shown = |name| FanoutPreset::named(name).expect("it is there").to_string();
        assert_eq!(shown("bun-chat"), "32 subscribers, 3 to 28 B text, rounds in which all send 1600 each");
        assert_eq!(shown("market-feed"), "25000 subscribers, 20 B text, 10 messages a second");
        assert!(CHAT.is_sorted());
    }
}
