//! `wsload report`, `compare` and `merge` as their users run them, on a report that is kept with the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of this test's own, with a report `run.json` and, in `slow/`, one whose latencies are not its own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("slow")).expect("a folder");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/echo.json");
        let text = fs::read_to_string(fixture).expect("the report");
        fs::write(path.join("run.json"), &text).expect("it is written");
        let mut report: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        for percentile in ["p50", "p99"] {
            let value = &mut report["latencies"][0]["percentiles"][percentile];
            *value = (value.as_u64().expect("it is known") * 2).into();
        }
        // Without intervals nothing says how sure a change is, so that it counts as it is.
        report["series"] = serde_json::json!([]);
        fs::write(path.join("slow/run.json"), report.to_string()).expect("it is written");
        fs::write(path.join("broken.json"), "{\"schema\": 1,").expect("it is written");
        Self(path)
    }

    /// Calls `wsload` there; gives the exit code, and what was written.
    fn wsload(&self, line: &str) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_wsload"))
            .args(line.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("wsload runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn check(&self, line: &str, code: i32, texts: &[&str]) {
        let (found, out, err) = self.wsload(line);
        assert_eq!(found, Some(code), "wsload {line}\n{out}{err}");
        for text in texts {
            assert!(out.contains(text) || err.contains(text), "wsload {line}\nno {text:?} in\n{out}{err}");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let folder = Folder::new("reports-codes");
    let table: [(&str, i32, &[&str]); 11] = [
        ("report run.json", 3, &["verdict     NOT MET: p50<100us was not met: 173 us"]),
        ("report run.json --threshold p50<1s", 3, &["p50<1s             173 us  yes"]),
        ("report run.json --threshold p50<1", 2, &["a time has a unit"]),
        ("report nowhere.json", 1, &["cannot read the report nowhere.json"]),
        ("report broken.json", 1, &["cannot read the report broken.json"]),
        ("report run.json run.json --html both.html", 2, &["wsload merge"]),
        ("compare run.json run.json", 0, &["p99<+5%", "Verdict: met"]),
        ("compare run.json slow", 3, &["NOT MET", "+100.0 %"]),
        ("compare run.json slow --threshold p99<5%", 2, &["no change in per cent"]),
        ("compare run.json .", 1, &["broken.json"]),
        ("merge run.json", 2, &["2 values required"]),
    ];
    for (line, code, texts) in table {
        folder.check(line, code, texts);
    }
}

#[test]
fn every_file_is_written() {
    let folder = Folder::new("reports-files");
    let outputs = "--json all.json --html all.html --markdown all.md --csv all --hgrm all --hlog all.hlog";
    folder.check(&format!("merge run.json slow/run.json {outputs}"), 3, &["120,000", "merged from"]);
    let names = [
        "all.json",
        "all.html",
        "all.md",
        "all-series.csv",
        "all-percentiles.csv",
        "all-response.hgrm",
        "all-schedule_lag.hgrm",
        "all.hlog",
    ];
    for name in names {
        assert!(fs::metadata(folder.0.join(name)).expect(name).len() > 200, "{name}");
    }
    let outputs = "--json both.json --html both.html --markdown both.md";
    folder.check(&format!("compare run.json slow {outputs}"), 3, &["Verdict: NOT MET"]);
    for name in ["both.json", "both.html", "both.md"] {
        assert!(fs::metadata(folder.0.join(name)).expect(name).len() > 200, "{name}");
    }
    let (_, out, err) = folder.wsload("compare run.json run.json --html -");
    assert!(out.starts_with("<!DOCTYPE html>") && out.ends_with("</html>\n"), "{out}");
    assert!(err.contains("Verdict: met"), "{err}");
    // With JSON on standard output, the summary goes to the other one.
    let (_, out, err) = folder.wsload("report all.json --json -");
    let report: serde_json::Value = serde_json::from_str(&out).expect("standard output is JSON alone");
    assert_eq!(report["latencies"][0]["count"], 120_040);
    assert!(err.contains("verdict"), "{err}");
    folder.check(
        "report run.json --hlog /nonexistent/run.hlog",
        1,
        &["cannot write the report to /nonexistent"],
    );
}
