//! Reports that were written before.

use crate::failure::Failure;
use crate::model::{Report, SCHEMA};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the report in a file that `--json` wrote.
///
/// # Errors
/// The caller's fault: no such file, something else than a report, or one of a later version.
pub(crate) fn file(path: &Path) -> Result<Report, Failure> {
    let failure = |cause: String| Failure::Read { path: path.to_owned(), cause };
    let text = fs::read_to_string(path).map_err(|cause| failure(cause.to_string()))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|cause| failure(format!("{cause}: no report that `wsload ... --json FILE` wrote")))?;
    match report.schema {
        0 => Err(failure(String::from("it has no schema: no report that `wsload ... --json FILE` wrote"))),
        schema if schema > SCHEMA => {
            let wsload = &report.wsload;
            Err(failure(format!("its schema is {schema}, this program knows {SCHEMA}: use wsload {wsload}")))
        }
        _ => Ok(report),
    }
}

/// Reads a file or, of a folder, each `.json` file in it by name: runs that repeat each other.
///
/// # Errors
/// As [`file()`]; the folder has none.
pub(crate) fn file_or_folder(path: &Path) -> Result<Vec<Report>, Failure> {
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let failure = |cause: String| Failure::Read { path: path.to_owned(), cause };
    let entries = fs::read_dir(path).map_err(|cause| failure(cause.to_string()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() {
        return Err(failure(String::from("the folder has no .json file")));
    }
    files.iter().map(|path| file(path)).collect()
}
