//! The subscriptions of a shard: 24 bytes each, and 4 more in the list of their feed.

const CHUNK: usize = 1024;

/// No subscription, or no feed.
pub(crate) const NONE: u32 = u32::MAX;

/// A place in a feed. One that has received everything that its feed has sent out needs no offset of its
/// own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscription {
    /// The offset of the next message it is to get, while it is behind.
    pub(crate) cursor: u64,
    /// The feed, or [`NONE`] while the place is free.
    pub(crate) feed: u32,
    /// The connection's place in the table.
    pub(crate) slot: u32,
    /// Its place among the feed's members.
    pub(crate) position: u32,
    /// The connection's next subscription, in a circle; of free places, the next free one.
    pub(crate) next: u32,
}

const _: () = assert!(size_of::<Subscription>() == 24, "what docs/memory.md says of a subscription");

/// What a connection keeps of its subscriptions: where their circle can be entered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circle {
    /// Where the next turn of catching up begins.
    pub(crate) entry: u32,
    pub(crate) count: u32,
    /// How many are behind.
    pub(crate) behind: u32,
    /// Whether the connection is among those that catch up in the next turn.
    pub(crate) is_hungry: bool,
}

impl Default for Circle {
    fn default() -> Self {
        Self { entry: NONE, count: 0, behind: 0, is_hungry: false }
    }
}

/// All subscriptions of a shard, in chunks that do not move.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    chunks: Vec<Box<[Subscription]>>,
    free: u32,
    /// Places given up since the last sends: these may still name them.
    resting: u32,
    count: usize,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: NONE, resting: NONE, count: 0 }
    }
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn at(&mut self, number: u32) -> &mut Subscription {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// Adds one and links it into its connection's circle.
    pub(crate) fn add(&mut self, of: &mut Circle, mut subscription: Subscription) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let number = self.free;
        self.free = self.at(number).next;
        subscription.next = match of.entry {
            NONE => number,
            entry => std::mem::replace(&mut self.at(entry).next, number),
        };
        if of.entry == NONE {
            of.entry = number;
        }
        *self.at(number) = subscription;
        of.count += 1;
        self.count += 1;
        number
    }

    /// Takes one out of its connection's circle.
    pub(crate) fn remove(&mut self, of: &mut Circle, number: u32) -> Subscription {
        let mut before = number;
        while self.at(before).next != number {
            before = self.at(before).next;
        }
        let next = self.at(number).next;
        self.at(before).next = next;
        if of.entry == number {
            of.entry = if next == number { NONE } else { next };
        }
        of.count -= 1;
        self.release(number)
    }

    /// Frees a place without a look at its circle, which is given up as a whole.
    pub(crate) fn release(&mut self, number: u32) -> Subscription {
        let before = std::mem::replace(&mut self.resting, number);
        let place = self.at(number);
        let subscription = *place;
        (place.feed, place.next) = (NONE, before);
        self.count -= 1;
        subscription
    }

    /// Every send so far has been heard of: the places that were given up by now are free.
    #[inline]
    pub(super) fn rested(&mut self) {
        let mut number = std::mem::replace(&mut self.resting, NONE);
        while number != NONE {
            let free = std::mem::replace(&mut self.free, number);
            number = std::mem::replace(&mut self.at(number).next, free);
        }
    }

    fn grow(&mut self) {
        let base = (self.chunks.len() * CHUNK) as u32;
        let vacant = |number: u32| Subscription { cursor: 0, feed: NONE, slot: 0, position: 0, next: number };
        let mut chunk: Box<[Subscription]> = (1..=CHUNK as u32).map(|after| vacant(base + after)).collect();
        chunk[CHUNK - 1].next = NONE;
        self.chunks.push(chunk);
        self.free = base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(all: &mut Subscriptions, of: &Circle) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut number = of.entry;
        for _ in 0..of.count {
            slots.push(all.at(number).slot);
            number = all.at(number).next;
        }
        assert_eq!(number, of.entry, "a circle");
        slots.sort_unstable();
        slots
    }

    #[test]
    fn circles_hold_what_was_added_and_not_removed() {
        let (mut all, mut of) = (Subscriptions::default(), Circle::default());
        let one = |slot| Subscription { cursor: 0, feed: 0, slot, position: 0, next: NONE };
        let numbers: Vec<u32> = (0..2500).map(|slot| all.add(&mut of, one(slot))).collect();
        assert_eq!((circle(&mut all, &of).len(), all.len()), (2500, 2500));
        for number in &numbers[..2499] {
            all.remove(&mut of, *number);
        }
        assert_eq!(circle(&mut all, &of), [2499]);
        let fresh = all.add(&mut of, one(5));
        assert!(!numbers.contains(&fresh), "places that are being sent to are not used again");
        all.remove(&mut of, fresh);
        all.rested();
        let again = all.add(&mut of, one(7));
        assert!(numbers.contains(&again), "places are used again");
        assert_eq!(circle(&mut all, &of), [7, 2499]);
        all.remove(&mut of, again);
        all.remove(&mut of, numbers[2499]);
        assert_eq!((of.entry, of.count, all.len()), (NONE, 0, 0));
    }
}
