//! What a simulation looks at between turns and after the last one.

use super::Shard;
use wsring_io::Io;

impl<I: Io> Shard<I> {
    /// Sessions there are, those being closed included.
    pub fn sessions(&self) -> usize {
        self.table.len()
    }

    /// Bytes of unfinished messages that the shard holds.
    pub fn held_bytes(&self) -> usize {
        self.resources.held_bytes()
    }

    /// Connections with a compressor of their own, and windows held of what others send.
    pub fn contexts(&self) -> (usize, usize) {
        (self.local.compressing.contexts(), self.resources.contexts())
    }

    /// Topics that have a subscriber here.
    pub fn topics(&self) -> usize {
        self.local.fanout.logs()
    }

    /// The speaker.
    pub fn io(&self) -> &I {
        &self.io
    }
}
