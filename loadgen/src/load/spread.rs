//! A share of the connections, spread evenly over their numbers.

/// 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread(pub(crate) f64);

impl Spread {
    /// Whether the connection with this number belongs to it.
    pub(crate) fn has(self, number: u32) -> bool {
        self.up_to(number.saturating_add(1)) > self.up_to(number)
    }

    /// How many of the first so many do.
    pub(crate) fn up_to(self, connections: u32) -> u32 {
        (f64::from(connections) * self.0).floor() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_and_spread() {
        for share in [0.0, 0.01, 0.1, 0.25, 0.5, 1.0] {
            let spread = Spread(share);
            let chosen: Vec<u32> = (0..1000).filter(|number| spread.has(*number)).collect();
            assert_eq!(chosen.len() as u32, spread.up_to(1000), "{share}");
            let gaps = chosen.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.clone().max().unwrap_or(0) <= gaps.min().unwrap_or(0) + 1, "{share}: {chosen:?}");
        }
    }
}
