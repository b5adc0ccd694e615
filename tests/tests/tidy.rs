//! The layout of the project, checked: which crate may use which, where `unsafe` lives, how long files
//! and functions are, and what must not be left lying about.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::BTreeSet;
use wsring_tests::source::{Source, functions, root, sources, without_comments, without_tests};

/// Where `unsafe` may stand, and `allow` it: kernels, the driver's talk with the kernel, the memory that
/// shards share, and outside of the product the bare-ring benchmark and the counting heap.
const UNSAFE_ALLOWED: &[&str] = &[
    "engine/proto/src/simd/",
    "engine/io/src/uring/",
    "engine/io/src/epoll/",
    "engine/io/src/segment.rs",
    "benches/src/ring/",
    "tests/src/heap.rs",
];

/// A crate's folder and which crates of the project it may use, in any kind of dependency for
/// programs and tests of its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("engine/proto", &[]),
    ("engine/io", &[]),
    ("engine/core", &["wsring-proto", "wsring-io"]),
    ("engine/push", &["wsring"]),
    ("loadgen", &["wsring", "wsring-proto"]),
    ("benches", &["wsring", "wsring-proto", "wsring-io", "wsring-tests", "wsring-benches"]),
    ("tests", &["wsring", "wsring-proto", "wsring-io"]),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// The markers of unfinished work, in two parts so that this file has none of them.
const MARKERS: &[[&str; 2]] = &[
    ["to", "do!"],
    ["unimpl", "emented!"],
    ["db", "g!"],
    ["FIX", "ME"],
    ["X", "XX"],
    ["TO", "DO"],
    ["HA", "CK"],
];

/// Beginnings of paths of one machine alone, in two parts for the same reason.
const MACHINE_PATHS: &[[&str; 2]] =
    &[["/wo", "rk/"], ["/ho", "me/"], ["/tm", "p/"], ["/ro", "ot/"], ["/Us", "ers/"]];

/// Fails with all faults at once.
#[track_caller]
fn none(rule: &str, faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

/// The lines of some files that break a rule.
fn lines(files: &[Source], breaks: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let of = |file: &Source| {
        let numbered = file.text.lines().enumerate().filter(|(_, line)| breaks(file, line));
        numbered
            .map(|(number, line)| format!("{}:{}: {}", file.path, number + 1, line.trim()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}

fn manifest(folder: &str) -> toml::Table {
    std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
}

fn members() -> Vec<String> {
    let workspace = manifest("");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

#[test]
fn unsafe_lives_where_it_may_and_nowhere_else() {
    let files = sources(&[".rs"]);
    let allowance = ["(unsafe", "_code"].concat();
    let faults = lines(&files, |file, line| {
        let door = line.contains(&allowance) && is_door(&file.path);
        let somewhere = UNSAFE_ALLOWED.iter().any(|place| file.path.starts_with(place));
        !somewhere && !door && (is_unsafe(line) || line.contains(&allowance))
    });
    none("unsafe outside of its places", faults);
    let lint = &manifest("")["workspace"]["lints"];
    assert_eq!(lint["rust"]["unsafe_code"].as_str(), Some("deny"));
    assert_eq!(lint["clippy"]["undocumented_unsafe_blocks"].as_str(), Some("deny"));
}

/// Whether code in a line is unsafe, as far as one can see from it alone.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let kinds = ["{", "fn ", "impl ", "impl<", "trait ", "extern "];
    let begins = |rest: &str| kinds.iter().any(|kind| rest.trim_start().starts_with(kind));
    code.match_indices("unsafe ").any(|(at, word)| begins(&code[at + word.len()..]))
}

/// Whether a file declares the module of a place where unsafe may stand.
fn is_door(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside = |place: &str| {
        place.strip_prefix(folder).is_some_and(|rest| rest.trim_matches('/').find('/').is_none())
    };
    UNSAFE_ALLOWED.iter().any(|place| inside(place))
        && (path.ends_with("/lib.rs") || path.ends_with("/mod.rs"))
}

#[test]
fn crates_use_only_crates_below_them() {
    let all: BTreeSet<String> = members().into_iter().collect();
    let known: BTreeSet<String> = ARROWS.iter().map(|(folder, _)| (*folder).to_owned()).collect();
    assert_eq!(all, known, "every crate has its place in the picture");
    let mut faults = Vec::new();
    for (folder, allowed) in ARROWS {
        for name in dependencies(&manifest(folder)) {
            if name.starts_with("wsring") && !allowed.contains(&name.as_str()) {
                faults.push(format!("{folder} uses {name}"));
            }
        }
    }
    none("an arrow that points up or aside", faults);
}

/// Names of all dependencies, those for tests and builds and single targets included.
fn dependencies(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match value.as_table() {
            Some(table) if key.ends_with("dependencies") => names.extend(table.keys().cloned()),
            Some(table) if key == "target" => {
                names.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies));
            }
            _ => {}
        }
    }
    names
}

#[test]
fn every_crate_obeys_the_one_lint_table() {
    let faults = members().into_iter().filter(|folder| {
        let lints = manifest(folder).get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        lints != Some(true)
    });
    none("a crate without `[lints] workspace = true`", faults);
}

#[test]
fn the_protocol_core_asks_nobody() {
    const FORBIDDEN: &[&str] = &[
        "Socket",
        "TcpStream",
        "TcpListener",
        "Instant",
        "SystemTime",
        "std::thread",
        "std::fs",
        "std::os",
        "std::env",
        "std::process",
        "getrandom",
        "rand::",
        "libc",
    ];
    let mut files = sources(&[".rs"]);
    files.retain(|file| file.path.starts_with("engine/proto/src/") && !file.path.ends_with("tests.rs"));
    assert!(files.len() > 20, "{} files", files.len());
    files.iter_mut().for_each(|file| file.text = without_comments(without_tests(&file.text)));
    let words = |line: &str| {
        // Names of the protocol's own, which has no other word for what it opens.
        let line = line.replace("WebSocket", "").replace("Sec-Web", "");
        FORBIDDEN.iter().any(|forbidden| line.contains(forbidden))
    };
    none("sockets, clocks, threads or randomness in the protocol core", lines(&files, |_, line| words(line)));
    // Of std::net only what an address looks like.
    let net = lines(&files, |_, line| {
        line.contains("std::net") && !line.contains("Ipv4Addr") && !line.contains("Ipv6Addr")
    });
    none("sockets in the protocol core", net);
}

#[test]
fn files_and_functions_are_short() {
    let files = sources(&[".rs"]);
    let scripts = sources(&[".py", ".mjs", ".js", ".css", ".html"]);
    let long = files.iter().chain(&scripts).filter(|file| file.text.lines().count() > FILE_LINES_MAX);
    none("a file that is too long", long.map(|file| format!("{}: {}", file.path, file.text.lines().count())));
    let functions = files.iter().flat_map(|file| {
        let long = functions(&file.text).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        long.map(|function| {
            format!("{}:{}: {} has {}", file.path, function.line, function.name, function.lines)
        })
    });
    none("a function that is too long", functions);
}

#[test]
fn nothing_unfinished_is_left() {
    let markers: Vec<String> = MARKERS.iter().map(|parts| parts.concat()).collect();
    let files = sources(&[".rs", ".py", ".mjs", ".js", ".css", ".html", ".sh", ".md", ".toml"]);
    none(
        "a marker of unfinished work",
        lines(&files, |_, line| {
            let word = |marker: &String| {
                let before = |at: usize| line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
                line.match_indices(marker.as_str()).any(|(at, _)| before(at))
            };
            markers.iter().any(word)
        }),
    );
}

#[test]
fn no_path_of_one_machine_stands_in_the_project() {
    let paths: Vec<String> = MACHINE_PATHS.iter().map(|parts| parts.concat()).collect();
    let files = sources(&[".rs", ".py", ".mjs", ".js", ".css", ".html", ".sh", ".md", ".toml"]);
    none(
        "a path of one machine",
        lines(&files, |_, line| {
            paths.iter().any(|path| {
                // The beginning of a path, not a part of one: `tests/home/` is fine.
                let before = |at: usize| {
                    line[..at]
                        .chars()
                        .next_back()
                        .is_none_or(|c| !c.is_alphanumeric() && c != '}' && c != '.')
                };
                line.match_indices(path.as_str()).any(|(at, _)| before(at))
            })
        }),
    );
}

#[test]
fn code_is_ascii() {
    let mut files = sources(&[".rs", ".toml"]);
    files.retain(|file| {
        file.path.contains("/src/") && !file.path.starts_with("tests/") && !file.path.ends_with("tests.rs")
    });
    files.iter_mut().for_each(|file| file.text = without_comments(without_tests(&file.text)));
    let faults = lines(&files, |_, line| !line.is_ascii());
    none("beyond ASCII: write \\u{...}, so that it is seen", faults);
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let faults = sources(&[".rs"]).into_iter().filter(|file| !file.text.starts_with("//!"));
    none("a file that does not begin with what it is", faults.map(|file| file.path));
}
