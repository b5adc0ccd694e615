//! The page and its files: what browsers are told about them.

use super::support::{get, server};
use std::collections::BTreeSet;
use wsring_tests::peer::Answer;

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_else(|| panic!("no {name}"))
}

fn check_guarded(answer: &Answer) {
    let policy = header(answer, "Content-Security-Policy");
    let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(&rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    assert_eq!(header(answer, "X-Content-Type-Options"), "nosniff");
    assert_eq!(header(answer, "Cross-Origin-Resource-Policy"), "same-origin");
    assert_eq!(header(answer, "Cache-Control"), "no-cache");
}

/// What stands between quotes after each of `fronts`.
fn quoted(text: &str, fronts: &[&str]) -> Vec<String> {
    let after = |front: &&str| {
        let found = text.match_indices(*front).map(|(at, front)| &text[at + front.len()..]);
        found.map(|rest| rest.split(['"', '\'']).next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    fronts.iter().flat_map(after).collect()
}

/// Follows what the page and its scripts load, so that no file is forgotten or left over.
#[test]
fn all_that_the_page_loads_is_there_and_guarded() {
    let server = server(&[]);
    let address = server.address();
    let page = get(address, "/", "");
    assert_eq!((page.status, header(&page, "Content-Type")), (200, "text/html; charset=utf-8"));
    check_guarded(&page);
    assert!(
        !page.text().contains("<style") && !page.text().contains(" style="),
        "styles that the policy refuses"
    );
    let mut wanted = quoted(&page.text(), &["src=\"", "rel=\"stylesheet\" href=\""]);
    let mut seen = BTreeSet::new();
    while let Some(path) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = get(address, &format!("/{path}"), "");
        let expected = if path.ends_with(".css") { "text/css" } else { "text/javascript" };
        let content_type = format!("{expected}; charset=utf-8");
        assert_eq!((answer.status, header(&answer, "Content-Type")), (200, content_type.as_str()), "{path}");
        check_guarded(&answer);
        let imports = quoted(&answer.text(), &[" from './", "\nimport './"]);
        wanted.extend(imports.into_iter().map(|name| format!("page/{name}")));
    }
    let folder = wsring_tests::source::root().join("engine/push/src/page");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("page/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|path| path != "page/page.html")
        .collect();
    assert_eq!(seen, files, "files that the page loads, and files that there are");
}

#[test]
fn other_files_there_are_not() {
    let server = server(&[]);
    let address = server.address();
    for path in ["/page/", "/page/nothing.js", "/page/page.html", "/page/..%2fpage.css", "/page/a/page.css"] {
        assert_eq!(get(address, path, "").status, 404, "{path}");
    }
}

/// The page explains what it is not allowed to see, so that it comes without a token.
#[test]
fn the_page_comes_without_a_token() {
    let file = super::support::File::new("an API key of the tests\n");
    let server = server(&["--api-keys-file", file.name()]);
    let address = server.address();
    assert_eq!(get(address, "/metrics", "").status, 401);
    assert_eq!(get(address, "/", "").status, 200);
    assert_eq!(get(address, "/page/main.js", "").status, 200);
}
