//! The workloads.
//!
//! ```text
//!   echo      messages to an echo server and what became of them
//!   fanout    one publishes, many get it
//!   idle      many connections that say nothing; pinging: their Pings
//!   connect   how openings go, step by step
//!   churn     connections that come and go
//!   storm     a share of them is dropped at once, and comes again
//!   slow      readers that do not keep up, among the others
//!
//!   crew      connections that are open for a load
//!   lane      what a shard's connections have on their way; drive: what is done there by the clock
//!   schedule  when messages are due;  phases: when a load begins, is measured and ends
//!   message   what is sent, how long it is (size) and how it is recognised
//!   verify    what an arriving message is: an answer, or which fault
//!   outcome   what came of a load
//!   presets   the parameters of well-known benchmarks
//! ```

pub(crate) mod churn;
pub(crate) mod connect;
pub(crate) mod crew;
mod drive;
pub(crate) mod echo;
pub(crate) mod fanout;
pub(crate) mod idle;
mod lane;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod phases;
mod pinging;
pub(crate) mod presets;
pub(crate) mod schedule;
pub(crate) mod size;
pub(crate) mod slow;
mod spread;
pub(crate) mod storm;
mod verify;
