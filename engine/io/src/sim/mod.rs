//! A seeded network in memory: the same vocabulary, no kernel, every fault on demand.
//!
//! A [`Network`] holds a virtual clock, all connections, and one source of chance. Shards
//! ([`SimIo`], made by [`Network::shard`]) speak [`Io`](crate::Io) to it; the test plays the other
//! ends with [`Peer`]s, or lets shards connect to each other. [`Faults`] says what goes wrong. It all
//! runs on one thread, each step when the test asks for it, so that a seed gives the same run each
//! time; [`Network::trace_hash`] proves it.
//!
//! ```
//! use wsring_io::sim::{Config, Faults, Network};
//! use wsring_io::{Completion, Io, Op, Outgoing};
//!
//! let network = Network::new(42, Faults::default());
//! let mut io = network.shard(Config::default());
//! let mut peer = network.peer(0);
//! peer.write(b"hello");
//!
//! io.submit(Op::AcceptStart);
//! while peer.read() != b"hello" {
//!     let mut completions = Vec::new();
//!     io.turn(None, &mut completions)?;
//!     for completion in completions {
//!         match completion {
//!             Completion::Accepted { socket } => io.submit(Op::ReceiveStart(socket)),
//!             Completion::Received { socket, buffer } => {
//!                 let range = 0..buffer.len();
//!                 let bytes = Outgoing::Received { buffer, range };
//!                 io.submit(Op::Send { socket, bytes, notify: false });
//!             }
//!             other => panic!("{other:?}"),
//!         }
//!     }
//! }
//! io.assert_quiet();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The clock
//!
//! Time never passes while somebody has work at the present moment:
//!
//! 1. A shard is *awake* when it is new and whenever something is there for it (an arrival, room to
//!    send, its deadline, its waker, an operation it submitted), until a turn of it finds nothing to
//!    report. It is then *asleep* until its deadline. One that was dropped does not count.
//! 2. A turn that finds nothing, with every shard asleep, moves the clock once: to the earliest of all
//!    events on the network and all shards' deadlines. Then it looks again, and returns.
//! 3. While another shard is awake such a turn returns empty and the clock stands still. Turning the
//!    shards in any fair order therefore makes progress, and none misses its deadline.
//! 4. An event stops the clock even when it concerns only a [`Peer`], so that the test can act on it.
//! 5. [`Network::advance`] moves the clock by force; what becomes ready meanwhile waits.
//!
//! So, unlike in the kernel, a turn may come back with nothing before its deadline.
//!
//! # What it watches over
//!
//! The network panics, naming its seed, when a shard breaks the contract: a second send for a socket
//! in one turn or while one is pending, an operation on a socket whose end was reported or that was
//! handed over, a lease that is not out, a hand-over of a socket already in use.
//! [`SimIo::assert_quiet`] finds the leases that never came back. Released buffers are overwritten.

mod buffers;
mod carry_out;
mod collect;
mod faults;
mod link;
mod network;
mod peer;
mod pipe;
mod random;
mod shard;
mod state;
mod table;

pub use faults::Faults;
pub use network::Network;
pub use peer::{Peer, PeerListener};
pub use shard::{Config, SimIo};
