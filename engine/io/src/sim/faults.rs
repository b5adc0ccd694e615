//! What may go wrong, and how often.

use super::random::Random;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The faults of a [`Network`](super::Network). Fields that are `f64` are probabilities from 0 to 1,
/// drawn anew at each occasion.
///
/// The default has none and a link without delay. Whatever is set, the speaker keeps its contract: a
/// fault is always something that the kernel may do as well. A probability of 1 for a fault that puts
/// something off puts it off for ever.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// A receive gives only part of what has arrived.
    pub short_receive: f64,
    /// How many bytes such a receive gives at most, at least 1.
    pub short_receive_bytes_max: usize,
    /// A send goes out only in part at once, or not at all, though there is room.
    pub short_send: f64,
    /// How many bytes one direction of a connection holds, sent and not yet read, at least 1.
    pub window_bytes: usize,
    /// A receive finds no buffer though there are some; it goes on in a later turn.
    pub no_buffers: f64,
    /// An armed receive ends of its own accord after a piece; it is armed again in a later turn.
    pub receive_ended_silently: f64,
    /// A stop or a close takes some turns; what is under way is still reported until then.
    pub late_cancel: f64,
    /// The connection breaks when somebody writes to it; both ends learn of it.
    pub reset: f64,
    /// Accepting ends as if the kernel were short of something; the connection stays in the backlog.
    pub accept_ended: f64,
    /// A connect fails.
    pub connect_failed: f64,
    /// A peer's address cannot be found out.
    pub no_address: f64,
    /// How long whatever one end does takes to reach the other.
    pub delay: RangeInclusive<Duration>,
    /// Completions of different sockets come in any order, rather than in that of their slots.
    pub reorder: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            short_receive: 0.0,
            short_receive_bytes_max: 1,
            short_send: 0.0,
            window_bytes: WINDOW_BYTES_DEFAULT,
            no_buffers: 0.0,
            receive_ended_silently: 0.0,
            late_cancel: 0.0,
            reset: 0.0,
            accept_ended: 0.0,
            connect_failed: 0.0,
            no_address: 0.0,
            delay: Duration::ZERO..=Duration::ZERO,
            reorder: 0.0,
        }
    }
}

impl Faults {
    /// A mix drawn from `seed`: each fault is absent in half of the mixes, otherwise rare or frequent.
    pub fn from_seed(seed: u64) -> Self {
        // Another sequence than the network's, which may well be given the same seed.
        let random = &mut Random::new(seed ^ 0xFA17_5EED_0000_0001);
        Self {
            short_receive: drawn(random, 0.9),
            short_receive_bytes_max: drawn_bytes(random, 0..=10),
            short_send: drawn(random, 0.7),
            window_bytes: drawn_bytes(random, 4..=17),
            no_buffers: drawn(random, 0.5),
            receive_ended_silently: drawn(random, 0.5),
            late_cancel: drawn(random, 0.9),
            reset: drawn(random, 0.02),
            accept_ended: drawn(random, 0.3),
            connect_failed: drawn(random, 0.3),
            delay: drawn_delay(random),
            reorder: drawn(random, 1.0),
            no_address: drawn(random, 0.3),
        }
    }

    /// The same mix with everything left out that loses a connection: bytes may come late and in
    /// pieces, but all of them come.
    pub fn lossless(self) -> Self {
        Self { reset: 0.0, connect_failed: 0.0, ..self }
    }
}

/// What Linux gives a socket to send from before it grows (`net.ipv4.tcp_wmem`), roughly doubled for
/// what the other end holds.
const WINDOW_BYTES_DEFAULT: usize = 256 * 1024;

fn drawn(random: &mut Random, most: f64) -> f64 {
    if random.chance(0.5) { 0.0 } else { most * random.within(1..=100) as f64 / 100.0 }
}

/// A number of bytes whose order of magnitude is drawn first, so that small ones are as likely as large.
fn drawn_bytes(random: &mut Random, power: RangeInclusive<u64>) -> usize {
    let least = 1 << random.within(power);
    random.within(least..=2 * least - 1) as usize
}

fn drawn_delay(random: &mut Random) -> RangeInclusive<Duration> {
    if random.chance(0.5) {
        return Duration::ZERO..=Duration::ZERO;
    }
    let least = random.within(0..=1_000_000);
    let most = least + random.within(0..=50_000_000);
    Duration::from_nanos(least)..=Duration::from_nanos(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_mix() {
        assert_eq!(Faults::from_seed(42), Faults::from_seed(42));
        assert_ne!(Faults::from_seed(42), Faults::from_seed(43));
    }

    #[test]
    fn mixes_stay_within_bounds_and_differ() {
        let mixes: Vec<Faults> = (0..500).map(Faults::from_seed).collect();
        for faults in &mixes {
            assert!(faults.short_receive_bytes_max >= 1 && faults.window_bytes >= 16);
            assert!((0.0..=1.0).contains(&faults.short_receive) && (0.0..=0.02).contains(&faults.reset));
            assert!(faults.delay.start() <= faults.delay.end());
        }
        let without_reset = mixes.iter().filter(|faults| faults.reset == 0.0).count();
        assert!((150..350).contains(&without_reset), "{without_reset}");
    }
}
