//! Names of topics and patterns over them: levels between slashes, `+` for one whole level, `#` for
//! all that follow. The engine checks names too; here it is for rights, which exist before any topic.

/// No name of a topic and no pattern is longer, whatever the configuration says.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Why a name or pattern cannot be; the text follows the name in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    Empty,
    TooLong { bytes_max: usize },
    EmptyLevel,
    Control,
    Wildcard,
}

impl std::fmt::Display for NameFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic has a name of at least one byte"),
            Self::TooLong { bytes_max } => write!(f, "a topic's name has at most {bytes_max} bytes"),
            Self::EmptyLevel => f.write_str("no level of a topic's name is empty: a/b, not /a, a//b or a/"),
            Self::Control => f.write_str("a topic's name has no control characters"),
            Self::Wildcard => f.write_str(
                "`+` stands for one whole level of a pattern and `#` for its end (a/+/b, a/#); \
                 the name of a topic has neither",
            ),
        }
    }
}

/// Checks the name of a topic.
///
/// # Errors
/// The client's fault.
pub(crate) fn check_name(name: &str, bytes_max: usize) -> Result<(), NameFault> {
    check_form(name, bytes_max)?;
    if name.contains(['+', '#']) { Err(NameFault::Wildcard) } else { Ok(()) }
}

/// Checks a pattern; the name of a topic is one too.
///
/// # Errors
/// The client's fault.
pub(crate) fn check_pattern(pattern: &str, bytes_max: usize) -> Result<(), NameFault> {
    check_form(pattern, bytes_max)?;
    let mut levels = pattern.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        if level.contains(['+', '#']) && level != "+" && !(level == "#" && last) {
            return Err(NameFault::Wildcard);
        }
    }
    Ok(())
}

/// Whether it is a pattern, a plain name included.
pub(crate) fn is_pattern(text: &str) -> bool {
    check_pattern(text, NAME_BYTES_MAX).is_ok()
}

/// Whether it stands for more than one name.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['+', '#'])
}

/// Whether every topic that `inner` (a name or a pattern) stands for is one that `outer` stands for too.
/// `#` stands for all levels that follow, none included.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (outer.split('/'), inner.split('/'));
    loop {
        match (outer.next(), inner.next()) {
            (Some("#"), _) | (None, None) => return true,
            // The inner one stands for names of any length, or of any level: only the same would do.
            (_, Some("#")) => return false,
            (Some("+"), Some(_)) => {}
            (Some(outer), Some(inner)) if outer == inner => {}
            _ => return false,
        }
    }
}

fn check_form(text: &str, bytes_max: usize) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.len() > bytes_max {
        return Err(NameFault::TooLong { bytes_max });
    }
    if text.chars().any(char::is_control) {
        return Err(NameFault::Control);
    }
    if text.split('/').any(str::is_empty) {
        return Err(NameFault::EmptyLevel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let table = [
            ("a", true, true),
            ("a/b c/\u{e9}", true, true),
            ("+", false, true),
            ("#", false, true),
            ("a/+/b", false, true),
            ("a/#", false, true),
            ("", false, false),
            ("/a", false, false),
            ("a/", false, false),
            ("a//b", false, false),
            ("a\n", false, false),
            ("a+", false, false),
            ("a/#/b", false, false),
            ("a/b#", false, false),
        ];
        for (text, name, pattern) in table {
            assert_eq!(check_name(text, 255).is_ok(), name, "{text:?}");
            assert_eq!(check_pattern(text, 255).is_ok(), pattern, "{text:?}");
        }
        assert_eq!(check_name("abc", 2), Err(NameFault::TooLong { bytes_max: 2 }));
    }

    #[test]
    fn what_a_pattern_covers() {
        let table = [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "a/b", false),
            ("a/b", "a", false),
            ("+", "a", true),
            ("+", "a/b", false),
            ("#", "a/b/c", true),
            ("#", "#", true),
            ("#", "+/a", true),
            ("a/#", "a/b", true),
            ("a/#", "a/b/+", true),
            ("a/#", "a/#", true),
            ("a/#", "a", true),
            ("a/#", "#", false),
            ("a/#", "+/b", false),
            ("a/+", "a/#", false),
            ("a/+", "a/+", true),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/+/c", true),
            ("a/b", "a/+", false),
            ("+/+", "#", false),
        ];
        for (outer, inner, expected) in table {
            assert_eq!(covers(outer, inner), expected, "{outer} {inner}");
        }
    }

    /// Against the definition, on all short names: one pattern covers another when it matches all of
    /// the names that the other matches. (Where the other ends in `#`, longer names may tell.)
    #[test]
    fn covering_is_what_it_says() {
        let mut names: Vec<String> = Vec::new();
        let mut patterns: Vec<String> = vec!["#".into()];
        for depth in 1..=3 {
            words(depth, &["a", "b", "c"], &mut names);
            words(depth, &["a", "b", "+"], &mut patterns);
        }
        names.extend(["a/a/a/a", "b/a/a/a", "c/c/c/c", "a/b/c/c"].map(String::from));
        let open: Vec<String> =
            patterns.iter().filter(|pattern| pattern.matches('/').count() < 2).cloned().collect();
        patterns.extend(
            open.iter().filter(|pattern| !pattern.contains('#')).map(|pattern| format!("{pattern}/#")),
        );
        for outer in &patterns {
            for inner in &patterns {
                let all = names.iter().filter(|name| covers(inner, name)).all(|name| covers(outer, name));
                assert!(!covers(outer, inner) || all, "{outer} does not cover {inner}");
                assert!(covers(outer, inner) || !all || inner.contains('#'), "{outer} covers {inner}");
            }
        }
    }

    fn words(depth: usize, levels: &[&str], out: &mut Vec<String>) {
        let mut all = vec![String::new()];
        for _ in 0..depth {
            all = all
                .iter()
                .flat_map(|front| levels.iter().map(move |level| format!("{front}/{level}")))
                .collect();
        }
        out.extend(all.into_iter().map(|word| word[1..].to_owned()));
    }
}
