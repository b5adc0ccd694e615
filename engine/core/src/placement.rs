//! How connections come to shards; what was measured stands in `docs/decisions/0001-placement.md`.

/// Who accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// The first shard accepts for all and hands each connection to the shard that has the fewest:
    /// even to the last connection, and no table fills up while another has room.
    #[default]
    HandOver,
    /// Every shard listens for itself with SO_REUSEPORT and the kernel spreads connections by a hash
    /// of their addresses: nothing is handed over, and the spread is as even as chance has it.
    ReusePort,
}
