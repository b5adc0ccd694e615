//! What is raised from trial to trial.

use clap::ValueEnum;
use serde::Serialize;

/// The load whose limit is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// Messages a second of an open loop, over the connections that the options say (`echo`).
    Rate,
    /// Connections, each with its part of the load that the options say (`echo`).
    Connections,
    /// Subscribers of what is published as the options say (`fanout`).
    Subscribers,
    /// Connections that come and go, a second (`churn`).
    Churn,
}

/// How a load is put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The subcommand whose options are taken.
    pub(crate) workload: &'static str,
    /// Its option for the load.
    pub(crate) option: &'static str,
    /// Its option for the load before measuring begins; `None`: there is no such time.
    pub(crate) warm_up: Option<&'static str>,
    /// What is shown of each trial: connections opened a second, or messages answered.
    pub(crate) counts_openings: bool,
    /// What the load counts.
    pub(crate) unit: &'static str,
    /// The first load, when none is given.
    pub(crate) start: u64,
    /// The largest load, when none is given.
    pub(crate) most: u64,
}

impl Of {
    pub(crate) fn way(self) -> Way {
        match self {
            Self::Rate => Way {
                workload: "echo",
                option: "--message-rate",
                warm_up: Some("--warm-up"),
                counts_openings: false,
                unit: "messages per second",
                start: 1000,
                most: 100_000_000,
            },
            Self::Connections => Way {
                workload: "echo",
                option: "--connections",
                warm_up: Some("--warm-up"),
                counts_openings: false,
                unit: "connections",
                start: 100,
                most: 10_000_000,
            },
            Self::Subscribers => Way {
                workload: "fanout",
                option: "--subscribers",
                warm_up: Some("--warm-up"),
                counts_openings: false,
                unit: "subscribers",
                start: 100,
                most: 10_000_000,
            },
            Self::Churn => Way {
                workload: "churn",
                option: "--rate",
                warm_up: None,
                counts_openings: true,
                unit: "connections per second",
                start: 100,
                most: 1_000_000,
            },
        }
    }
}
