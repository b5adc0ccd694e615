//! What can go wrong before a connection exists.

use std::net::SocketAddr;
use thiserror::Error as ThisError;

/// Why a server or client did not start. Each text names the cause, the value and the remedy.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The caller set something that cannot be.
    #[error("{setting} is {value}; allowed is {allowed}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// As given.
        value: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// More connections were asked for than the shards' descriptor tables hold.
    #[error(
        "{connections} connections need {tables} shards, not {shards}: one shard holds {usable}{} (`ulimit -n`). \
         Leave the number of shards open, or raise the limit of open files",
        of_those_that_accept(*usable, *accepting)
    )]
    TooFewShards {
        /// As set.
        shards: usize,
        /// Needed.
        tables: usize,
        /// As set.
        connections: u32,
        /// Connections that one table holds.
        usable: u32,
        /// The same where connections are accepted, which takes places for those that come in.
        accepting: u32,
    },
    /// An address to listen on could not be read.
    #[error("cannot listen on \"{address}\": not an address such as 127.0.0.1:8080 or [::1]:8080")]
    Address {
        /// As given.
        address: String,
    },
    /// The kernel refused the listener.
    #[error("cannot listen on {address}: {cause}{}", listen_remedy(.cause))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// Nothing to listen on was given.
    #[error("no address to listen on: call Server::listen, for instance with \"127.0.0.1:8080\"")]
    NoListener,
    /// Options of compression that cannot be.
    #[error("permessage-deflate: {0}")]
    Deflate(#[from] wsring_proto::deflate::InvalidDeflateOptions),
    /// Two routes collide or a path is malformed.
    #[error("route {path}: {cause}")]
    Route {
        /// As given.
        path: String,
        /// Why it cannot be added.
        cause: String,
    },
    /// A topic's name, or a pattern in a rule, is wrong.
    #[error(transparent)]
    Topic(#[from] crate::topic::TopicError),
    /// The kernel does not give us a ring.
    #[error(transparent)]
    Ring(#[from] wsring_io::uring::OpenError),
    /// A shard could not be started or was lost.
    #[error("shard {shard}: {cause}")]
    Shard {
        /// Which.
        shard: usize,
        /// Why.
        cause: std::io::Error,
    },
    /// A URL to connect to is wrong.
    #[error("cannot connect to \"{url}\": {cause}")]
    Url {
        /// As given.
        url: String,
        /// Why not.
        cause: String,
    },
    /// The system gave no randomness for masking keys.
    #[error("the system gave no random bytes: {0}")]
    Entropy(getrandom::Error),
}

fn of_those_that_accept(usable: u32, accepting: u32) -> String {
    if accepting == usable {
        String::new()
    } else {
        format!(", or {accepting} where connections are accepted")
    }
}

fn listen_remedy(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => {
            ". Another program listens there (see `ss -ltnp`): stop it or choose another port"
        }
        std::io::ErrorKind::PermissionDenied => {
            ". Ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher port or grant it"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            ". No interface of this machine has that address (see `ip addr`)"
        }
        _ => "",
    }
}
