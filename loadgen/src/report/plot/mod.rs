//! A plot as HTML: lines in an SVG that takes any shape, and everything to read around it as text, so that it keeps
//! its size on a phone and on paper.
//!
//! ```text
//!   axis    from values to positions and marks
//!   draw    from lines to HTML
//! ```

pub(crate) mod axis;
mod draw;

pub(crate) use axis::{Axis, Scale, Unit};

/// Lines over a common horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Drawn are up to as many as there are colours: [`LINES_MAX`].
    pub(crate) lines: Vec<Line>,
    /// What the reader has to know; may be empty.
    pub(crate) note: String,
}

/// Points by rising x.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Colours that can be told apart.
pub(crate) const LINES_MAX: usize = 6;

impl Plot {
    /// The plot as a `<figure>`; `None` where there is nothing to draw.
    pub(crate) fn html(&self) -> Option<String> {
        let mut lines: Vec<&Line> = self.lines.iter().filter(|line| !line.points.is_empty()).collect();
        let mut note = self.note.clone();
        if lines.len() > LINES_MAX {
            let space = if note.is_empty() { "" } else { " " };
            note += &format!("{space}The first {LINES_MAX} of {} lines.", lines.len());
            lines.truncate(LINES_MAX);
        }
        (!lines.is_empty()).then(|| draw::figure(self, &lines, &note))
    }
}

impl Line {
    pub(crate) fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), points }
    }
}
