//! The workloads.
//!
//! ```text
//!   echo      messages to an echo server and what became of them
//!   idle      many connections that say nothing
//!   fanout    one publishes, many get it
//!
//!   crew      connections that are open for a load
//!   lane      what a shard's connections have on their way; drive: what is done there by the clock
//!   schedule  when messages are due;  phases: when a load begins, is measured and ends
//!   message   what is sent, how long it is (size) and how it is recognised
//!   verify    what an arriving message is: an answer, or which fault
//!   outcome   what came of a load
//!   presets   the parameters of well-known benchmarks
//! ```

pub(crate) mod crew;
mod drive;
pub(crate) mod echo;
pub(crate) mod fanout;
pub(crate) mod idle;
mod lane;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod phases;
pub(crate) mod presets;
pub(crate) mod schedule;
pub(crate) mod size;
mod verify;
