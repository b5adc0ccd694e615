//! Threads for shards.

use super::{Command, Shard, Start};
use crate::cluster::{ACCEPTOR, Cluster};
use crate::error::Error;
use crate::placement::Placement;
use crate::route::Routes;
use crate::running::{Drain, DrainReport};
use crate::settings::Settings;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use wsring_io::uring::{Config, Mesh, Uring};

/// A shard's thread; what it returns is the end of its drain.
type Thread = JoinHandle<std::io::Result<DrainReport>>;

/// Starts one thread per shard and returns when each has its ring and serves.
///
/// # Errors
/// The environment's fault: no ring, no thread. Nothing is left running then.
pub(crate) fn start_shards(
    cluster: &Arc<Cluster>,
    settings: Settings,
    routes: Arc<Routes>,
    listeners: Vec<Vec<TcpListener>>,
) -> Result<Vec<Thread>, Error> {
    let settings = Arc::new(settings);
    let mesh = Arc::new(Mesh::new(cluster.shards()));
    let (ready, opened) = channel();
    let mut threads = Vec::new();
    let mut outcome = Ok(());
    for (shard, listeners) in listeners.into_iter().enumerate() {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::Entropy)?;
        let start = Start {
            cluster: Arc::clone(cluster),
            shard,
            settings: Arc::clone(&settings),
            routes: Arc::clone(&routes),
            accepts: !listeners.is_empty(),
            seed,
        };
        let (mesh, ready) = (Arc::clone(&mesh), ready.clone());
        let thread = std::thread::Builder::new()
            .name(format!("wsring-{shard}"))
            .spawn(move || run(start, listeners, mesh, &ready));
        match thread {
            Ok(thread) => threads.push(thread),
            Err(cause) => outcome = Err(Error::Shard { shard, cause }),
        }
    }
    drop(ready);
    for result in opened.iter().take(threads.len()) {
        outcome = outcome.and(result);
    }
    if let Err(error) = outcome {
        let at_once = Drain { window: Duration::ZERO, deadline: Duration::ZERO };
        cluster.send_all(|| Command::Drain(at_once));
        threads.into_iter().for_each(|thread| drop(thread.join()));
        return Err(error);
    }
    let acceptors = match settings.placement {
        Placement::HandOver => ACCEPTOR + 1,
        Placement::ReusePort => cluster.shards(),
    };
    (0..acceptors).for_each(|shard| cluster.send(shard, Command::AcceptResume));
    Ok(threads)
}

fn run(
    start: Start,
    listeners: Vec<TcpListener>,
    mesh: Arc<Mesh>,
    ready: &Sender<Result<(), Error>>,
) -> std::io::Result<DrainReport> {
    let (shard, settings) = (start.shard, Arc::clone(&start.settings));
    let pinned = settings.pin.map_or(Ok(()), |first| pin(first + shard));
    let config =
        Config { buffers: settings.buffers, buffer_bytes: settings.buffer_bytes, ..Config::default() };
    let opened = pinned
        .map_err(|cause| Error::Shard { shard, cause })
        .and_then(|()| Uring::open(&config, listeners, mesh, shard).map_err(Error::Ring));
    match opened {
        Ok(io) => {
            let mut watch = Watch { cluster: Arc::clone(&start.cluster), shard, ended: false };
            let shard = Shard::new(io, start);
            // The starter waits for this message, so it is there to receive it.
            let _ = ready.send(Ok(()));
            let outcome = shard.run();
            watch.ended = outcome.is_ok();
            outcome
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            Ok(DrainReport::default())
        }
    }
}

/// Sees to it that a shard is not lost in silence: should its thread end for any other reason than a
/// drain, the others drain too, and whoever waits for the server learns of it.
struct Watch {
    cluster: Arc<Cluster>,
    shard: usize,
    ended: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.ended {
            tracing::error!(shard = self.shard, "a shard is lost; the others drain");
            self.cluster.send_all(|| Command::Drain(Drain::default()));
        }
    }
}

/// Binds this thread to a core.
fn pin(core: usize) -> std::io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(std::io::Error::other(format!("core {core} to pin to does not exist")));
    }
    set.set(core);
    let pinned = rustix::thread::sched_setaffinity(None, &set);
    pinned.map_err(|cause| std::io::Error::other(format!("cannot pin to core {core}: {cause} (see `nproc`)")))
}
