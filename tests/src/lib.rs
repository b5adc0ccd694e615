//! What the black-box tests share: a WebSocket client that is independent of the one in the project,
//! a heap that counts, and the servers under test.
//!
//! * [`Peer`] speaks HTTP and WebSocket over a blocking socket and can break every rule.
//! * [`Deflated`] is one that has agreed on compression, with flate2 behind it.
//! * [`Served`] is a server in this process; [`binary::wsring`] is the built one.
//! * [`heap`] counts what the program allocates, by thread and in all.

pub mod binary;
pub mod deflated;
pub mod events;
pub mod heap;
pub mod peer;
pub mod process;
pub mod served;
pub mod source;
pub mod wire;

pub use deflated::Deflated;
pub use peer::{Answer, Peer};
pub use served::{Served, serve, settings};
pub use wire::Frame;

use std::time::{Duration, Instant};

/// How long a test waits for what must come; far more than it takes on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold in time: the test has failed.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "in vain: waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes in which every position is told by its neighbourhood, so that a loss or a swap shows.
pub fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..6]);
    }
    bytes.truncate(length);
    bytes
}
