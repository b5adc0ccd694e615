//! What only one workload has to say, in a form that every output can show.
//!
//! ```text
//!   Section::new("storm", "Reconnect storm").fact("dropped", 500).fact("recovered", seconds(1.2)).table(...)
//! ```

use serde::{Deserialize, Serialize};

/// Facts, a table and curves under one heading; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Section {
    /// For programs, in snake case.
    pub(crate) name: String,
    /// For people.
    pub(crate) title: String,
    pub(crate) facts: Vec<Fact>,
    /// Headings of the table, with their units.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    /// Each as long as `columns`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rows: Vec<Vec<Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) curves: Vec<Curve>,
}

/// Something with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: Value,
    /// `s`, `ns`, `B`, `1/s`, `%` or empty. Outputs choose multiples: 1500000 `ns` is shown as 1.5 ms.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) unit: String,
}

/// What can stand in a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Count(u64),
    Number(f64),
    Text(String),
    /// Not known. Numbers that JSON does not have become this.
    Unknown,
}

/// A plot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Curve {
    pub(crate) title: String,
    /// What the axes show, and in which unit; units as in [`Fact`].
    pub(crate) x: String,
    pub(crate) x_unit: String,
    pub(crate) y: String,
    pub(crate) y_unit: String,
    pub(crate) lines: Vec<Line>,
}

/// A line of a plot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// By rising x.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Section {
    pub(crate) fn new(name: &str, title: &str) -> Self {
        Self { name: name.to_owned(), title: title.to_owned(), ..Self::default() }
    }

    /// Adds a fact. Units as in [`Fact`].
    #[must_use]
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>, unit: &str) -> Self {
        self.facts.push(Fact { name: name.to_owned(), value: value.into(), unit: unit.to_owned() });
        self
    }

    /// Sets the headings of the table.
    #[must_use]
    pub(crate) fn columns(mut self, columns: &[&str]) -> Self {
        self.columns = columns.iter().map(|column| String::from(*column)).collect();
        self
    }

    /// Adds a row to the table.
    #[must_use]
    pub(crate) fn row(mut self, row: Vec<Value>) -> Self {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a value for each column");
        self.rows.push(row);
        self
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Unknown }
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unknown, Into::into)
    }
}
