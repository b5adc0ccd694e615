//! Where ceilings are kept between runs: one file for each host and version of this program.

use super::ceiling::Ceiling;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

/// Where a report takes the ceiling from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum CeilingChoice {
    /// What `wsload calibrate` last left on this host.
    #[default]
    Auto,
    /// A file that it wrote.
    File(PathBuf),
}

impl FromStr for CeilingChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "auto" { Self::Auto } else { Self::File(text.into()) })
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Store {
    /// Version of the layout.
    schema: u32,
    pub(crate) ceilings: Vec<Ceiling>,
}

const SCHEMA: u32 = 1;

impl Store {
    /// Reads a file. One that is not there is an empty store.
    ///
    /// # Errors
    /// It cannot be read, or was not written by `wsload calibrate`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |cause: String| Failure::Ceiling { path: path.to_owned(), cause };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(wrong(cause.to_string())),
        };
        let store: Self = serde_json::from_str(&text)
            .map_err(|cause| wrong(format!("{cause}; it is not what `wsload calibrate` writes")))?;
        if store.schema != SCHEMA {
            return Err(wrong(format!("its layout is {}, and this version knows {SCHEMA}", store.schema)));
        }
        Ok(store)
    }

    /// Adds a ceiling in place of one for the same load.
    pub(crate) fn add(&mut self, ceiling: Ceiling) {
        self.schema = SCHEMA;
        self.ceilings.retain(|kept| kept.load != ceiling.load);
        self.ceilings.push(ceiling);
    }

    /// Writes the file, and the folders to it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let written =
            folder.map_or(Ok(()), fs::create_dir_all).and(text).and_then(|text| fs::write(path, text + "\n"));
        written.map_err(|cause| Failure::Ceiling { path: path.to_owned(), cause: cause.to_string() })
    }
}

/// The file of a host below the user's cache folder; `None` where the environment names none.
pub(crate) fn usual_path(variable: impl Fn(&str) -> Option<String>, host: &str) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let folder = set("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    let word: String = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Some(folder.join("wsload").join(format!("ceiling-{word}-{}.json", env!("CARGO_PKG_VERSION"))))
}

#[cfg(test)]
mod tests {
    use super::super::ceiling::tests::ceiling;
    use super::*;

    #[test]
    fn the_usual_path() {
        let version = env!("CARGO_PKG_VERSION");
        let table = [("/c", "/h", Some("/c")), ("", "/h", Some("/h/.cache")), ("", "", None)];
        for (cache, home, folder) in table {
            let variable = |name: &str| match name {
                "XDG_CACHE_HOME" => Some(cache.to_owned()),
                "HOME" => Some(home.to_owned()).filter(|home| !home.is_empty()),
                _ => None,
            };
            let path = folder.map(|folder| format!("{folder}/wsload/ceiling-a-b-{version}.json"));
            assert_eq!(usual_path(variable, "a/b"), path.map(PathBuf::from), "{cache:?} {home:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = std::env::temp_dir().join(format!("wsload-store-{}", std::process::id()));
        let path = folder.join("deep/ceiling.json");
        assert_eq!(Store::read(&path).expect("no file is no fault"), Store::default());
        let mut store = Store::default();
        store.add(ceiling(100, "64 B", 1000.0));
        store.add(ceiling(100, "20 B", 2000.0));
        store.add(ceiling(100, "64 B", 3000.0));
        store.write(&path).expect("it can be written");
        let read = Store::read(&path).expect("it is there");
        assert_eq!(read, store);
        let kept: Vec<f64> = read.ceilings.iter().map(|ceiling| ceiling.per_second).collect();
        assert_eq!(kept, [2000.0, 3000.0]);
        for damage in ["", "{}", "{\"schema\":9,\"ceilings\":[]}"] {
            fs::write(&path, damage).expect("it can be written");
            let text = Store::read(&path).expect_err(damage).to_string();
            assert!(text.contains("ceiling.json"), "{text}");
        }
        fs::remove_dir_all(folder).expect("it can be removed");
    }
}
