//! The workloads.
//!
//! ```text
//!   echo     messages to an echo server and their round trips
//!   idle     many connections that say nothing
//!   message  what is sent and how it is recognised when it comes back
//! ```

pub(crate) mod echo;
pub(crate) mod idle;
mod message;
