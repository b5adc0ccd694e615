//! Limits: of this machine, of this program, and of the server.
//!
//! ```text
//!   doctor     whether this machine can hold so many connections, and what mends it
//!   host       what the kernel says about the machine
//! ```

pub(crate) mod doctor;
#[cfg(test)]
mod fake;
mod host;
