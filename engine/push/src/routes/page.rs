//! The page at `/`.

use wsring::{HttpRequest, Response};

const PAGE: &str = include_str!("../page.html");

/// Answers with the page.
pub(crate) fn page(_request: &HttpRequest<'_>) -> Response {
    let page = Response::html(200, PAGE);
    // The page loads nothing and frames nothing; the policy makes browsers hold it to that.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                  connect-src *; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-cache"),
    ];
    headers.into_iter().fold(page, |page, (name, value)| page.clone().header(name, value).unwrap_or(page))
}
