//! Texts with placeholders, and the values of a CSV file for them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A text such as `user-{n}`, whose placeholders are filled in for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The number of the connection.
    Number,
    /// 16 hexadecimal digits, the same in each place of one connection.
    Random,
    /// A column of the data.
    Column(usize),
}

/// Where a value is put, which decides what has to be escaped in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As it is.
    Header,
    /// Percent-encoded (RFC 3986 section 2.1), but for unreserved characters.
    Url,
}

impl Template {
    /// Reads a text whose placeholders are among the data's columns, `n` and `random`.
    ///
    /// # Errors
    /// The caller's fault: a placeholder that is unknown or does not end.
    pub(crate) fn parse(text: &str, data: &Data) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let found = &rest[at..];
            if let Some(brace) = ["{{", "}}"].iter().find(|brace| found.starts_with(**brace)) {
                literal.push_str(&brace[..1]);
                rest = &found[2..];
                continue;
            }
            let end = found.find('}').filter(|end| *end > 0);
            let end = end
                .ok_or_else(|| format!("{text:?} has a brace without its other; a brace is written {{{{"))?;
            parts.extend((!literal.is_empty()).then(|| Part::Text(std::mem::take(&mut literal))));
            parts.push(placeholder(&found[1..end], data, text)?);
            rest = &found[end + 1..];
        }
        literal.push_str(rest);
        parts.extend((!literal.is_empty()).then_some(Part::Text(literal)));
        Ok(Self(parts))
    }

    /// Whether it is the same for all connections.
    pub(crate) fn is_fixed(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text of one connection.
    pub(crate) fn fill(&self, data: &Data, number: u32, random: u64, place: Place) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                // A string takes whatever is written to it.
                Part::Number => drop(write!(filled, "{number}")),
                Part::Random => drop(write!(filled, "{random:016x}")),
                Part::Column(column) => match place {
                    Place::Header => filled.push_str(data.value(number, *column)),
                    Place::Url => encode(data.value(number, *column), &mut filled),
                },
            }
        }
        filled
    }
}

fn placeholder(name: &str, data: &Data, text: &str) -> Result<Part, String> {
    if let Some(column) = data.columns.iter().position(|column| column == name) {
        return Ok(Part::Column(column));
    }
    match name {
        "n" => Ok(Part::Number),
        "random" => Ok(Part::Random),
        _ => Err(format!(
            "{text:?} has the placeholder {{{name}}}; there are {{n}}, {{random}}{}, and a brace is written {{{{",
            data.columns.iter().map(|column| format!(", {{{column}}}")).collect::<String>()
        )),
    }
}

fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A string takes whatever is written to it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The lines of a CSV file; without one there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Data {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Data {
    /// Reads a file.
    ///
    /// # Errors
    /// The caller's fault: there is none, it is no CSV, or it has no line of values.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
        Self::parse(&text).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut records = records(text)?.into_iter();
        let columns = records.next().unwrap_or_default();
        let rows: Vec<Vec<String>> = records.collect();
        if rows.is_empty() {
            return Err("it needs a line of names and a line of values at least".into());
        }
        for (row, line) in rows.iter().zip(2..) {
            if row.len() != columns.len() {
                return Err(format!("record {line} has {} values for {} names", row.len(), columns.len()));
            }
        }
        Ok(Self { columns, rows })
    }

    /// How many connections have values of their own.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    fn value(&self, number: u32, column: usize) -> &str {
        &self.rows[number as usize % self.rows.len()][column]
    }
}

/// The records of a CSV text (RFC 4180): fields in quotes may have commas, line breaks and doubled quotes.
fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            character if quoted => field.push(character),
            ',' => {
                record.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => end_record(&mut records, &mut record, &mut field, &mut was_quoted),
            '"' => return Err(format!("record {} has a quote inside of a field", records.len() + 1)),
            character if was_quoted => {
                return Err(format!("record {} has {character:?} behind a quoted field", records.len() + 1));
            }
            character => field.push(character),
        }
    }
    if quoted {
        return Err("a quote is not closed".into());
    }
    end_record(&mut records, &mut record, &mut field, &mut was_quoted);
    Ok(records)
}

/// Lines without anything are no records.
fn end_record(
    records: &mut Vec<Vec<String>>,
    record: &mut Vec<String>,
    field: &mut String,
    was_quoted: &mut bool,
) {
    if !record.is_empty() || !field.is_empty() || *was_quoted {
        record.push(std::mem::take(field));
        records.push(std::mem::take(record));
    }
    *was_quoted = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Data {
        Data::parse("user,room\nada,\"a b\"\ngrace,7\n").unwrap()
    }

    #[test]
    fn placeholders_are_filled_in() {
        let table = [
            ("", "", ""),
            ("plain", "plain", "plain"),
            ("{n}", "3", "3"),
            ("a{n}b{user}c", "a3bgracec", "a3bgracec"),
            ("{random}", "00000000000000ff", "00000000000000ff"),
            ("{{n}} {{", "{n} {", "{n} {"),
            ("/{room}/{user}", "/7/grace", "/7/grace"),
        ];
        for (text, in_header, in_url) in table {
            let template = Template::parse(text, &data()).unwrap();
            assert_eq!(template.fill(&data(), 3, 255, Place::Header), in_header, "{text}");
            assert_eq!(template.fill(&data(), 3, 255, Place::Url), in_url, "{text}");
            let is_fixed = !["{n}", "{user}", "{room}", "{random}"]
                .iter()
                .any(|each| text.replace("{{n}}", "").contains(each));
            assert_eq!(template.is_fixed(), is_fixed, "{text}");
        }
        // Lines are used again from the first on; values are encoded where they must be.
        let template = Template::parse("{room}", &data()).unwrap();
        assert_eq!(template.fill(&data(), 2, 0, Place::Header), "a b");
        assert_eq!(template.fill(&data(), 2, 0, Place::Url), "a%20b");
    }

    #[test]
    fn mistakes_in_templates_are_named() {
        for (text, named) in
            [("{nobody}", "{user}"), ("{", "other"), ("a}", "other"), ("{n", "other"), ("{}", "{n}")]
        {
            let refusal = Template::parse(text, &data()).unwrap_err();
            assert!(refusal.contains(named), "{text}: {refusal}");
        }
    }

    #[test]
    fn csv_is_read() {
        let table: [(&str, &[&[&str]]); 5] = [
            ("a,b\n1,2\n", &[&["a", "b"], &["1", "2"]]),
            ("a,b\r\n1,2", &[&["a", "b"], &["1", "2"]]),
            ("\u{feff}a\n\"x, \"\"y\"\"\nz\"\n", &[&["a"], &["x, \"y\"\nz"]]),
            ("a,b\n\n,\n", &[&["a", "b"], &["", ""]]),
            ("a\n\"\"\n", &[&["a"], &[""]]),
        ];
        for (text, expected) in table {
            assert_eq!(records(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn mistakes_in_csv_are_named() {
        let table = [
            ("", "a line of values"),
            ("a,b\n", "a line of values"),
            ("a,b\n1\n", "record 2 has 1 values for 2 names"),
            ("a\n\"x\n", "not closed"),
            ("a\nx\"y\n", "inside of a field"),
            ("a\n\"x\"y\n", "behind a quoted field"),
        ];
        for (text, named) in table {
            let refusal = Data::parse(text).unwrap_err();
            assert!(refusal.contains(named), "{text:?}: {refusal}");
        }
        assert!(Data::read(Path::new("/nonexistent.csv")).unwrap_err().contains("cannot read"));
    }
}
