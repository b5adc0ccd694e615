//! What can be wrong with a configuration, in messages that name the key, where it came from, the value
//! and what is allowed.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Default,
    File(String),
    Variable(String),
    /// Without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// One thing that is wrong; always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A value that cannot be.
    Wrong { key: String, place: Place, value: String, allowed: String },
    /// A key that there is not.
    Unknown { key: String, place: Place, nearest: String },
    /// A key that has to be there.
    Missing { key: String, place: Place },
    /// Keys that exclude each other, with where each came from.
    Conflict { keys: Vec<(String, Place)>, why: &'static str },
    /// The file is not TOML.
    Syntax { file: String, cause: String },
    /// A file cannot be read.
    Read { key: String, place: Place, file: String, cause: String },
}

impl Fault {
    /// A key that there is not, and the one that it resembles most.
    pub(crate) fn unknown(key: String, place: Place, known: impl Iterator<Item = String>) -> Self {
        // The last part is what people mistype; the table that it stands in weighs less.
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |candidate: &String| {
            let whole = strsim::damerau_levenshtein(candidate, &key);
            let name = strsim::damerau_levenshtein(&last(candidate), &last(&key));
            whole.min(name + 1)
        };
        let nearest = known.min_by_key(distance).unwrap_or_default();
        Self::Unknown { key, place, nearest }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { key, place, value, allowed } => {
                write!(f, "{key} ({place}) is {value}; allowed is {allowed}")
            }
            Self::Unknown { key, place, nearest } => {
                write!(f, "{key} ({place}) is no setting; the nearest is {nearest}")
            }
            Self::Missing { key, place } => write!(f, "{key} ({place}) is missing"),
            Self::Conflict { keys, why } => {
                for (index, (key, place)) in keys.iter().enumerate() {
                    let joint = if index == 0 { "" } else { " and " };
                    write!(f, "{joint}{key} ({place})")?;
                }
                write!(f, ": {why}")
            }
            Self::Syntax { file, cause } => write!(f, "{file} is not TOML: {}", cause.trim_end()),
            Self::Read { key, place, file, cause } => {
                write!(f, "{key} ({place}): cannot read \"{file}\": {cause}")
            }
        }
    }
}
