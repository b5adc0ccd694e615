//! A shard's receive buffers, and who has which.

use crate::Received;

/// A fixed number of buffers; each is free or leased, and the lease says so too.
pub(super) struct Buffers {
    memory: Vec<u8>,
    buffer_bytes: usize,
    /// For each buffer the length of the lease that is out.
    leases: Vec<Option<u32>>,
    /// Last given back, first used.
    free: Vec<u16>,
}

/// Written over what goes back, so that whoever still reads it notices.
const POISON: u8 = 0xDB;

impl Buffers {
    pub(super) fn new(count: u16, buffer_bytes: u32) -> Self {
        let buffer_bytes = buffer_bytes as usize;
        Self {
            memory: vec![POISON; usize::from(count) * buffer_bytes],
            buffer_bytes,
            leases: vec![None; usize::from(count)],
            free: (0..count).rev().collect(),
        }
    }

    /// The next free buffer, to be filled and [leased](Self::lease).
    pub(super) fn vacant(&mut self) -> Option<(u16, &mut [u8])> {
        let id = *self.free.last()?;
        let start = usize::from(id) * self.buffer_bytes;
        Some((id, &mut self.memory[start..start + self.buffer_bytes]))
    }

    /// Makes a lease of the first `length` bytes of the vacant buffer.
    pub(super) fn lease(&mut self, id: u16, length: usize) -> Received {
        let vacant = self.free.pop();
        debug_assert_eq!(vacant, Some(id), "the vacant buffer is the one that was filled");
        // A buffer's length came in as a `u32`.
        let length = length as u32;
        self.leases[usize::from(id)] = Some(length);
        Received { id, length }
    }

    /// Whether this is a lease that is out from here.
    pub(super) fn is_out(&self, received: &Received) -> bool {
        self.leases.get(usize::from(received.id)) == Some(&Some(received.length))
    }

    /// The bytes of a lease.
    pub(super) fn bytes(&mut self, received: &Received) -> &mut [u8] {
        let start = usize::from(received.id) * self.buffer_bytes;
        &mut self.memory[start..start + received.len()]
    }

    /// Takes a lease back.
    pub(super) fn release(&mut self, received: &Received) {
        self.bytes(received).fill(POISON);
        self.leases[usize::from(received.id)] = None;
        self.free.push(received.id);
    }

    /// How many leases are out.
    pub(super) fn out(&self) -> usize {
        self.leases.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &mut Buffers, bytes: &[u8]) -> Option<Received> {
        let (id, memory) = buffers.vacant()?;
        memory[..bytes.len()].copy_from_slice(bytes);
        Some(buffers.lease(id, bytes.len()))
    }

    #[test]
    fn a_lease_goes_out_and_comes_back() {
        let mut buffers = Buffers::new(2, 4);
        let first = filled(&mut buffers, b"one").unwrap();
        let second = filled(&mut buffers, b"two!").unwrap();
        assert!(filled(&mut buffers, b"none").is_none());
        assert_eq!((buffers.bytes(&first).to_vec(), buffers.out()), (b"one".to_vec(), 2));
        buffers.release(&first);
        assert!(!buffers.is_out(&first) && buffers.is_out(&second));
        assert_eq!(buffers.bytes(&first), [POISON; 3]);
        assert_eq!(filled(&mut buffers, b"x").unwrap().id, first.id);
        assert_eq!(buffers.out(), 2);
    }

    #[test]
    fn a_foreign_lease_is_known_as_such() {
        let buffers = Buffers::new(1, 4);
        assert!(!buffers.is_out(&Received { id: 0, length: 1 }));
        assert!(!buffers.is_out(&Received { id: 9, length: 1 }));
    }
}
