//! What a handler may do with topics: subscribe its connection, and publish.

use crate::conn::{Conn, Wire};
use crate::topic::{Encoding, Form, Pattern, Published, Start, Subscribed, Topic};
use wsring_proto::Kind;

impl Conn<'_> {
    /// Receives from now on what is published to the topic, as it was published.
    ///
    /// # Panics
    /// As [`subscribe_with`](Self::subscribe_with).
    pub fn subscribe(&mut self, topic: &Topic) -> Subscribed {
        self.subscribe_with(topic, Form::PUBLISHED, Start::Now)
    }

    /// Receives what is published to the topic, in a form and from an offset on. Says what of that is not
    /// kept any more. Messages never stand inside a message in fragments that is being sent: they come
    /// after it. A second subscription to a topic changes nothing.
    ///
    /// # Panics
    /// When the topic is another server's, or the connection a client's: frames of a topic are those
    /// of a server. When the form is not of the connection's kind: [`Framing::Raw`](crate::Framing::Raw) is
    /// for event streams, the others for WebSockets.
    pub fn subscribe_with(&mut self, topic: &Topic, form: Form, start: Start) -> Subscribed {
        self.check_subscription(topic.belongs_to(&self.local.cluster), form);
        self.local.subscribe(self.id.socket, self.topics, topic.log(), self.variant(form), start)
    }

    /// Receives from now on what is published to all topics that the pattern stands for, each message once,
    /// in the order in which they were published. Offsets of its [`Gap`](crate::Gap)s count the pattern's
    /// messages.
    ///
    /// # Panics
    /// As [`subscribe_with`](Self::subscribe_with).
    pub fn subscribe_pattern(&mut self, pattern: &Pattern, form: Form) -> Subscribed {
        self.check_subscription(pattern.belongs_to(&self.local.cluster), form);
        self.local.subscribe(self.id.socket, self.topics, pattern.log(), self.variant(form), Start::Now)
    }

    /// The variant of a form that the connection gets: deflated, if what is deflated for all fits the window
    /// that was agreed on.
    fn variant(&self, form: Form) -> Form {
        let window_bits = self.local.cluster.registry().shared_deflate().window_bits;
        match self.deflate() {
            Some(agreed) if agreed.server_window_bits() >= window_bits => form.deflated(),
            _ => form,
        }
    }

    fn check_subscription(&self, is_ours: bool, form: Form) {
        let is_ours = is_ours && self.wire != Wire::Client;
        assert!(is_ours, "a connection subscribes to topics of its own server");
        let is_framed = self.local.cluster.registry().encoding(form).is_none_or(Encoding::is_framed);
        assert!(is_framed == (self.wire == Wire::Server), "raw forms are for event streams, others are not");
    }

    /// Receives it no more; whether it did.
    pub fn unsubscribe(&mut self, topic: &Topic) -> bool {
        self.local.unsubscribe(self.topics, topic.log())
    }

    /// Receives it no more; whether it did.
    pub fn unsubscribe_pattern(&mut self, pattern: &Pattern) -> bool {
        let used = self.local.cluster.registry().find_pattern(pattern.pattern());
        self.local.unsubscribe(self.topics, used.as_ref().unwrap_or_else(|| pattern.log()))
    }

    /// How many topics and patterns it is subscribed to.
    pub fn subscriptions(&self) -> usize {
        self.topics.count as usize
    }

    /// Whether it is subscribed to a topic. Costs a look at each of its subscriptions.
    pub fn is_subscribed(&mut self, topic: &Topic) -> bool {
        self.local.fanout.is_subscribed(self.topics, topic.log())
    }

    /// The names of the topics and patterns that it is subscribed to, in no order.
    pub fn subscribed(&mut self) -> Vec<String> {
        let logs = self.local.fanout.logs_of(self.topics);
        logs.iter().map(|log| log.name().to_owned()).collect()
    }

    /// Publishes to all subscribers of the topic, on all shards, this connection included when it
    /// is one.
    pub fn publish(&mut self, topic: &Topic, kind: Kind, payload: &[u8]) -> Published {
        if !topic.belongs_to(&self.local.cluster) {
            return topic.publish(kind, payload);
        }
        let (offset, subscribers) = self.local.publish(topic.log(), kind, payload);
        Published { offset, subscribers }
    }

    /// Publishes to all other subscribers. (Should this connection be subscribed to a pattern that stands for
    /// the topic, it gets the message by that.)
    pub fn publish_to_others(&mut self, topic: &Topic, kind: Kind, payload: &[u8]) -> Published {
        let published = self.publish(topic, kind, payload);
        if topic.belongs_to(&self.local.cluster) {
            self.local.leave_out(self.topics, self.id.socket, topic.log(), published.offset);
        }
        published
    }
}
