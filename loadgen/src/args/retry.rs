//! When a connection that was not opened is tried again.

use crate::units::time;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The waits between the attempts of one connection: each up to twice as long as the one before it, and at random
/// between half and all of that, so that clients which failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// A connection has one attempt.
    None,
    /// It has any number of them.
    Backoff {
        /// The longest first wait.
        first: Duration,
        /// The longest of all.
        most: Duration,
    },
}

impl Retry {
    /// How long to wait after so many failed attempts; `random` is any number. `None`: no further one.
    pub(crate) fn wait(self, failed: u32, random: u64) -> Option<Duration> {
        let Self::Backoff { first, most } = self else { return None };
        let doubled = first.saturating_mul(1 << failed.saturating_sub(1).min(31)).min(most);
        let half = doubled / 2;
        Some(half + half.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64))
    }

    /// The longest wait there is.
    pub(crate) fn longest(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Backoff { most, .. } => most,
        }
    }
}

impl FromStr for Retry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let wrong = || format!("{text:?} is none; write it as 500ms-10s, or none");
        let (first, most) = text.split_once('-').ok_or_else(wrong)?;
        let (first, most) = (time(first)?, time(most)?);
        if first.is_zero() || most < first {
            return Err(format!(
                "{text:?} is none: the first wait is more than 0, and the second no shorter"
            ));
        }
        Ok(Self::Backoff { first, most })
    }
}

/// For people.
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Backoff { first, most } => {
                write!(
                    f,
                    "after {first:?}, doubled each time up to {most:?}; at random between half and all of it"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry: Retry = "100ms-1s".parse().expect("a retry");
        let milliseconds = |failed, random| retry.wait(failed, random).map(|wait| wait.as_millis());
        let table = [(1, 50, 100), (2, 100, 200), (3, 200, 400), (5, 500, 1000), (40, 500, 1000)];
        for (failed, least, most) in table {
            assert_eq!((milliseconds(failed, 0), milliseconds(failed, u64::MAX)), (Some(least), Some(most)));
        }
        assert_eq!((Retry::None.wait(1, 7), Retry::None.longest()), (None, Duration::ZERO));
        assert_eq!("none".parse(), Ok(Retry::None));
        for text in ["", "1s", "0-1s", "2s-1s", "1s-", "-1s", "1-2"] {
            assert!(text.parse::<Retry>().is_err(), "{text}");
        }
    }
}
