//! A schedule or rounds.

use super::publish::{Campaign, Published};
use super::rounds::Rounds;
use super::stamp::Stamps;
use super::window::{Publisher, Window};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wsring::Time;

/// What decides when messages are published.
pub(super) enum Load {
    Schedule(Arc<Campaign>),
    Rounds(Arc<Rounds>),
}

impl Load {
    pub(super) fn stamps(&self) -> &Stamps {
        match self {
            Self::Schedule(campaign) => &campaign.stamps,
            Self::Rounds(rounds) => &rounds.stamps,
        }
    }

    /// The clock that publishing goes by.
    pub(super) fn publisher(&self) -> Publisher {
        match self {
            Self::Schedule(campaign) => campaign.publisher(),
            Self::Rounds(rounds) => {
                let Window { start, end, .. } = rounds.window;
                Publisher { start, end, offsets: None }
            }
        }
    }

    pub(super) fn take_published(&self) -> Vec<Published> {
        match self {
            Self::Schedule(campaign) => campaign.take_published(),
            Self::Rounds(_) => Vec::new(),
        }
    }

    /// Nothing more is published, and what was is waited for until then.
    pub(super) fn cut(&self, at: Time, drained: Time) {
        match self {
            Self::Schedule(campaign) => campaign.is_over.store(true, Ordering::Relaxed),
            Self::Rounds(rounds) => rounds.cut(at, drained),
        }
    }

    /// What could not be published by the schedule, by why.
    pub(super) fn failures(&self) -> BTreeMap<String, u64> {
        match self {
            Self::Schedule(campaign) => campaign.failures(),
            Self::Rounds(_) => BTreeMap::new(),
        }
    }
}
