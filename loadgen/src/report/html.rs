//! The report as one page that needs nothing beside it: style, script and plots are in it, and its policy forbids
//! every request.
//!
//! ```text
//!   plots      which plots a report has
//!   style.css  light, dark, narrow, printed
//!   script.js  values at the pointer
//! ```

pub(super) mod plots;

use super::document::{self, Block, Table};
use super::text::is_numeric;
use super::words::{self, grouped, number, share};
use crate::model::{Report, Verdict};
use crate::threshold::FAULTS;
use std::fmt::Write;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// More rows would be a long column beside an empty one.
const ROWS_NARROW: usize = 12;

/// The whole page.
pub(crate) fn of(report: &Report) -> String {
    let mut body = String::new();
    write_header(&mut body, report);
    body.push_str("<main>\n");
    write_plots(&mut body, &plots::of(report));
    body.push_str("<div class=\"blocks\">\n");
    for block in document::blocks(report) {
        write_block(&mut body, &block);
    }
    write_block(&mut body, &document::repeat(report));
    body.push_str("</div>\n</main>\n");
    page(&format!("wsload {}: {}", report.workload, report.url), &body)
}

/// A page of this title, with what stands in its body.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         {body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// Figures side by side.
pub(super) fn write_plots(html: &mut String, plots: &[String]) {
    if !plots.is_empty() {
        let _ = write!(html, "<section class=\"plots\">\n{}</section>\n", plots.join(""));
    }
}

/// What was run, what came of it, and the figures that are asked for first.
fn write_header(html: &mut String, report: &Report) {
    let (workload, url) = (escaped(&report.workload), escaped(&report.url));
    let _ = write!(html, "<header>\n<h1>{workload} <small>{url}</small></h1>\n");
    let load = escaped(&words::load(&report.load));
    let _ = writeln!(html, "<p class=\"lead\">{load}</p>");
    let (class, meaning) = match report.verdict {
        Verdict::Met => ("met", "Met: everything came back as it should"),
        Verdict::NotMet => ("not-met", "Not met"),
        Verdict::Invalid => {
            ("invalid", "Invalid: the generator was the limit, so this says nothing about the server")
        }
    };
    write_box(html, class, meaning, &report.reasons);
    if !report.warnings.is_empty() {
        write_box(html, "warning", "Before you trust the figures", &report.warnings);
    }
    write_tiles(html, &tiles(report));
    html.push_str("</header>\n");
}

/// What is said first, and why.
pub(super) fn write_box(html: &mut String, class: &str, meaning: &str, reasons: &[String]) {
    let _ = write!(html, "<div class=\"verdict {class}\"><strong>{meaning}</strong>");
    write_list(html, reasons);
    html.push_str("</div>\n");
}

/// Figures that are asked for first.
pub(super) fn write_tiles(html: &mut String, tiles: &[(String, String)]) {
    html.push_str("<dl class=\"tiles\">\n");
    for (name, value) in tiles {
        let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    }
    html.push_str("</dl>\n");
}

fn write_list(html: &mut String, texts: &[String]) {
    if !texts.is_empty() {
        let items: String = texts.iter().map(|text| format!("<li>{}</li>", escaped(text))).collect();
        let _ = write!(html, "<ul>{items}</ul>");
    }
}

fn tiles(report: &Report) -> Vec<(String, String)> {
    let mut tiles = Vec::new();
    let mut tile = |name: &str, value: String| tiles.push((name.to_owned(), value));
    if report.rates.answered > 0.0 {
        let name = format!("{} per second", words::answered(&report.workload));
        tile(&name, number(report.rates.answered));
    }
    if let Some(latency) = report.main_latency().filter(|latency| latency.count > 0) {
        for (name, percentile) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
            let value = latency.at(percentile).map(|value| value as f64);
            tile(&format!("{} {name}", latency.title()), words::latency(latency, value));
        }
        tile(&format!("{} max", latency.title()), words::latency(latency, Some(latency.max as f64)));
    }
    tile(
        "connections opened",
        format!("{} of {}", grouped(report.opening.opened), grouped(report.opening.asked)),
    );
    let faults: u64 = FAULTS.iter().map(|name| report.count(name)).sum();
    tile("errors", grouped(faults + report.errors.values().sum::<u64>()));
    if let Some(busiest) = report.health.busiest {
        tile("generator's busiest thread", share(busiest));
    }
    tiles
}

/// A heading, facts, table and notes.
pub(super) fn write_block(html: &mut String, block: &Block) {
    // What has more columns or rows than a few takes the whole width.
    let is_wide =
        block.table.columns.len() > 4 || block.table.rows.len() > ROWS_NARROW || block.facts.len() > 10;
    let class = if is_wide { " class=\"wide\"" } else { "" };
    let _ = write!(html, "<section{class}>\n<h2>{}</h2>\n", escaped(&block.title));
    if !block.facts.is_empty() {
        html.push_str("<dl class=\"facts\">\n");
        for (name, value) in &block.facts {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
        }
        html.push_str("</dl>\n");
    }
    if !block.table.rows.is_empty() {
        write_table(html, &block.table);
    }
    for note in &block.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escaped(note));
    }
    html.push_str("</section>\n");
}

fn write_table(html: &mut String, table: &Table) {
    html.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    let class = |column| if is_numeric(table, column) { " class=\"number\"" } else { "" };
    let classes: Vec<&str> = (0..table.columns.len()).map(class).collect();
    for (column, class) in table.columns.iter().zip(&classes) {
        let _ = write!(html, "<th{class} scope=\"col\">{}</th>", escaped(column));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        html.push_str("<tr>");
        for (cell, class) in row.iter().zip(&classes) {
            let _ = write!(html, "<td{class}>{}</td>", escaped(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

/// A text in which nothing is markup, for elements and for attributes in double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
