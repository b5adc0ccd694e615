//! How many connections each address has.

use hashbrown::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Connections by the address they come from, over all shards.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, u32>>);

impl Addresses {
    /// One more connection from an address; how many that makes.
    pub(crate) fn opened(&self, address: IpAddr) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        *count += 1;
        *count
    }

    /// One fewer.
    pub(crate) fn closed(&self, address: IpAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}
