//! A started server: its shards' threads, and their end.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::figures::Observer;
use crate::shard::Command;
use crate::topic::{Publisher, Topic, TopicError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How to stop: no more connections are accepted, every open one is sent a Close with 1001, and what
/// is left at the deadline is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The Closes are spread evenly over this time, so that the clients do not all come back in the
    /// same moment.
    pub window: Duration,
    /// From the beginning of the drain to its end, at the latest.
    pub deadline: Duration,
}

impl Default for Drain {
    /// A window of 2 s and a deadline of 10 s.
    fn default() -> Self {
        Self { window: Duration::from_secs(2), deadline: Duration::from_secs(10) }
    }
}

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections there were when it began.
    pub connections: usize,
    /// Connections that ended in order.
    pub closed: usize,
    /// Connections cut off at the deadline.
    pub cut_off: usize,
}

/// A server or client whose shards run. Dropping it leaves them running.
#[derive(Debug)]
pub struct Running {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) threads: Vec<JoinHandle<std::io::Result<DrainReport>>>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Running {
    /// Where it listens, with the ports that the kernel chose for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Connections per shard, at this moment.
    pub fn connections(&self) -> Vec<u32> {
        self.cluster.connections()
    }

    /// The topics of this server, to be published to from any thread.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::clone(&self.cluster))
    }

    /// What is going on.
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.cluster))
    }

    /// The topic with a name: [`Publisher::topic`].
    ///
    /// # Errors
    /// As there.
    pub fn topic(&self, name: &str) -> Result<Topic, TopicError> {
        self.publisher().topic(name)
    }

    /// Stops in order and waits until all shards have ended.
    ///
    /// # Errors
    /// A shard was lost before; the environment's fault or ours.
    pub fn stop(self, drain: Drain) -> Result<DrainReport, Error> {
        self.begin_stop(drain);
        self.join()
    }

    /// Begins to stop; [`join`](Self::join) waits for the end.
    pub fn begin_stop(&self, drain: Drain) {
        self.stopper().begin_stop(drain);
    }

    /// A handle that begins the stop from another thread while this one waits in
    /// [`join`](Self::join).
    pub fn stopper(&self) -> Stopper {
        Stopper { cluster: Arc::clone(&self.cluster) }
    }

    /// Waits until all shards have ended: after a stop, or because one was lost, when the others drain.
    ///
    /// # Errors
    /// A shard was lost; the environment's fault or ours.
    pub fn join(self) -> Result<DrainReport, Error> {
        let mut sum = DrainReport::default();
        for (shard, thread) in self.threads.into_iter().enumerate() {
            let report = match thread.join() {
                Ok(report) => report.map_err(|cause| Error::Shard { shard, cause })?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            sum.connections += report.connections;
            sum.closed += report.closed;
            sum.cut_off += report.cut_off;
        }
        Ok(sum)
    }
}

/// Stops a running server from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper {
    cluster: Arc<Cluster>,
}

impl Stopper {
    /// See [`Running::begin_stop`].
    pub fn begin_stop(&self, drain: Drain) {
        self.cluster.send_all(|| Command::Drain(drain));
    }
}
