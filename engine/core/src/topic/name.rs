//! Names of topics, and patterns that stand for many of them.
//!
//! A name is made of levels between slashes: `prices/eu/ACME`. A pattern has `+` in place of one level,
//! or ends in `#` for all that follow, none included (as in MQTT 5, section 4.7.1).

use thiserror::Error as ThisError;

/// Longest name or pattern, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Why there is no such topic. The caller's fault; the text names the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum TopicError {
    /// Not a name that a topic can have.
    #[error(
        "{name:?} cannot be a topic's name: {cause}; a name is 1 to {NAME_BYTES_MAX} bytes of levels between \
         slashes, such as prices/eu/ACME"
    )]
    Name {
        /// As given.
        name: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// Not a pattern.
    #[error(
        "{pattern:?} is no pattern: {cause}; + stands for one whole level, # at the end for all that follow, \
         such as prices/+/ACME or prices/#"
    )]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// There are as many topics as there may be.
    #[error("{name:?} would be one topic more than the {max} that this server may have (Server::topics_max)")]
    TooMany {
        /// As given.
        name: String,
        /// How many there may be.
        max: usize,
    },
}

/// Whether a topic can be called that.
///
/// # Errors
/// The caller's fault.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let wrong = |cause| Err(TopicError::Name { name: name.into(), cause });
    if name.contains(['+', '#']) {
        return wrong("+ and # belong to patterns");
    }
    check_levels(name).or_else(wrong)
}

/// Whether it is a pattern. A name without `+` and `#` is one too: it stands for itself.
///
/// # Errors
/// The caller's fault.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), TopicError> {
    let wrong = |cause| Err(TopicError::Pattern { pattern: pattern.into(), cause });
    let levels = || pattern.split('/');
    if levels().any(|level| level.contains('+') && level != "+") {
        return wrong("+ stands alone in its level");
    }
    if levels().rev().skip(1).any(|level| level.contains('#')) {
        return wrong("# comes last");
    }
    if levels().next_back().is_some_and(|level| level.contains('#') && level != "#") {
        return wrong("# stands alone in its level");
    }
    check_levels(pattern).or_else(wrong)
}

/// Whether a pattern stands for a name.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), name.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(other)) if level == other => {}
            _ => return false,
        }
    }
}

fn check_levels(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Err("it is too long");
    }
    if name.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if name.split('/').any(str::is_empty) {
        return Err("it has an empty level");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "prices/eu/ACME", "ä/b c/1.5", &"x".repeat(255)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "/", "/a", "a/", "a//b", "a/+", "#", "a+b", "a\nb", "a\0", &"x".repeat(256)] {
            let error = check_name(name).expect_err(name);
            assert!(error.to_string().starts_with(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn patterns() {
        for pattern in ["a", "a/b", "+", "#", "a/+/b", "+/+", "a/#", "+/#"] {
            assert_eq!(check_pattern(pattern), Ok(()), "{pattern}");
        }
        for pattern in ["", "a//#", "a+", "a/+b", "#/a", "a/#/b", "a#", "a/b#", "/#", "##", "++"] {
            assert!(check_pattern(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn what_a_pattern_stands_for() {
        let table = [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("+", "a", true),
            ("+", "a/b", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/b", "a/b", true),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("#", "a", true),
            ("#", "a/b/c", true),
            ("a/#", "a/b", true),
            ("a/#", "a/b/c", true),
            ("a/#", "a", true),
            ("a/#", "ab", false),
            ("a/+/#", "a/b", true),
            ("a/+/#", "a", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
