//! What the benchmark programs of wsring share.
//!
//! The programs stand in `src/bin`: `floor` (the limit: a bare ring that echoes), `load` (the client),
//! `compare` (runs servers in turn and says what a message costs each), and `rival-*` (other people's
//! libraries as echo servers, behind the feature `rivals`). Others measure what topics cost by themselves, each
//! with servers of its own (`topics-server`): `stalled`, `topics-cost`, `fanout-shards`. `README.md` says how to
//! use them.

pub mod client;
pub mod comparison;
pub mod driven;
pub mod fan;
pub mod fanout_shards;
pub mod led;
pub mod opening;
pub mod proc;
pub mod ring;
#[cfg(feature = "rivals")]
pub mod rival;
pub mod rounds;
pub mod stalled;
pub mod topics;
pub mod topics_cost;
pub mod wire;
