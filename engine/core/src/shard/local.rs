//! What handlers may reach of their shard.

use super::Command;
use super::wheel::{self, Tick};
use crate::cluster::Cluster;
use crate::settings::Settings;
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;
use wsring_io::{Socket, Time};
use wsring_proto::Masking;

/// Everything that a handler may reach of its shard beside its own connection.
pub(crate) struct Local {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) shard: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) masking: Masking,
    /// Frames that the present input's handler left in the receive buffer.
    pub(crate) frames: Vec<Range<usize>>,
    /// Where the present input begins in its receive buffer, if frames can stay there.
    pub(crate) input_stays: Option<usize>,
    /// What handlers asked for that concerns other connections of the shard.
    pub(crate) commands: Vec<Command>,
    /// Subscribers by topic.
    pub(crate) topics: HashMap<u64, Vec<Socket>>,
    pub(crate) started: Time,
    pub(crate) now: Time,
    pub(crate) tick: Tick,
}

impl Local {
    /// The tick in which `time` lies.
    pub(crate) fn tick_of(&self, time: Time) -> Tick {
        wheel::tick_between(self.started, time)
    }

    /// Takes a connection out of a topic's subscribers.
    pub(crate) fn leave(&mut self, topic: u64, socket: Socket) {
        let Some(subscribers) = self.topics.get_mut(&topic) else { return };
        if let Some(position) = subscribers.iter().position(|other| *other == socket) {
            subscribers.swap_remove(position);
        }
        if subscribers.is_empty() {
            self.topics.remove(&topic);
        }
    }
}
