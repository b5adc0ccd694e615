//! Limits: of this machine, of this program, and of the server.
//!
//! ```text
//!   doctor     whether this machine can hold so many connections, and what mends it
//!   calibrate  what this program can do at most, and what share of it a run has used
//!   cost       what a run costs a server on this machine
//!   capacity   the largest load that a server holds under an objective
//!   host       what the kernel says about the machine
//! ```

pub(crate) mod calibrate;
pub(crate) mod capacity;
pub(crate) mod cost;
pub(crate) mod doctor;
#[cfg(test)]
mod fake;
mod host;
