//! From lines to HTML. Colours, dashes and places are the style sheet's: a line is known by its number.

use super::axis::{Fitted, Tick};
use super::{Line, Plot};
use crate::report::html::escaped;
use std::fmt::Write;

/// Units of the SVG along each side.
const SIDE: f64 = 1000.0;
/// A line of so many points shows each of them.
const DOTS_MAX: usize = 24;
/// A share of an axis that is next to nothing.
const EDGE: f64 = 0.04;

/// The whole figure: these lines of the plot, with this note.
pub(super) fn figure(plot: &Plot, lines: &[&Line], note: &str) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let x = plot.x.fit(points().map(|(x, _)| *x));
    let y = plot.y.fit(points().map(|(_, y)| *y));
    let title = escaped(&plot.title);
    let mut html = format!("<figure class=\"plot\">\n<figcaption>{title}</figcaption>\n<p class=\"legend\">");
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(html, "<span class=\"key line-{number}\">{}</span>", escaped(&line.name));
    }
    let _ =
        write!(html, "</p>\n<p class=\"y-title\">{}</p>\n<div class=\"frame\">\n", escaped(&plot.y.label));
    write_marks(&mut html, "y-axis", "bottom", &y);
    write_area(&mut html, plot, lines, &x, &y);
    write_marks(&mut html, "x-axis", "left", &x);
    let _ = write!(html, "</div>\n<p class=\"x-title\">{}</p>\n", escaped(&plot.x.label));
    if !note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escaped(note));
    }
    let readings = readings(plot, lines, &x);
    let _ = write!(html, "<script type=\"application/json\">{readings}</script>\n</figure>\n");
    html
}

/// The words beside an axis.
fn write_marks(html: &mut String, class: &str, side: &str, axis: &Fitted) {
    let _ = write!(html, "<div class=\"{class}\">");
    // At the corner, words centred below a mark would meet those of the other axis.
    let edge = |tick: &Tick| if tick.at < EDGE { " class=\"edge\"" } else { "" };
    for tick in axis.ticks.iter().filter(|tick| !tick.label.is_empty()) {
        let (edge, at, label) = (edge(tick), tick.at * 100.0, escaped(&tick.label));
        let _ = write!(html, "<span{edge} style=\"{side}:{at:.2}%\">{label}</span>");
    }
    html.push_str("</div>\n");
}

fn write_area(html: &mut String, plot: &Plot, lines: &[&Line], x: &Fitted, y: &Fitted) {
    let names = lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>().join(", ");
    let (title, names) = (escaped(&plot.title), escaped(&names));
    let _ = writeln!(
        html,
        "<div class=\"area\" tabindex=\"0\" aria-label=\"{title}: values by arrow keys\">\
         <svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}: {names}\">"
    );
    let mut grid = String::new();
    for tick in &x.ticks {
        let _ = write!(grid, "M{:.1} 0V{SIDE}", tick.at * SIDE);
    }
    for tick in &y.ticks {
        let _ = write!(grid, "M0 {:.1}H{SIDE}", (1.0 - tick.at) * SIDE);
    }
    let _ = writeln!(html, "<path class=\"grid\" d=\"{grid}\"/>");
    for (number, line) in lines.iter().enumerate() {
        let places = line.points.iter().map(|(at, value)| (x.at(*at) * SIDE, (1.0 - y.at(*value)) * SIDE));
        let places: Vec<_> = places.collect();
        let _ = writeln!(html, "<path class=\"line line-{number}\" d=\"{}\"/>", path(&places, 'L'));
        if places.len() <= DOTS_MAX {
            let _ = writeln!(html, "<path class=\"dots line-{number}\" d=\"{}\"/>", path(&places, 'M'));
        }
    }
    html.push_str("</svg><i class=\"cursor\" hidden></i><output class=\"reading\" hidden></output></div>\n");
}

/// Places joined by lines (`L`), or each by itself (`M`): no length with a round end is a dot.
fn path(places: &[(f64, f64)], join: char) -> String {
    let mut path = String::new();
    for (index, (x, y)) in places.iter().enumerate() {
        let command = if index == 0 { 'M' } else { join };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
        if join == 'M' {
            path.push_str("h0");
        }
    }
    path
}

/// What the script shows at the pointer: places from the left, what they stand for, and a value of each line there.
fn readings(plot: &Plot, lines: &[&Line], x: &Fitted) -> String {
    let mut places: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let value = |line: &Line, place: f64| {
        let index = line.points.binary_search_by(|(x, _)| x.total_cmp(&place)).ok()?;
        Some(plot.y.unit.exact(line.points[index].1))
    };
    let values: Vec<Vec<_>> =
        lines.iter().map(|line| places.iter().map(|place| value(line, *place)).collect()).collect();
    let at: Vec<f64> = places.iter().map(|place| (x.at(*place) * 1e4).round() / 1e4).collect();
    let words: Vec<String> = places.iter().map(|place| plot.x.unit.exact(*place)).collect();
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    let json = serde_json::json!({ "at": at, "x": words, "names": names, "values": values });
    // Nothing in it can end the script element.
    json.to_string().replace('<', "\\u003c")
}
