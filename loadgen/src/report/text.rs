//! The summary on the terminal.

use super::document::{self, Block, Table};
use crate::model::Report;
use std::fmt::Write;

/// Width of the names, and of the gap between columns.
const NAME_WIDTH: usize = 11;
const GAP: usize = 2;

/// The whole summary, each line ended.
pub(crate) fn of(report: &Report) -> String {
    let mut text = String::new();
    for (index, block) in document::blocks(report).iter().enumerate() {
        // The first needs no heading: a reader knows what was run.
        if index > 0 {
            let _ = writeln!(text, "\n{}", block.title);
        }
        write_block(&mut text, block);
    }
    text.push('\n');
    for warning in &report.warnings {
        line(&mut text, "warning", warning, NAME_WIDTH);
    }
    line(&mut text, "verdict", &document::verdict(report), NAME_WIDTH);
    text
}

/// Facts, table and notes of one block.
pub(crate) fn write_block(text: &mut String, block: &Block) {
    let longest = block.facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &block.facts {
        line(text, name, value, longest.max(NAME_WIDTH));
    }
    if !block.table.rows.is_empty() {
        write_table(text, &block.table);
    }
    for note in &block.notes {
        let _ = writeln!(text, "{note}");
    }
}

/// Columns as wide as what stands in them: words to the left, numbers to the right.
fn write_table(text: &mut String, table: &Table) {
    let width = |column: usize| {
        let cells = table.rows.iter().map(|row| row[column].chars().count());
        cells.chain([table.columns[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let numeric: Vec<bool> = (0..table.columns.len()).map(|column| is_numeric(table, column)).collect();
    for row in [&table.columns].into_iter().chain(&table.rows) {
        let mut written = String::new();
        for ((cell, width), is_numeric) in row.iter().zip(&widths).zip(&numeric) {
            let _ = if *is_numeric {
                write!(written, "{cell:>width$}")
            } else {
                write!(written, "{cell:<width$}")
            };
            written.push_str(&" ".repeat(GAP));
        }
        let _ = writeln!(text, "{}", written.trim_end());
    }
}

/// Whether every cell of a column is a number, with its unit, or the sign for an unknown one.
pub(crate) fn is_numeric(table: &Table, column: usize) -> bool {
    table.rows.iter().all(|row| {
        let cell = row[column].strip_prefix('-').unwrap_or(&row[column]);
        let cell = cell.strip_prefix("< ").unwrap_or(cell);
        cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || c == '+')
    })
}

fn line(text: &mut String, name: &str, value: &str, width: usize) {
    let _ = writeln!(text, "{name:<width$} {value}");
}
