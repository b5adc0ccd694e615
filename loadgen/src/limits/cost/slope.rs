//! What one more costs: a straight line through measurements at several sizes.
//!
//! A plain ratio would count what a server has with no connection at all (code, rings, buffers) as cost of
//! the connections; the slope does not.

use serde::Serialize;

/// The line of least squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Slope {
    /// For each one more.
    pub(crate) each: f64,
    /// With none at all, as far as the line goes.
    pub(crate) at_none: f64,
    /// Standard error of `each`; `None`: two points are on a line whatever they are.
    pub(crate) error: Option<f64>,
    pub(crate) points: usize,
}

impl Slope {
    /// Through these points (how many, how much); `None` with fewer than two different sizes.
    pub(crate) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        if points.len() < 2 || spread <= 0.0 {
            return None;
        }
        let each = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
        let at_none = mean_y - each * mean_x;
        let rest: f64 = points.iter().map(|(x, y)| (y - at_none - each * x).powi(2)).sum();
        let error = (points.len() > 2).then(|| (rest / (count - 2.0) / spread).sqrt());
        Some(Self { each, at_none, error, points: points.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        type Row<'a> = (&'a [(f64, f64)], Option<(f64, f64, Option<f64>)>);
        let table: [Row<'_>; 6] = [
            (&[], None),
            (&[(1.0, 5.0)], None),
            (&[(3.0, 5.0), (3.0, 6.0)], None),
            (&[(1000.0, 5e6), (5000.0, 6e6)], Some((250.0, 4.75e6, None))),
            (&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], Some((2.0, 1.0, Some(0.0)))),
            // Residuals 1/6, -1/3, 1/6: their squares make 1/6, over one degree of freedom and a spread of 2.
            (&[(0.0, 0.0), (1.0, 0.0), (2.0, 1.0)], Some((0.5, -1.0 / 6.0, Some((1.0_f64 / 12.0).sqrt())))),
        ];
        for (points, expected) in table {
            let found = Slope::through(points);
            assert_eq!(found.is_some(), expected.is_some(), "{points:?}");
            let (Some(found), Some((each, at_none, error))) = (found, expected) else { continue };
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs().max(1.0);
            assert!(near(found.each, each) && near(found.at_none, at_none), "{points:?}: {found:?}");
            assert_eq!(found.error.is_some(), error.is_some());
            assert!(near(found.error.unwrap_or(0.0), error.unwrap_or(0.0)), "{found:?}");
        }
    }
}
