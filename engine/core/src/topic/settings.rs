//! What a topic keeps, and what becomes of subscribers that fall behind it.

use std::time::Duration;

/// How a topic treats its messages and its slow subscribers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TopicSettings {
    /// What it keeps.
    pub retention: Retention,
    /// What happens to a subscriber that has fallen behind what is kept.
    pub behind: Behind,
}

/// What a topic keeps of what was published, for subscribers that are slow and for those that come back.
/// The strictest limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Memory of the log, of each form that is in use: 1 MiB. Never more, except that the newest message
    /// is always kept.
    pub bytes: usize,
    /// Messages; `u64::MAX`, the default, when only the others count.
    pub messages: u64,
    /// Age, kept to within an eighth or a second, whichever is more; `None`, the default: any.
    pub age: Option<Duration>,
}

/// What happens to a subscriber of which retention has dropped messages that it was still to get. Each of
/// them is counted by topic and kind; control frames are never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Behind {
    /// Closed with 1013 (try again later), so that it comes back and resumes or starts over.
    Close,
    /// Goes on with the oldest message that is kept, after [`Handler::missed`](crate::Handler::missed).
    #[default]
    Skip,
    /// Goes on with the newest message, after [`Handler::missed`](crate::Handler::missed): for values of
    /// which only the latest matters.
    Latest,
}

/// The settings of all topics whose name a pattern stands for.
#[derive(Clone, Debug)]
pub struct TopicRule {
    /// A name, or with `+` and `#` many.
    pub pattern: String,
    /// How they are treated.
    pub settings: TopicSettings,
}

impl Default for Retention {
    fn default() -> Self {
        Self { bytes: 1 << 20, messages: u64::MAX, age: None }
    }
}
