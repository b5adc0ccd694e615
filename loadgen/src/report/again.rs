//! `wsload report`: a report that was written before, in another form.

use super::{finish, read};
use crate::args::{OutputOptions, ReportOptions};
use crate::failure::Failure;
use crate::model::Verdict;
use std::path::PathBuf;

/// Runs the subcommand. The verdict is that of the worst report, held against the thresholds that are given now, too.
///
/// # Errors
/// As [`read::file`] and [`finish`]; files to write, but more than one report.
pub(crate) fn run(options: &ReportOptions) -> Result<Verdict, Failure> {
    if options.files.len() > 1 && has_files(&options.output) {
        return Err(Failure::Usage(String::from(
            "several reports would be written to one file; give one report, or add them up with `wsload merge`",
        )));
    }
    let mut worst = Verdict::Met;
    for path in &options.files {
        let mut report = read::file(path)?;
        worst = worst.max(finish(&mut report, &options.output)?);
    }
    Ok(worst)
}

fn has_files(output: &OutputOptions) -> bool {
    let files: [&Option<PathBuf>; 6] =
        [&output.json, &output.html, &output.markdown, &output.csv, &output.hgrm, &output.hlog];
    files.iter().any(|file| file.is_some())
}
