//! The report as GitHub-flavoured Markdown, for an issue or a pull request.

use super::document::{self, Block, Table};
use super::text::is_numeric;
use crate::model::Report;
use std::fmt::Write;

/// The whole report.
pub(crate) fn of(report: &Report) -> String {
    let mut text = format!("# wsload {}: {}\n\n", report.workload, escaped(&report.url));
    let _ = writeln!(text, "**Verdict: {}**", escaped(&document::verdict(report)));
    for warning in &report.warnings {
        let _ = writeln!(text, "\n> **Warning:** {}", escaped(warning));
    }
    for block in document::blocks(report) {
        write_block(&mut text, &block);
    }
    // Folded away on GitHub: it is long, and needed rarely.
    text.push_str("\n<details><summary>To repeat it</summary>\n");
    write_body(&mut text, &document::repeat(report));
    text.push_str("\n</details>\n");
    text
}

/// A heading, facts, table and notes.
pub(crate) fn write_block(text: &mut String, block: &Block) {
    let _ = writeln!(text, "\n## {}", escaped(&block.title));
    write_body(text, block);
}

fn write_body(text: &mut String, block: &Block) {
    if !block.facts.is_empty() {
        text.push_str("\n| | |\n| --- | --- |\n");
        for (name, value) in &block.facts {
            let _ = writeln!(text, "| {} | {} |", escaped(name), escaped(value));
        }
    }
    if !block.table.rows.is_empty() {
        write_table(text, &block.table);
    }
    for note in &block.notes {
        let _ = writeln!(text, "\n{}", escaped(note));
    }
}

fn write_table(text: &mut String, table: &Table) {
    let align = |column| if is_numeric(table, column) { "---:" } else { "---" };
    let rule: Vec<String> = (0..table.columns.len()).map(|column| align(column).to_owned()).collect();
    text.push('\n');
    let mut row = |cells: Vec<String>| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let cells = |row: &Vec<String>| row.iter().map(|cell| escaped(cell)).collect::<Vec<_>>();
    row(cells(&table.columns));
    row(rule);
    table.rows.iter().for_each(|each| row(cells(each)));
}

/// A text in which nothing is markup: errors quote what servers say.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => escaped.extend(['\\', c]),
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        let table = [
            ("p99<10ms", r"p99\<10ms"),
            ("a|b\nc", r"a\|b c"),
            ("<img src=x> [x](y)", r"\<img src=x\> \[x\](y)"),
        ];
        for (text, expected) in table {
            assert_eq!(escaped(text), expected);
        }
    }
}
