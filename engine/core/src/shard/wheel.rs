//! A timer wheel: one deadline per connection, at a cost that does not depend on how many wait.
//!
//! ```text
//!  near:  256 slots of one tick (2^26 ns, 67 ms): the next 17 s
//!  far:   256 slots of 256 ticks: the next 73 min; a slot is sorted into `near` when its time begins
//! ```
//!
//! A deadline further ahead waits in the last far slot and is looked at again from there. Slots are
//! doubly linked lists through one array of nodes that is indexed by the connection's place, so
//! setting, moving and dropping a deadline take constant time and no memory of their own.

use std::time::Duration;
use wsring_io::Time;

/// Nanoseconds of a tick, as a power of two: 67 ms is fine enough for deadlines of seconds.
const TICK_SHIFT: u32 = 26;
const SLOTS: usize = 256;
const SLOT_TICKS_SHIFT: u32 = SLOTS.trailing_zeros();
const NONE: u32 = u32::MAX;

/// Time in ticks since the shard's start; 32 bits last nine years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u32);

impl Tick {
    /// This tick and `duration` more, rounded up to a whole tick.
    pub(crate) fn after(self, duration: Duration) -> Self {
        let ticks = (duration.as_nanos() >> TICK_SHIFT) + 1;
        Self(self.0.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX)).min(NONE - 1))
    }
}

/// The tick that `time` lies in, on a wheel that began at `start`.
pub(crate) fn tick_between(start: Time, time: Time) -> Tick {
    Tick(u32::try_from(time.0.saturating_sub(start.0) >> TICK_SHIFT).unwrap_or(NONE - 1))
}

#[derive(Clone, Copy, Debug)]
struct Node {
    next: u32,
    /// The node before, or the list's head marked by [`HEAD`].
    previous: u32,
    at: Tick,
}

/// Marks a `previous` that is the number of a list, not of a node.
const HEAD: u32 = 1 << 31;
const UNSET: Node = Node { next: NONE, previous: NONE, at: Tick(0) };

/// The wheel of one shard.
#[derive(Debug)]
pub(crate) struct Wheel {
    start: Time,
    /// Everything before this tick has been handed out.
    now: Tick,
    heads: Box<[u32; 2 * SLOTS]>,
    nodes: Vec<Node>,
    set: usize,
}

impl Wheel {
    /// An empty wheel that begins at `start`.
    pub(crate) fn new(start: Time) -> Self {
        Self { start, now: Tick(0), heads: Box::new([NONE; 2 * SLOTS]), nodes: Vec::new(), set: 0 }
    }

    /// The tick that `time` lies in.
    pub(crate) fn tick(&self, time: Time) -> Tick {
        tick_between(self.start, time)
    }

    /// Sets or moves the deadline of `key`; a deadline in the past is due at once.
    pub(crate) fn set(&mut self, key: u32, at: Tick) {
        let index = key as usize;
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, UNSET);
        }
        self.remove(key);
        self.insert(key, at);
        self.set += 1;
    }

    /// Drops the deadline of `key`, if it has one.
    pub(crate) fn remove(&mut self, key: u32) {
        let Some(node) = self.nodes.get(key as usize).copied() else { return };
        if node.previous == NONE {
            return;
        }
        self.set -= 1;
        if node.previous & HEAD != 0 {
            self.heads[(node.previous & !HEAD) as usize] = node.next;
        } else {
            self.nodes[node.previous as usize].next = node.next;
        }
        if node.next != NONE {
            self.nodes[node.next as usize].previous = node.previous;
        }
        self.nodes[key as usize] = UNSET;
    }

    /// Moves on to `time` and appends the keys whose deadlines have passed; those have none any more.
    pub(crate) fn advance(&mut self, time: Time, due: &mut Vec<u32>) {
        let target = self.tick(time);
        if self.set == 0 {
            self.now = self.now.max(target);
            return;
        }
        // What was set for the present tick since it was last looked at.
        self.expire(due);
        while self.now < target {
            self.now.0 += 1;
            if (self.now.0 as usize).is_multiple_of(SLOTS) {
                self.cascade();
            }
            self.expire(due);
        }
    }

    /// When [`advance`](Self::advance) has something to do next; `None` while no deadline is set.
    pub(crate) fn next(&self) -> Option<Time> {
        if self.set == 0 {
            return None;
        }
        let turn_ends = (self.now.0 | (SLOTS as u32 - 1)).saturating_add(1);
        let occupied = |tick: &u32| self.heads[*tick as usize % SLOTS] != NONE;
        let tick = (self.now.0..turn_ends).find(occupied).unwrap_or(turn_ends);
        Some(Time(self.start.0 + (u64::from(tick) << TICK_SHIFT)))
    }

    /// Hands out the near slot of the present tick.
    fn expire(&mut self, due: &mut Vec<u32>) {
        let slot = self.now.0 as usize % SLOTS;
        while self.heads[slot] != NONE {
            let key = self.heads[slot];
            let at = self.nodes[key as usize].at;
            self.remove(key);
            if at <= self.now {
                due.push(key);
            } else {
                self.insert(key, at);
                self.set += 1;
            }
        }
    }

    /// Sorts the far slot that has just begun into the near ones.
    fn cascade(&mut self) {
        let slot = SLOTS + (self.now.0 >> SLOT_TICKS_SHIFT) as usize % SLOTS;
        let mut key = std::mem::replace(&mut self.heads[slot], NONE);
        while key != NONE {
            let Node { next, at, .. } = self.nodes[key as usize];
            self.insert(key, at);
            key = next;
        }
    }

    fn insert(&mut self, key: u32, at: Tick) {
        let due = at.max(self.now);
        let far = (due.0 >> SLOT_TICKS_SHIFT) - (self.now.0 >> SLOT_TICKS_SHIFT);
        let slot = match far {
            0 => due.0 as usize % SLOTS,
            far => {
                let reach = far.min(SLOTS as u32 - 1);
                SLOTS + ((self.now.0 >> SLOT_TICKS_SHIFT) + reach) as usize % SLOTS
            }
        };
        let next = std::mem::replace(&mut self.heads[slot], key);
        if next != NONE {
            self.nodes[next as usize].previous = key;
        }
        self.nodes[key as usize] = Node { next, previous: HEAD | slot as u32, at };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn time(tick: u32) -> Time {
        Time(u64::from(tick) << TICK_SHIFT)
    }

    /// Deadlines set, moved, dropped and passed in any order come out exactly like those of a map.
    #[test]
    fn agrees_with_a_sorted_map() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) as u32) % below
        };
        let mut wheel = Wheel::new(Time(0));
        let mut model: BTreeMap<u32, u32> = BTreeMap::new();
        let mut now = 0;
        let mut passed = 0;
        for _ in 0..40_000 {
            match random(10) {
                0..=4 => {
                    let key = random(500);
                    let ahead = [10, 300, 3_000, 100_000][random(4) as usize];
                    let at = now + random(ahead);
                    wheel.set(key, Tick(at));
                    model.insert(key, at);
                }
                5 => {
                    let key = random(500);
                    wheel.remove(key);
                    model.remove(&key);
                }
                _ => {
                    if let Some(next) = wheel.next() {
                        assert!(next >= time(now), "the next look lies ahead");
                        let first = model.values().min().copied().unwrap_or(u32::MAX);
                        assert!(next <= time(first.max(now)), "nothing is due before the next look");
                    }
                    let far = [2, 40, 700][random(3) as usize];
                    now += random(far);
                    let mut due = Vec::new();
                    wheel.advance(time(now), &mut due);
                    due.sort_unstable();
                    let expected: Vec<u32> =
                        model.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
                    assert_eq!(due, expected, "at {now}");
                    passed += due.len();
                    model.retain(|_, at| *at > now);
                }
            }
        }
        assert!(passed > 2_000);
        assert_eq!(wheel.set, model.len());
    }

    #[test]
    fn an_empty_wheel_sleeps() {
        let mut wheel = Wheel::new(time(5));
        assert_eq!(wheel.next(), None);
        wheel.set(3, Tick(7));
        wheel.remove(3);
        assert_eq!(wheel.next(), None);
    }
}
