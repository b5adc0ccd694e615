//! Changes and their intervals beside each other, on one axis ("forest plot"): whether an interval holds zero, and
//! what a threshold allows, is seen at once.

use super::Row;
use crate::report::html::escaped;
use crate::report::plot::axis::Fitted;
use crate::report::plot::{Axis, Scale, Unit};
use std::fmt::Write;

/// How many times as wide as one of the narrow ones an interval may be before it is cut off, so that those can be seen
/// too: those of the tail may be a hundred times as wide as that of the median.
const EXTENT_MAX: f64 = 8.0;
/// An axis shows at least this change in each direction that it has.
const EXTENT_LEAST: f64 = 0.01;
/// Room at both ends, as a share.
const ROOM: f64 = 0.08;
/// Marks with words on each side of zero, about.
const MARKS: usize = 4;

/// The axis that all rows share.
pub(super) struct Forest {
    axis: Fitted,
    low: f64,
    high: f64,
}

impl Forest {
    /// For these rows; `None` where nothing has changed or could.
    pub(super) fn of(rows: &[Row]) -> Option<Self> {
        let mut extents: Vec<f64> = rows.iter().filter_map(extent).collect();
        extents.sort_by(f64::total_cmp);
        let narrow = *extents.get(extents.len().checked_sub(1)? / 4)?;
        let most = EXTENT_MAX * narrow.max(EXTENT_LEAST);
        // Both ends of a row count or none: what is half cut off needs no room on the other side either.
        let calm = || rows.iter().filter(|row| extent(row).is_some_and(|extent| extent <= most));
        let ends = calm().filter_map(ends).flat_map(|(low, high)| [low, high]);
        let bounds = calm().flat_map(|row| row.bounds.clone()).filter(|bound| bound.abs() <= most);
        let values: Vec<f64> = ends.chain(bounds).collect();
        let low = values.iter().copied().fold(-EXTENT_LEAST, f64::min);
        let high = values.iter().copied().fold(EXTENT_LEAST, f64::max);
        let room = (high - low) * ROOM;
        let (low, high) = (low - room, high + room);
        let axis = Axis::new("change", Scale::Linear, Unit::Change).fit([low, high].into_iter());
        Some(Self { axis, low, high })
    }

    /// The words above the rows.
    pub(super) fn marks(&self) -> String {
        let ticks = &self.axis.ticks;
        let zero = ticks.iter().position(|tick| tick.label == "0").unwrap_or(0);
        let every = ticks.len().div_ceil(2 * MARKS).max(1);
        let mut html = String::from("<span class=\"marks\">");
        let named = ticks.iter().enumerate().filter(|(index, _)| index.abs_diff(zero) % every == 0);
        for (at, label) in named.map(|(_, tick)| (tick.at * 100.0, escaped(&tick.label))) {
            let _ = write!(html, "<span style=\"left:{at:.2}%\">{label}</span>");
        }
        html + "</span>"
    }

    /// A row: zero, what is allowed, the interval and the change. Its figures stand in words beside it.
    pub(super) fn strip(&self, row: &Row) -> String {
        let Some(change) = row.change else { return String::new() };
        let at = |value: f64| self.axis.at(value) * 100.0;
        let mut html = format!("<div class=\"strip {}\" aria-hidden=\"true\">", class(row));
        let _ = write!(html, "<i class=\"zero\" style=\"left:{:.2}%\"></i>", at(0.0));
        for bound in row.bounds.iter().filter(|bound| (self.low..=self.high).contains(*bound)) {
            let _ = write!(html, "<i class=\"bound\" style=\"left:{:.2}%\"></i>", at(*bound));
        }
        if let Some((low, high)) = row.interval {
            let (left, width) = (at(low), at(high) - at(low));
            let beyond = [(low < self.low, " beyond-left"), (high > self.high, " beyond-right")];
            let beyond: String = beyond.iter().filter(|(is, _)| *is).map(|(_, class)| *class).collect();
            let _ =
                write!(html, "<i class=\"span{beyond}\" style=\"left:{left:.2}%;width:{width:.2}%\"></i>");
        }
        if (self.low..=self.high).contains(&change) {
            let _ = write!(html, "<i class=\"point\" style=\"left:{:.2}%\"></i>", at(change));
        }
        html + "</div>"
    }

    /// Which of them are worse, better or unsure, and so on: what has to be explained.
    pub(super) fn signs(rows: &[Row]) -> Vec<(&'static str, &'static str)> {
        let table = [
            ("worse", "worse"),
            ("better", "better"),
            ("unsure", "may be no change"),
            ("bound", "what a threshold allows"),
        ];
        let shown = || rows.iter().filter(|row| row.change.is_some());
        let is_there = |sign: &str| match sign {
            "bound" => shown().any(|row| !row.bounds.is_empty()),
            sign => shown().any(|row| class(row) == sign),
        };
        table.into_iter().filter(|(sign, _)| is_there(sign)).collect()
    }

    /// Whether an interval of these rows is cut off.
    pub(super) fn cuts(&self, rows: &[Row]) -> bool {
        rows.iter().filter_map(ends).any(|(low, high)| low < self.low || high > self.high)
    }
}

/// Both ends of what a row shows.
fn ends(row: &Row) -> Option<(f64, f64)> {
    let change = row.change?;
    let (low, high) = row.interval.unwrap_or((change, change));
    Some((low.min(change), high.max(change)))
}

fn extent(row: &Row) -> Option<f64> {
    ends(row).map(|(low, high)| low.abs().max(high.abs()))
}

/// Whether it is sure that something has become worse, or better.
fn class(row: &Row) -> &'static str {
    match row.interval {
        Some((low, _)) if low > 0.0 => {
            if row.is_cost {
                "worse"
            } else {
                "better"
            }
        }
        Some((_, high)) if high < 0.0 => {
            if row.is_cost {
                "better"
            } else {
                "worse"
            }
        }
        _ => "unsure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(change: f64, interval: Option<(f64, f64)>, is_cost: bool) -> Row {
        Row {
            metric: String::from("p99"),
            before: Some(1.0),
            after: Some(1.0 + change),
            shown: [String::new(), String::new()],
            change: Some(change),
            interval,
            is_cost,
            bounds: vec![0.05],
        }
    }

    #[test]
    fn colours_are_for_what_is_sure() {
        let table = [
            (Some((0.01, 0.2)), true, "worse"),
            (Some((0.01, 0.2)), false, "better"),
            (Some((-0.2, -0.01)), true, "better"),
            (Some((-0.2, -0.01)), false, "worse"),
            (Some((-0.2, 0.01)), true, "unsure"),
            (Some((0.0, 0.0)), true, "unsure"),
            (None, true, "unsure"),
        ];
        for (interval, is_cost, expected) in table {
            assert_eq!(class(&row(0.1, interval, is_cost)), expected, "{interval:?}");
        }
    }

    #[test]
    fn one_wild_row_does_not_squeeze_the_others() {
        let mut rows: Vec<Row> =
            [0.02, 0.03, 0.04].map(|change| row(change, Some((0.01, 0.06)), true)).into();
        let calm = Forest::of(&rows).unwrap();
        assert!(calm.high > 0.06 && calm.high < 0.08 && !calm.cuts(&rows), "{}", calm.high);
        rows.push(row(3.0, Some((-0.5, 7.0)), true));
        let forest = Forest::of(&rows).unwrap();
        assert!(forest.high < 0.6 && forest.cuts(&rows), "{}", forest.high);
        let wide = Forest::of(&[row(0.1, Some((-0.09, 0.2)), true)]).unwrap();
        assert!(wide.low < -0.09 && wide.high > 0.2, "{} {}", wide.low, wide.high);
        assert!(forest.low > -0.1, "nor does its other end: {}", forest.low);
        let signs: Vec<&str> = Forest::signs(&rows).into_iter().map(|(sign, _)| sign).collect();
        assert_eq!(signs, ["worse", "unsure", "bound"]);
        let strip = forest.strip(&rows[3]);
        assert!(strip.contains("beyond-right") && !strip.contains("point"), "{strip}");
        assert!(!forest.strip(&rows[0]).contains("beyond"), "{}", forest.strip(&rows[0]));
        assert!(forest.marks().contains(">0</span>"), "{}", forest.marks());
        let unknown = Row { change: None, ..row(0.0, None, true) };
        assert!(Forest::of(std::slice::from_ref(&unknown)).is_none() && forest.strip(&unknown).is_empty());
    }
}
