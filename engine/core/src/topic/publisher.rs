//! The handles: all topics, one topic, one pattern.

use super::form::Form;
use super::log::{Log, Missed, News, shards_in};
use super::name::TopicError;
use crate::cluster::Cluster;
use crate::shard::Command;
use std::sync::Arc;
use wsring_proto::Kind;

/// Publishes to the topics of a server by their names, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    cluster: Arc<Cluster>,
}

/// One topic of a server. Cheap to clone, and to be had from [`Publisher::topic`]; a publisher that keeps it
/// spares the look-up by name. The topic stays as long as somebody holds it.
#[derive(Clone, Debug)]
pub struct Topic {
    cluster: Arc<Cluster>,
    log: Arc<Log>,
}

/// A pattern with `+` and `#`: who subscribes to it receives what is published to any topic that it stands
/// for, in the order in which it was published. Its log is of its own, a copy of what all of them append.
#[derive(Clone, Debug)]
pub struct Pattern {
    cluster: Arc<Cluster>,
    log: Arc<Log>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number in the topic: 0, 1, 2 and so on.
    pub offset: u64,
    /// Connections that were subscribed, those included that may miss it because they are slow.
    pub subscribers: usize,
}

/// What a topic holds at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Connections subscribed to it, without those subscribed to patterns.
    pub subscribers: usize,
    /// The offset of the next message.
    pub head: u64,
    /// The oldest offset that is kept; the head when none is.
    pub oldest: u64,
    /// Memory of its log.
    pub bytes: usize,
    /// Messages that subscribers have missed.
    pub missed: Missed,
}

impl Publisher {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// The topic with a name, made when there is none.
    ///
    /// # Errors
    /// The caller's fault: not a name (1 to 255 bytes of levels between slashes, without `+` and `#`), or
    /// one topic more than there may be.
    pub fn topic(&self, name: &str) -> Result<Topic, TopicError> {
        let log = self.cluster.registry().topic(name)?;
        Ok(Topic { cluster: Arc::clone(&self.cluster), log })
    }

    /// The topic with a name, if there is one.
    pub fn find(&self, name: &str) -> Option<Topic> {
        let log = self.cluster.registry().find(name)?;
        Some(Topic { cluster: Arc::clone(&self.cluster), log })
    }

    /// A pattern to subscribe to. A name is a pattern too, and then stands for itself.
    ///
    /// # Errors
    /// The caller's fault: not a pattern, or too many are in use.
    pub fn pattern(&self, pattern: &str) -> Result<Pattern, TopicError> {
        let log = self.cluster.registry().pattern(pattern)?;
        Ok(Pattern { cluster: Arc::clone(&self.cluster), log })
    }

    /// Publishes to the topic with a name.
    ///
    /// # Errors
    /// As [`topic`](Self::topic).
    pub fn publish(&self, name: &str, kind: Kind, payload: &[u8]) -> Result<Published, TopicError> {
        Ok(self.topic(name)?.publish(kind, payload))
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.cluster.registry().topics()
    }
}

impl Topic {
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Whether it was made by the server with these shards.
    pub(crate) fn belongs_to(&self, cluster: &Arc<Cluster>) -> bool {
        Arc::ptr_eq(&self.cluster, cluster)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.log.name()
    }

    /// Names this life of the topic: offsets of another life, before a restart of the server perhaps, mean
    /// nothing in this one. Below 2^53.
    pub fn epoch(&self) -> u64 {
        self.log.epoch()
    }

    /// Publishes from any thread: the message has its place among all others when this returns, and is on
    /// its way to every subscriber. Within a handler [`Conn::publish`](crate::Conn::publish) is cheaper. A
    /// text's payload has to be UTF-8; subscribers fail the connection when it is not.
    pub fn publish(&self, kind: Kind, payload: &[u8]) -> Published {
        let (offset, subscribers) = self.log.publish(self.cluster.registry(), kind, payload, |log, news| {
            tell(&self.cluster, log, news);
        });
        Published { offset, subscribers }
    }

    /// What it holds at this moment.
    pub fn info(&self) -> TopicInfo {
        let bounds = self.log.bounds(self.cluster.registry(), Form::PUBLISHED);
        TopicInfo {
            subscribers: self.log.subscribers() as usize,
            head: bounds.next,
            oldest: bounds.oldest,
            bytes: self.log.bytes(),
            missed: self.log.missed(),
        }
    }
}

impl Pattern {
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Whether it was made by the server with these shards.
    pub(crate) fn belongs_to(&self, cluster: &Arc<Cluster>) -> bool {
        Arc::ptr_eq(&self.cluster, cluster)
    }

    /// As it was given.
    pub fn pattern(&self) -> &str {
        self.log.name()
    }
}

/// Tells shards that a log has grown.
pub(crate) fn tell(cluster: &Cluster, log: &Arc<Log>, news: News) {
    for shard in shards_in(news, cluster.shards()) {
        cluster.send(shard, Command::Published(Arc::clone(log)));
    }
}
