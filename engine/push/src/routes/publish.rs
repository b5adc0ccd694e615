//! Publishing over HTTP: one message, or a batch of many.

use super::app::{Admitted, App, with, with_cors};
use crate::auth::{Allowed, Denied};
use crate::protocol::{Code, Parser, write};
use std::cell::RefCell;
use wsring::{HttpRequest, Kind, Response};

thread_local! {
    /// A shard is a thread, and reads one batch at a time.
    static PARSER: RefCell<Parser> = RefCell::default();
}

/// What preflight requests are told (the Fetch standard, section 3.3.3).
const PREFLIGHT: &[(&str, &str)] = &[
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-Api-Key"),
    ("Access-Control-Max-Age", "600"),
];

/// Answers `POST /topics/{name}`.
pub(crate) fn one(app: &App, request: &HttpRequest<'_>) -> Response {
    let Admitted { identity, allowed } = match app.admit(request.request()) {
        Ok(admitted) => admitted,
        Err(response) => return response,
    };
    let name = request.param("name").unwrap_or_default();
    let published = app.check_name(&name).and_then(|()| {
        identity.ask_publish(&name)?;
        let kind = kind(request)?;
        publish(app, &name, kind, request.body())
    });
    match published {
        Ok(mut body) => {
            body.push(b'\n');
            with_cors(Response::json(200, body), &allowed)
        }
        Err(denied) => app.refuse(&denied, &allowed),
    }
}

/// Answers `POST /publish`: each entry for itself.
pub(crate) fn batch(app: &App, request: &HttpRequest<'_>) -> Response {
    let Admitted { identity, allowed } = match app.admit(request.request()) {
        Ok(admitted) => admitted,
        Err(response) => return response,
    };
    let mut body = vec![b'['];
    let read = PARSER.with_borrow_mut(|parser| {
        parser.batch(request.body(), app.limits.batch_messages, |entry| {
            if body.len() > 1 {
                body.push(b',');
            }
            let published = entry.map_err(Denied::from).and_then(|entry| {
                app.check_name(entry.topic)?;
                identity.ask_publish(entry.topic)?;
                publish(app, entry.topic, Kind::Text, entry.data)
            });
            match published {
                Ok(answer) => body.extend_from_slice(&answer),
                Err(denied) => {
                    app.refusals.count(denied.code);
                    body.push(b'{');
                    write::error(&mut body, denied.code, &denied.message);
                    body.push(b'}');
                }
            }
        })
    });
    match read {
        Ok(()) => {
            body.extend_from_slice(b"]\n");
            with_cors(Response::json(200, body), &allowed)
        }
        Err(fault) => app.refuse(&fault.into(), &allowed),
    }
}

/// Answers what a browser asks before it sends a request of another site's page.
pub(crate) fn preflight(app: &App, request: &HttpRequest<'_>) -> Response {
    match app.access.origin(request.request().origin(), request.request().host()) {
        Some(allowed) => {
            let response = with_cors(Response::empty(204), &allowed);
            PREFLIGHT.iter().fold(response, |response, (name, value)| with(response, name, value))
        }
        None => {
            let message = "pages of this origin may not use this server: it is not among auth.origins".into();
            app.refuse(&Denied { code: Code::BadOrigin, message }, &Allowed::Unasked)
        }
    }
}

fn publish(app: &App, name: &str, kind: Kind, payload: &[u8]) -> Result<Vec<u8>, Denied> {
    let topic = app.topic(name)?;
    let published = topic.publish(kind, payload);
    let mut answer = vec![b'{'];
    write::published(&mut answer, published.offset, topic.epoch(), published.subscribers);
    answer.push(b'}');
    Ok(answer)
}

/// Text if it is UTF-8, unless it is declared as bytes.
fn kind(request: &HttpRequest<'_>) -> Result<Kind, Denied> {
    let declared = request.request().header_str("Content-Type").unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/octet-stream") {
        return Ok(Kind::Binary);
    }
    match std::str::from_utf8(request.body()) {
        Ok(_) => Ok(Kind::Text),
        Err(_) => Err(Denied {
            code: Code::BadText,
            message: "the body is not UTF-8; send bytes with Content-Type: application/octet-stream".into(),
        }),
    }
}
