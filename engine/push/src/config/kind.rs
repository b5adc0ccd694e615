//! What a value may be: read from text or from TOML, checked, and brought to one form.

use std::time::Duration;
use toml::Value;

/// The form of a setting's value, with its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text that is not empty.
    Text,
    /// Several of them; in the environment separated by commas.
    Texts,
    /// Topic patterns; in the environment separated by commas.
    Patterns,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// true or false.
    Switch,
    /// A whole number.
    Count { min: u64, max: u64 },
    /// Bytes, as in `64KiB`; kept as a number.
    Size { min: u64, max: u64 },
    /// A duration, as in `30s`; kept as milliseconds.
    Time { min: Duration },
}

/// The largest whole number that TOML has.
pub(crate) const NUMBER_MAX: u64 = i64::MAX as u64;

/// How much of a wrong value is shown.
const SHOWN_CHARS_MAX: usize = 80;

impl Kind {
    /// Reads a value given as text: by the environment or a flag.
    ///
    /// # Errors
    /// What is allowed, to follow "allowed is".
    pub(crate) fn read_text(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Self::Texts | Self::Patterns => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.into())).collect())
            }
            Self::Switch => match text {
                "true" | "1" | "yes" | "on" => Value::Boolean(true),
                "false" | "0" | "no" | "off" => Value::Boolean(false),
                _ => return Err(self.allowed()),
            },
            Self::Count { .. } => Value::Integer(text.trim().parse::<i64>().map_err(|_| self.allowed())?),
            _ => Value::String(text.into()),
        };
        self.read(&value)
    }

    /// Checks a value and brings it to the form that the configuration is built from.
    ///
    /// # Errors
    /// What is allowed, to follow "allowed is".
    pub(crate) fn read(self, value: &Value) -> Result<Value, String> {
        let wrong = || self.allowed();
        match (self, value) {
            (Self::Text, Value::String(text)) if !text.trim().is_empty() => Ok(value.clone()),
            (Self::Texts, Value::String(_)) => self.read(&Value::Array(vec![value.clone()])),
            (Self::Patterns, Value::String(_)) => self.read(&Value::Array(vec![value.clone()])),
            (Self::Texts, Value::Array(all)) if all.iter().all(is_full_text) => Ok(value.clone()),
            (Self::Patterns, Value::Array(all)) if all.iter().all(is_pattern) => Ok(value.clone()),
            (Self::Choice(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(value.clone()),
            (Self::Switch, Value::Boolean(_)) => Ok(value.clone()),
            (Self::Count { min, max }, Value::Integer(number)) => {
                number_within(u64::try_from(*number).ok(), min, max).ok_or_else(wrong)
            }
            (Self::Size { min, max }, Value::Integer(number)) => {
                number_within(u64::try_from(*number).ok(), min, max).ok_or_else(wrong)
            }
            (Self::Size { min, max }, Value::String(text)) => {
                number_within(size(text), min, max).ok_or_else(wrong)
            }
            (Self::Time { min }, Value::String(text)) => {
                let milliseconds = time(text).and_then(|time| u64::try_from(time.as_millis()).ok());
                let min = u64::try_from(min.as_millis()).unwrap_or(u64::MAX);
                number_within(milliseconds, min, NUMBER_MAX).ok_or_else(wrong)
            }
            (Self::Time { min }, Value::Integer(0)) if min.is_zero() => Ok(value.clone()),
            _ => Err(wrong()),
        }
    }

    /// What may stand there, to follow "allowed is".
    fn allowed(self) -> String {
        match self {
            Self::Text => "text that is not empty".into(),
            Self::Texts => "a list of texts, as in [\"a\", \"b\"]; in the environment a,b".into(),
            Self::Patterns => {
                "a list of topics or patterns such as [\"news\", \"rooms/+\", \"public/#\"]: `+` stands for one \
                 whole level, `#` for the rest, no level is empty"
                    .into()
            }
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Switch => "true or false".into(),
            Self::Count { min, max: NUMBER_MAX } => format!("a whole number from {min}"),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Size { min, max: NUMBER_MAX } => format!("a size such as 4096, 64KiB or 16MiB, from {min}"),
            Self::Size { min, max } => format!("a size such as 4096, 64KiB or 16MiB, from {min} to {max}"),
            Self::Time { min } if min.is_zero() => "a duration such as 500ms, 30s, 2m or 1h; 0: none".into(),
            Self::Time { min } => {
                format!("a duration such as 500ms, 30s, 2m or 1h, from {} ms", min.as_millis())
            }
        }
    }
}

/// A value as a message shows it: short, on one line.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            shown.push_str("...");
            break;
        }
        match character.is_control() {
            true => shown.extend(character.escape_debug()),
            false => shown.push(character),
        }
    }
    shown
}

fn is_full_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_pattern(value: &Value) -> bool {
    value.as_str().is_some_and(crate::names::is_pattern)
}

fn number_within(number: Option<u64>, min: u64, max: u64) -> Option<Value> {
    let number = number.filter(|number| (min..=max).contains(number))?;
    i64::try_from(number).ok().map(Value::Integer)
}

/// A duration as in `30s`, `500ms`, `2m`, `1h` or `0`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 0,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// A size as in `4096`, `64KiB`, `16MiB`, `1GiB`.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_COUNT: Kind = Kind::Count { min: 0, max: NUMBER_MAX };
    const ANY_SIZE: Kind = Kind::Size { min: 0, max: NUMBER_MAX };
    const ANY_TIME: Kind = Kind::Time { min: Duration::ZERO };

    #[test]
    fn text_is_read_as_its_kind() {
        let words: &[&str] = &["close", "skip"];
        let list = |parts: &[&str]| Value::Array(parts.iter().map(|part| Value::from(*part)).collect());
        let table = [
            (Kind::Text, "a b", Some(Value::from("a b"))),
            (Kind::Text, " ", None),
            (Kind::Texts, "a, b,,c", Some(list(&["a", "b", "c"]))),
            (Kind::Texts, "", Some(list(&[]))),
            (Kind::Patterns, "a/+,#", Some(list(&["a/+", "#"]))),
            (Kind::Patterns, "a/#/b", None),
            (Kind::Choice(words), "skip", Some(Value::from("skip"))),
            (Kind::Choice(words), "Skip", None),
            (Kind::Switch, "true", Some(Value::from(true))),
            (Kind::Switch, "0", Some(Value::from(false))),
            (Kind::Switch, "maybe", None),
            (ANY_COUNT, "12", Some(Value::from(12))),
            (ANY_COUNT, "-1", None),
            (ANY_COUNT, "1e3", None),
            (Kind::Count { min: 1, max: 5 }, "6", None),
            (ANY_SIZE, "64KiB", Some(Value::from(65536))),
            (ANY_SIZE, "17", Some(Value::from(17))),
            (ANY_SIZE, "64kb", None),
            (ANY_SIZE, "99999999999GiB", None),
            (ANY_SIZE, "", None),
            (ANY_TIME, "0", Some(Value::from(0))),
            (ANY_TIME, "30s", Some(Value::from(30_000))),
            (ANY_TIME, "500ms", Some(Value::from(500))),
            (ANY_TIME, "2m", Some(Value::from(120_000))),
            (ANY_TIME, "1h", Some(Value::from(3_600_000))),
            (ANY_TIME, "30", None),
            (ANY_TIME, "1.5s", None),
            (ANY_TIME, "30 s", None),
            (ANY_TIME, "-1s", None),
            (ANY_TIME, "99999999999999999999s", None),
            (Kind::Time { min: Duration::from_millis(1) }, "0", None),
        ];
        for (kind, text, expected) in table {
            assert_eq!(kind.read_text(text).ok(), expected, "{kind:?} {text:?}");
        }
    }

    #[test]
    fn toml_is_read_as_its_kind() {
        let table = [
            (ANY_SIZE, Value::from(4096), true),
            (ANY_SIZE, Value::from("4KiB"), true),
            (ANY_SIZE, Value::from(-1), false),
            (ANY_SIZE, Value::from(1.5), false),
            (ANY_TIME, Value::from("5s"), true),
            (ANY_TIME, Value::from(5), false),
            (ANY_TIME, Value::from(0), true),
            (Kind::Switch, Value::from("true"), false),
            (Kind::Texts, Value::from("one"), true),
            (Kind::Texts, Value::from(vec!["one", ""]), false),
            (Kind::Text, Value::from(3), false),
            (ANY_COUNT, Value::from("3"), false),
        ];
        for (kind, value, right) in table {
            assert_eq!(kind.read(&value).is_ok(), right, "{kind:?} {value}");
        }
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(500)).len(), SHOWN_CHARS_MAX + 3);
    }
}
