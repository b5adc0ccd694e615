//! What is left of sends: one entry for each peer that does not keep up, 48 bytes and its bytes.

use super::slots::PendingIndex;
use bytes::{Buf, Bytes};

/// A send that waits for room. Its bytes lie on the heap and stay where they are.
pub(super) struct Pending {
    /// What the kernel reads, from its start.
    rest: Rest,
    /// What was submitted, against the rules, while the rest was still going: it follows. Behind a
    /// pointer, since hardly any entry has it.
    #[expect(clippy::box_collection, reason = "a vector is three times as large as a pointer to it")]
    next: Option<Box<Vec<u8>>>,
}

/// Bytes left of a send; of a receive buffer, a copy, so that a slow peer holds no buffer.
pub(super) enum Rest {
    Buffer { bytes: Vec<u8>, start: usize },
    Shared(Bytes),
}

impl Rest {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Buffer { bytes, start } => &bytes[*start..],
            Self::Shared(bytes) => bytes,
        }
    }

    fn advance(&mut self, sent: usize) {
        match self {
            Self::Buffer { start, .. } => *start += sent,
            Self::Shared(bytes) => bytes.advance(sent),
        }
    }
}

impl Pending {
    pub(super) fn new(rest: Rest) -> Self {
        Self { rest, next: None }
    }

    /// What the kernel is to send; more may follow.
    pub(super) fn bytes(&self) -> &[u8] {
        self.rest.bytes()
    }

    /// Puts bytes behind it.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.next.get_or_insert_default().extend_from_slice(bytes);
    }

    /// Counts off what was sent; how many bytes are still to go, what follows included.
    pub(super) fn advance(&mut self, sent: usize) -> usize {
        self.rest.advance(sent);
        if self.bytes().is_empty()
            && let Some(next) = self.next.take()
        {
            self.rest = Rest::Buffer { bytes: *next, start: 0 };
        }
        self.bytes().len() + self.next.as_ref().map_or(0, |next| next.len())
    }

    /// The vector whose bytes are done with.
    pub(super) fn into_spare(self) -> Option<Vec<u8>> {
        match self.rest {
            Rest::Buffer { bytes, .. } => Some(bytes),
            Rest::Shared(_) => None,
        }
    }
}

/// An entry, or the next one after it that is vacant too.
enum Entry {
    Used(Pending),
    Vacant(Option<PendingIndex>),
}

const _: () = assert!(size_of::<Entry>() <= 48, "the bound on what a stalled connection costs here");

const CHUNK_ENTRIES: usize = 256;

/// All pending sends, in chunks that are made when first used and never move: growing copies nothing
/// and takes no second table meanwhile.
pub(super) struct Pendings {
    chunks: Vec<Box<[Entry; CHUNK_ENTRIES]>>,
    /// How many entries were ever used.
    opened: u32,
    used: usize,
    /// The entry that became vacant last.
    vacant: Option<PendingIndex>,
}

impl Pendings {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), opened: 0, used: 0, vacant: None }
    }

    /// How many there are.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn insert(&mut self, pending: Pending) -> PendingIndex {
        let index = self.vacant.unwrap_or_else(|| self.open());
        let place = self.place(index);
        if let Entry::Vacant(next) = std::mem::replace(place, Entry::Used(pending)) {
            self.vacant = next;
        }
        self.used += 1;
        index
    }

    pub(super) fn get(&mut self, index: PendingIndex) -> Option<&mut Pending> {
        match self.place(index) {
            Entry::Used(pending) => Some(pending),
            Entry::Vacant(_) => None,
        }
    }

    pub(super) fn remove(&mut self, index: PendingIndex) -> Option<Pending> {
        let next = self.vacant;
        let place = self.place(index);
        if let Entry::Vacant(_) = place {
            return None;
        }
        let Entry::Used(pending) = std::mem::replace(place, Entry::Vacant(next)) else { return None };
        self.vacant = Some(index);
        self.used -= 1;
        Some(pending)
    }

    /// An entry that was never used.
    fn open(&mut self) -> PendingIndex {
        if self.opened as usize == self.chunks.len() * CHUNK_ENTRIES {
            self.chunks.push(Box::new([const { Entry::Vacant(None) }; CHUNK_ENTRIES]));
        }
        self.opened += 1;
        PendingIndex::new(self.opened - 1)
    }

    fn place(&mut self, index: PendingIndex) -> &mut Entry {
        let index = index.index() as usize;
        &mut self.chunks[index / CHUNK_ENTRIES][index % CHUNK_ENTRIES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(bytes: &'static [u8]) -> Pending {
        Pending::new(Rest::Shared(Bytes::from_static(bytes)))
    }

    #[test]
    fn what_follows_comes_after_the_rest() {
        let mut pending = Pending::new(Rest::Buffer { bytes: b"-rest".to_vec(), start: 1 });
        pending.append(b"ne");
        pending.append(b"xt");
        assert_eq!((pending.advance(1), pending.bytes()), (7, &b"est"[..]));
        assert_eq!((pending.advance(3), pending.bytes()), (4, &b"next"[..]));
        pending.append(b"!");
        assert_eq!((pending.advance(4), pending.bytes()), (1, &b"!"[..]));
        assert_eq!(pending.advance(1), 0);
        assert_eq!(shared(b"abc").advance(2), 1);
    }

    #[test]
    fn places_are_used_again_and_never_move() {
        const COUNT: usize = 3 * CHUNK_ENTRIES + 1;
        let mut pendings = Pendings::new();
        let first = pendings.insert(shared(b"first"));
        let before = std::ptr::from_ref(pendings.get(first).expect("it is there"));
        let indices: Vec<_> = (1..COUNT).map(|_| pendings.insert(shared(b"x"))).collect();
        assert_eq!(pendings.get(first).map(|first| std::ptr::from_ref(first)), Some(before));
        for &index in indices.iter().step_by(2) {
            assert!(pendings.remove(index).is_some() && pendings.remove(index).is_none());
            assert!(pendings.get(index).is_none());
        }
        let vacant = COUNT - pendings.used();
        let again: Vec<_> = (0..vacant).map(|_| pendings.insert(shared(b"again"))).collect();
        assert!(again.iter().all(|index| indices.iter().step_by(2).any(|vacant| vacant == index)));
        assert_eq!((pendings.used(), pendings.opened as usize), (COUNT, COUNT));
        assert!(again.iter().all(|&index| pendings.get(index).is_some_and(|p| p.bytes() == b"again")));
        assert_eq!(pendings.get(first).map(|first| first.bytes()), Some(&b"first"[..]));
    }
}
