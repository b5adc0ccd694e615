//! What handlers may reach of their shard.

use super::Command;
use super::compression::Compressing;
use super::fanout::Fanout;
use super::wheel::{self, Tick};
use crate::cluster::Cluster;
use crate::settings::Settings;
use hashbrown::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use wsring_io::Time;
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
    /// Compresses what connections send that have agreed on it.
    pub(crate) compressing: Compressing,
    /// What handlers asked for that concerns other connections of the shard.
    pub(crate) commands: Vec<Command>,
    /// Topics, and who is subscribed to them.
    pub(crate) fanout: Fanout,
    /// Where connections come from, by their places, when that is asked for.
    pub(crate) peers: HashMap<u32, IpAddr>,
    /// Messages received.
    pub(crate) messages: u64,
    pub(crate) started: Time,
    pub(crate) now: Time,
    pub(crate) tick: Tick,
}

impl Local {
    /// The tick in which `time` lies.
    pub(crate) fn tick_of(&self, time: Time) -> Tick {
        wheel::tick_between(self.started, time)
    }
}
