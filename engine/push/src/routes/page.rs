//! The page at `/` and the files it is made of, which are part of the program.

use wsring::{HttpRequest, Response};

const PAGE: &str = include_str!("../page/page.html");

/// The page loads nothing but its own files, frames nothing and is framed by nobody; the policy makes browsers
/// hold it to that. WebSockets may go anywhere: its client takes any URL.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $content_type:expr,)*) => {
        /// Name below `/page/`, content type, content.
        const FILES: &[(&str, &str, &str)] =
            &[$(($name, $content_type, include_str!(concat!("../page/", $name))),)*];
    };
}

files! {
    "page.css": "text/css; charset=utf-8",
    "main.js": SCRIPT,
    "dom.js": SCRIPT,
    "words.js": SCRIPT,
    "token.js": SCRIPT,
    "openmetrics.js": SCRIPT,
    "figures.js": SCRIPT,
    "rates.js": SCRIPT,
    "tiles.js": SCRIPT,
    "plots.js": SCRIPT,
    "tables.js": SCRIPT,
    "feed.js": SCRIPT,
    "lags.js": SCRIPT,
    "topics.js": SCRIPT,
    "arrivals.js": SCRIPT,
    "flood.js": SCRIPT,
    "raw.js": SCRIPT,
    "payload.js": SCRIPT,
    "snippets.js": SCRIPT,
}

/// Answers `GET /`.
pub(crate) fn page(_request: &HttpRequest<'_>) -> Response {
    guarded(Response::html(200, PAGE))
}

/// Answers `GET /page/{file}`.
pub(crate) fn file(request: &HttpRequest<'_>) -> Response {
    let name = request.param("file").unwrap_or_default();
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, content_type, content)) => guarded(Response::bytes(200, content_type, content.as_bytes())),
        None => Response::text(404, "the page has no such file\n"),
    }
}

fn guarded(response: Response) -> Response {
    let headers = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ];
    headers.into_iter().fold(response, |response, (name, value)| super::app::with(response, name, value))
}
