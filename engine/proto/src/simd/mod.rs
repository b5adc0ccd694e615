//! SIMD kernels: byte work that costs a measurable share of a message, once per instruction set.
//!
//! One folder per kernel. Its front file holds the contract and the dispatch, `portable` the version
//! that runs everywhere, and one short file per instruction set the rest. A caller detects a [`Level`]
//! once and hands it to every call, so which instructions run is a value: it can be printed, and a
//! test or a benchmark can force a lower one.
//!
//! This is the only folder of the crate in which `unsafe` is allowed. Kernels never allocate beyond
//! what their signature says, and give the same bytes at every level. Read [`Level`] and [`unmask`] first.
#![allow(unsafe_code)]

mod level;
mod mask;

pub use level::Level;
pub use mask::{unmask, unmask_append, unmask_copy};
