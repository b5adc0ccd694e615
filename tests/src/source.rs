//! The project's own source text, for the tests of its layout.

use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Its path below the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// A function and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The line that begins it, counted from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Lines from its first to the closing brace.
    pub lines: usize,
}

/// Folders that are not source.
const SKIPPED: &[&str] = &["target", "node_modules", ".git", "__pycache__", ".venv"];

/// The root of the workspace.
///
/// # Panics
/// When this crate does not stand in it.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the root").to_owned()
}

/// All files of the project whose name ends in one of `extensions`, in the order of their paths.
///
/// # Panics
/// When one cannot be read.
pub fn sources(extensions: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    collect(&root, extensions, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let below = path.strip_prefix(&root).expect("found below it").to_string_lossy().into_owned();
        Source {
            text: std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{below}: {cause}")),
            path: below,
        }
    };
    found.into_iter().map(read).collect()
}

fn collect(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, extensions, found);
            }
        } else if extensions.iter().any(|extension| name.ends_with(extension)) {
            found.push(path);
        }
    }
}

/// Rust text without what its comments say: each line up to a `//`.
pub fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Rust text up to the tests within it.
pub fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The functions in a Rust file as rustfmt writes it: one begins in a line with `fn` and ends with the
/// next closing brace of the same indentation.
pub fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = line.len() - line.trim_start().len();
        let ends = |line: &&str| line.len() == indentation + 1 && line.ends_with('}') && line.trim() == "}";
        // One of a trait, or of one line, has no body that ends so.
        if is_over(&lines[at..]) {
            continue;
        }
        if let Some(length) = lines[at..].iter().position(ends) {
            functions.push(Function { line: at + 1, name: name.to_owned(), lines: length + 1 });
        }
    }
    functions
}

/// Whether the signature ends without a body on lines of its own.
fn is_over(lines: &[&str]) -> bool {
    let last = lines.iter().find(|line| line.ends_with('{') || line.ends_with('}') || line.ends_with(';'));
    last.is_none_or(|line| !line.ends_with('{'))
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start().split(' ');
    let word = words.find(|word| !is_qualifier(word))?;
    let name = words.next().filter(|_| word == "fn")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

fn is_qualifier(word: &str) -> bool {
    let plain = ["const", "async", "unsafe", "extern", "\"C\"", "pub", "in"];
    plain.contains(&word) || word.starts_with("pub(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_and_measured() {
        let text = "\
impl Some {
    pub(crate) const fn one(&self) -> u32 {
        1
    }

    async fn two<T>(
        first: T,
    ) {
    }

    fn three();
    fn four() {}
}

fn five() {
    let fn_six = 6;
}
";
        let function = |line, name: &str, lines| Function { line, name: name.into(), lines };
        let expected = [function(2, "one", 3), function(6, "two", 4), function(15, "five", 3)];
        assert_eq!(functions(text), expected);
    }
}
