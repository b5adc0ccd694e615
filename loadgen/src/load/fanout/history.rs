//! Which messages of an open loop a subscriber has got.

/// Remembered where there is one publisher, whose messages come in order or do not.
const FEW: usize = 64;
/// Remembered at least where there are several, whose messages may pass each other.
const MANY: usize = 1024;
/// And so many turns of all publishers, up to a bound.
const TURNS: usize = 4;
const MOST: usize = 8192;

/// The latest messages, each with a bit.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// One more than the highest.
    next: u64,
    seen: Seen,
}

/// The bit of a message is in the place of its number, modulo how many there are: a power of two.
#[derive(Clone, Debug)]
enum Seen {
    Few(u64),
    Many(Box<[u64]>),
}

/// How a message stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Fits,
    /// A later one of the same publisher has come before it.
    Overtaken,
    Repeated,
}

impl History {
    /// Of messages that so many publishers take turns in.
    pub(crate) fn new(publishers: u32) -> Self {
        let bits = (TURNS * publishers as usize).next_power_of_two().clamp(MANY, MOST);
        let seen = match publishers {
            0 | 1 => Seen::Few(0),
            _ => Seen::Many(vec![0; bits / FEW].into_boxed_slice()),
        };
        Self { next: 0, seen }
    }

    /// Takes a message; its publisher's others are a multiple of `publishers` away from it.
    #[inline]
    pub(crate) fn note(&mut self, number: u64, publishers: u32) -> Place {
        let next = self.next;
        let words = self.seen.words();
        let bits = (words.len() * FEW) as u64;
        if number >= next {
            if number - next >= bits {
                words.fill(0);
            } else {
                (next..number).for_each(|skipped| clear(words, skipped));
            }
            set(words, number);
            self.next = number + 1;
            return Place::Fits;
        }
        if next - number > bits {
            // So late is overtaken for sure where there is one publisher; of very many it may be the turn.
            let is_turn = u64::from(publishers) > bits / TURNS as u64;
            return if is_turn { Place::Fits } else { Place::Overtaken };
        }
        if has(words, number) {
            return Place::Repeated;
        }
        set(words, number);
        let step = u64::from(publishers.max(1));
        let mut later = (number + step..next).step_by(step as usize);
        if later.any(|later| has(words, later)) { Place::Overtaken } else { Place::Fits }
    }
}

impl Seen {
    #[inline]
    fn words(&mut self) -> &mut [u64] {
        match self {
            Self::Few(word) => std::slice::from_mut(word),
            Self::Many(words) => words,
        }
    }
}

/// The word and the bit of a number.
#[inline]
fn at(words: &[u64], number: u64) -> (usize, u64) {
    ((number / 64) as usize & (words.len() - 1), 1 << (number % 64))
}

#[inline]
fn has(words: &[u64], number: u64) -> bool {
    let (word, bit) = at(words, number);
    words[word] & bit != 0
}

#[inline]
fn set(words: &mut [u64], number: u64) {
    let (word, bit) = at(words, number);
    words[word] |= bit;
}

#[inline]
fn clear(words: &mut [u64], number: u64) {
    let (word, bit) = at(words, number);
    words[word] &= !bit;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_each_publisher() {
        use Place::{Fits, Overtaken, Repeated};
        let table: [(u32, &[u64], &[Place]); 11] = [
            (1, &[0, 1, 2], &[Fits, Fits, Fits]),
            (1, &[0, 2, 1, 3], &[Fits, Fits, Overtaken, Fits]),
            (2, &[0, 2, 1, 3], &[Fits, Fits, Fits, Fits]),
            (2, &[2, 0, 0], &[Fits, Overtaken, Repeated]),
            (1, &[5, 5, 70, 5, 200, 6], &[Fits, Repeated, Fits, Overtaken, Fits, Overtaken]),
            (1, &[63, 0, 64, 0], &[Fits, Overtaken, Fits, Overtaken]),
            (3, &[4, 3, 2, 1, 4], &[Fits, Fits, Fits, Overtaken, Repeated]),
            // Far apart, as from two threads.
            (2, &[800, 1, 801, 3, 1], &[Fits, Fits, Fits, Overtaken, Repeated]),
            // Many publishers are remembered for turns, and then it is too late.
            (1000, &[3500, 500, 501, 1501, 501], &[Fits, Overtaken, Fits, Fits, Repeated]),
            (1000, &[9000, 1], &[Fits, Overtaken]),
            (100_000, &[99_000, 1, 99_000, 98_000], &[Fits, Fits, Repeated, Fits]),
        ];
        for (publishers, numbers, expected) in table {
            let mut history = History::new(publishers);
            let found: Vec<Place> = numbers.iter().map(|number| history.note(*number, publishers)).collect();
            assert_eq!(found, expected, "{numbers:?} of {publishers}");
        }
    }
}
