//! The parameters of well-known benchmarks, by name.
//!
//! What they measure is mostly the throughput of a closed loop over the loopback interface. Their parameters are
//! these; their way of measuring is not taken over: echoes are verified, masks are random, and no two messages are
//! alike. `docs/wsload.md` says where each comes from.

mod fanout;

pub(crate) use fanout::{FanoutPreset, Publishing};

use crate::args::KindChoice;
use clap::builder::{PossibleValue, PossibleValuesParser};

/// A benchmark's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) connections: u32,
    pub(crate) sending: Sending,
    pub(crate) size: usize,
    pub(crate) kind: KindChoice,
    /// How long it measures, where it says so.
    pub(crate) seconds: Option<u64>,
}

/// How much a benchmark sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sending {
    /// A closed loop, with so many messages of each connection on their way.
    Depth(u32),
    /// So many messages a second on each connection.
    RateEach(f64),
}

use KindChoice::{Binary, Text};
use Sending::{Depth, RateEach};

const fn preset(
    name: &'static str,
    connections: u32,
    sending: Sending,
    size: usize,
    kind: KindChoice,
    seconds: Option<u64>,
) -> Preset {
    Preset { name, connections, sending, size, kind, seconds }
}

/// All of them.
pub(crate) const PRESETS: &[Preset] = &[
    preset("uws-echo", 100, Depth(1), 20, Binary, None),
    preset("uws-scale", 20_000, RateEach(0.125), 20, Binary, None),
    preset("fastwebsockets-100x20", 100, Depth(1), 20, Binary, None),
    preset("fastwebsockets-10x1024", 10, Depth(1), 1024, Binary, None),
    preset("fastwebsockets-10x16384", 10, Depth(1), 16_384, Binary, None),
    preset("fastwebsockets-200x16384", 200, Depth(1), 16_384, Binary, None),
    preset("fastwebsockets-500x16384", 500, Depth(1), 16_384, Binary, None),
    preset("tokio-websockets-100x0", 100, Depth(1), 0, Binary, None),
    preset("sockudo-100x512", 100, Depth(1), 512, Binary, None),
    preset("sockudo-500x512", 500, Depth(1), 512, Binary, None),
    preset("sockudo-100x1024", 100, Depth(1), 1024, Binary, None),
    preset("sockudo-500x1024", 500, Depth(1), 1024, Binary, None),
    preset("httparena-echo-512", 512, Depth(1), 5, Text, Some(5)),
    preset("httparena-echo-4096", 4096, Depth(1), 5, Text, Some(5)),
    preset("httparena-echo-16384", 16_384, Depth(1), 5, Text, Some(5)),
    preset("httparena-pipe-512", 512, Depth(16), 5, Text, Some(5)),
    preset("httparena-pipe-4096", 4096, Depth(16), 5, Text, Some(5)),
    preset("httparena-pipe-16384", 16_384, Depth(16), 5, Text, Some(5)),
    preset("lesismal-echo-5kx512", 5_000, Depth(1), 512, Binary, None),
    preset("lesismal-echo-10kx1024", 10_000, Depth(1), 1024, Binary, None),
    preset("lesismal-echo-50kx1024", 50_000, Depth(1), 1024, Binary, None),
    preset("lesismal-rate", 10_000, RateEach(200.0), 1024, Binary, Some(10)),
    preset("ws-speed-64", 1, Depth(1), 64, Binary, None),
    preset("ws-speed-16384", 1, Depth(1), 16 << 10, Binary, None),
    preset("ws-speed-131072", 1, Depth(1), 128 << 10, Binary, None),
    preset("ws-speed-1048576", 1, Depth(1), 1 << 20, Binary, None),
    preset("picows-256", 1, Depth(1), 256, Binary, Some(10)),
    preset("picows-8192", 1, Depth(1), 8192, Binary, Some(10)),
    preset("picows-100000", 1, Depth(1), 100_000, Binary, Some(10)),
];

impl Preset {
    /// The one with a name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Accepts their names, and shows what each is.
    pub(crate) fn parser() -> PossibleValuesParser {
        names(PRESETS.iter().map(|preset| (preset.name, preset.to_string())))
    }
}

/// Accepts names, and shows what each stands for.
fn names(all: impl Iterator<Item = (&'static str, String)>) -> PossibleValuesParser {
    let value = |(name, help)| PossibleValue::new(name).help(help);
    all.map(value).collect::<Vec<_>>().into()
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connections, size, kind, .. } = self;
        write!(f, "{connections} connections, {size} B {}, ", kind.name())?;
        match self.sending {
            Depth(depth) => write!(f, "depth {depth}"),
            RateEach(rate) => write!(f, "{rate} messages a second on each"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for preset in PRESETS {
            assert_eq!(Preset::named(preset.name), Some(preset));
            let same = PRESETS.iter().filter(|other| other.name == preset.name);
            assert_eq!(same.count(), 1, "{} stands twice", preset.name);
        }
        assert_eq!(Preset::named("nothing"), None);
        let shown = Preset::named("lesismal-rate").expect("it is there").to_string();
        assert_eq!(shown, "10000 connections, 1024 B binary, 200 messages a second on each");
    }
}
