//! What a client may do.

use super::Denied;
use crate::names::covers;

/// Topics that may be subscribed and published to, as patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    subscribe: Box<[Box<str>]>,
    publish: Box<[Box<str>]>,
    /// May see figures of the whole server though it may not subscribe to everything.
    operator: bool,
}

impl Rights {
    pub(crate) fn new(subscribe: &[String], publish: &[String]) -> Self {
        let boxed = |patterns: &[String]| patterns.iter().map(|pattern| pattern.as_str().into()).collect();
        Self { subscribe: boxed(subscribe), publish: boxed(publish), operator: false }
    }

    /// Those of an API key: a service of the operator's own.
    pub(crate) fn of_api_key() -> Self {
        Self { operator: true, ..Self::new(&[], &["#".into()]) }
    }

    /// Whether a topic, or everything that a pattern matches, may be subscribed.
    pub(crate) fn may_subscribe(&self, pattern: &str) -> bool {
        self.subscribe.iter().any(|right| covers(right, pattern))
    }

    pub(crate) fn may_publish(&self, topic: &str) -> bool {
        self.publish.iter().any(|right| covers(right, topic))
    }

    /// As [`may_subscribe`](Self::may_subscribe), for a client that showed a token or did not.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn ask_subscribe(&self, pattern: &str, is_known: bool) -> Result<(), Denied> {
        ask(self.may_subscribe(pattern), is_known, "subscribe to", pattern)
    }

    /// As [`may_publish`](Self::may_publish).
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn ask_publish(&self, topic: &str, is_known: bool) -> Result<(), Denied> {
        ask(self.may_publish(topic), is_known, "publish to", topic)
    }

    /// Whether figures that name topics and connections may be seen.
    pub(crate) fn may_observe(&self) -> bool {
        self.operator || self.may_subscribe("#")
    }
}

fn ask(granted: bool, is_known: bool, what: &str, topic: &str) -> Result<(), Denied> {
    if granted {
        return Ok(());
    }
    let topic = topic.escape_debug();
    Err(Denied::without_right(
        is_known,
        match is_known {
            true => format!("this token may not {what} \"{topic}\""),
            false => format!("without a token nobody may {what} \"{topic}\""),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_needs_a_right_that_covers_all_of_it() {
        let rights = Rights::new(&["news/#".into(), "rooms/+".into()], &["rooms/7".into()]);
        let table = [
            ("news/a/b", true, false),
            ("news/+", true, false),
            ("news/#", true, false),
            ("rooms/7", true, true),
            ("rooms/8", true, false),
            ("rooms/+", true, false),
            ("rooms/#", false, false),
            ("#", false, false),
            ("+/7", false, false),
        ];
        for (pattern, subscribe, publish) in table {
            assert_eq!(rights.may_subscribe(pattern), subscribe, "{pattern}");
            assert_eq!(rights.may_publish(pattern), publish, "{pattern}");
        }
        assert!(!rights.may_observe() && Rights::of_api_key().may_observe());
        assert!(!Rights::of_api_key().may_subscribe("a") && Rights::of_api_key().may_publish("a/b"));
        assert!(!Rights::default().may_subscribe("a") && !Rights::default().may_publish("a"));
    }
}
