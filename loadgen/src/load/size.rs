//! How long messages are: all alike, or by a distribution.
//!
//! A length is drawn by a number that a message has anyhow, so that whoever checks an echo draws the same one
//! and nothing has to be kept for each message.

use crate::units;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// Longest payload: the limit that most servers have.
pub(crate) const SIZE_MAX: usize = 64 << 20;

/// A distribution is cut into so many lengths that are equally likely.
const QUANTILES: usize = 4096;

/// Lengths as they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SizeChoice {
    /// `64`, `1KiB`.
    Fixed(usize),
    /// `uniform:10-1000`: each length as likely as any other.
    Uniform(usize, usize),
    /// `lognormal:200,1.5`: half of them up to the median, with a long tail; the second number is the standard
    /// deviation of the logarithm.
    Lognormal(usize, f64),
    /// `zipf:64-65536`: lengths from one to the other whose share falls as one over the length.
    Zipf(usize, usize),
    /// These, in ascending order, each as likely as any other: of a preset.
    Given(&'static [usize]),
}

/// Lengths to draw from.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// In ascending order.
    quantiles: Vec<usize>,
}

impl FromStr for SizeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or(("fixed", text));
        let wrong = || {
            format!(
                "{text:?} is no size; write it as 64, 1KiB, uniform:10-1000, lognormal:200,1.5 \
                 (median, deviation of the logarithm) or zipf:64-65536"
            )
        };
        let bounds = || {
            let (least, most) = rest.split_once('-').ok_or_else(wrong)?;
            let (least, most) = (units::size(least)?, units::size(most)?);
            if least <= most { Ok((least, most)) } else { Err(wrong()) }
        };
        let choice = match name {
            "fixed" => Self::Fixed(units::size(rest)?),
            "uniform" => bounds().map(|(least, most)| Self::Uniform(least, most))?,
            "zipf" => bounds().map(|(least, most)| Self::Zipf(least.max(1), most.max(1)))?,
            "lognormal" => {
                let (median, deviation) = rest.split_once(',').ok_or_else(wrong)?;
                let deviation: f64 = deviation.parse().map_err(|_| wrong())?;
                if !(0.0..=5.0).contains(&deviation) {
                    return Err(wrong());
                }
                Self::Lognormal(units::size(median)?, deviation)
            }
            _ => return Err(wrong()),
        };
        match Sizes::new(&choice).longest() {
            longest if longest <= SIZE_MAX => Ok(choice),
            longest => Err(format!("{text} asks for messages of {longest} bytes; allowed are up to 64MiB")),
        }
    }
}

impl Display for SizeChoice {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Uniform(least, most) => write!(f, "uniform:{least}-{most}"),
            Self::Lognormal(median, deviation) => write!(f, "lognormal:{median},{deviation}"),
            Self::Zipf(least, most) => write!(f, "zipf:{least}-{most}"),
            Self::Given(all) => {
                write!(f, "{} to {}", all.first().unwrap_or(&0), all.last().unwrap_or(&0))
            }
        }
    }
}

impl Sizes {
    /// The lengths that were asked for.
    pub(crate) fn new(choice: &SizeChoice) -> Self {
        let at = |share: f64| match choice {
            SizeChoice::Fixed(size) => *size as f64,
            SizeChoice::Uniform(least, most) => {
                (*least as f64 + share * (most - least + 1) as f64).min(*most as f64)
            }
            SizeChoice::Lognormal(median, deviation) => *median as f64 * (deviation * normal(share)).exp(),
            SizeChoice::Zipf(least, most) => *least as f64 * (*most as f64 / *least as f64).powf(share),
            SizeChoice::Given(all) => all[(share * all.len() as f64) as usize] as f64,
        };
        let count = match choice {
            SizeChoice::Fixed(_) => 1,
            SizeChoice::Given(all) => all.len(),
            _ => QUANTILES,
        };
        let quantiles = (0..count).map(|index| at((index as f64 + 0.5) / count as f64) as usize).collect();
        Self { quantiles }
    }

    /// Given lengths in ascending order.
    pub(crate) fn of(quantiles: Vec<usize>) -> Self {
        Self { quantiles }
    }

    /// The length that some number draws; all its bits should be random.
    #[inline]
    pub(crate) fn draw(&self, random: u64) -> usize {
        match self.quantiles.as_slice() {
            [only] => *only,
            all => all[(random >> 52) as usize % all.len()],
        }
    }

    /// The average.
    pub(crate) fn mean(&self) -> f64 {
        self.quantiles.iter().sum::<usize>() as f64 / self.quantiles.len().max(1) as f64
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> usize {
        self.quantiles.last().copied().unwrap_or(0)
    }

    /// The shortest of them.
    pub(crate) fn shortest(&self) -> usize {
        self.quantiles.first().copied().unwrap_or(0)
    }
}

/// The value of the standard normal distribution below which a share lies, to within 0.00045 (Abramowitz and
/// Stegun, Handbook of Mathematical Functions, 26.2.23).
fn normal(share: f64) -> f64 {
    let tail = share.min(1.0 - share);
    let t = (-2.0 * tail.ln()).sqrt();
    let value = t
        - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
            / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t);
    if share < 0.5 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Sizes {
        Sizes::new(&text.parse().expect(text))
    }

    #[test]
    fn distributions_have_the_shape_that_was_asked_for() {
        let table = [
            ("20", 20, 20, 20),
            ("1KiB", 1024, 1024, 1024),
            ("uniform:10-1000", 10, 505, 1000),
            ("uniform:7-7", 7, 7, 7),
            ("lognormal:200,1", 5, 200, 7500),
            ("lognormal:200,0", 200, 200, 200),
            ("zipf:64-65536", 64, 2048, 65_536),
        ];
        let near = |found: usize, wanted: usize| found.abs_diff(wanted) * 20 <= wanted + 20;
        for (text, shortest, median, longest) in table {
            let sizes = sizes(text);
            let middle = sizes.draw(1 << 63);
            let found = (sizes.shortest(), middle, sizes.longest());
            let right = near(found.0, shortest) && near(found.1, median) && near(found.2, longest);
            assert!(right, "{text}: {found:?}");
        }
    }

    #[test]
    fn each_choice_is_written_as_it_is_read() {
        for text in ["64", "uniform:1-5", "lognormal:200,1.5", "zipf:64-1024"] {
            assert_eq!(text.parse::<SizeChoice>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "x",
            "uniform:5",
            "uniform:5-1",
            "lognormal:5",
            "lognormal:5,x",
            "lognormal:5,9",
            "65MiB",
            "beta:1-2",
        ] {
            assert!(text.parse::<SizeChoice>().is_err(), "{text}");
        }
    }
}
