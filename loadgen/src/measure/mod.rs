//! What was measured, and whether the generator was the limit.

pub(crate) mod cpu;
pub(crate) mod exchange;
pub(crate) mod health;
pub(crate) mod kernel;
pub(crate) mod memory;
pub(crate) mod meter;
pub(crate) mod neighbours;
pub(crate) mod opening;
