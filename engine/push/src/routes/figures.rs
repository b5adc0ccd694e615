//! Figures: of one topic, of the whole server, of those who are slow; and whether it is well.

use super::app::{Admitted, App, with_cors};
use super::begin;
use crate::auth::Denied;
use crate::metrics::{self, Figures, SLOW_RANKS};
use crate::protocol::{Code, write};
use wsring::{HttpRequest, Response, Topic};

/// Slow connections that are named when nothing else is asked for.
const SLOW_USUAL: u64 = 20;

/// The figures of a topic, whose name and rights were checked.
///
/// # Errors
/// The client's fault: there is no such topic.
pub(crate) fn of_topic(app: &App, name: &str) -> Result<Response, Denied> {
    match app.publisher.find(name) {
        Some(topic) => Ok(Response::json(200, topic_json(app, &topic))),
        None => Err(Denied {
            code: Code::UnknownTopic,
            message: format!("nobody has subscribed to \"{}\" or published to it yet", name.escape_debug()),
        }),
    }
}

fn topic_json(app: &App, topic: &Topic) -> Vec<u8> {
    let info = topic.info();
    // The topic may have gone on between the two looks; what is answered holds together.
    let slowest = app.observer.slowest(topic).min(info.head);
    let mut out = b"{\"topic\":".to_vec();
    write::string(&mut out, topic.name());
    let members: [(&[u8], u64); 9] = [
        (b",\"epoch\":", topic.epoch()),
        (b",\"subscribers\":", info.subscribers as u64),
        (b",\"head\":", info.head),
        (b",\"oldest\":", info.oldest),
        (b",\"slowest\":", slowest),
        (b",\"bytes\":", info.bytes as u64),
        (b",\"missed\":{\"close\":", info.missed.closed),
        (b",\"skip\":", info.missed.skipped),
        (b",\"latest\":", info.missed.latest),
    ];
    members.iter().for_each(|(front, number)| write::member(&mut out, front, *number));
    out.extend_from_slice(b"}}\n");
    out
}

/// Answers `GET /metrics`.
pub(crate) fn of_server(app: &App, request: &HttpRequest<'_>) -> Response {
    observed(app, request, |app| {
        let slowest: Vec<u64> = app.observer.slow(SLOW_RANKS).iter().map(wsring::Slow::behind).collect();
        let figures = Figures {
            shards: &app.observer.shards(),
            topics: app.observer.topics(),
            slowest: &slowest,
            refusals: &app.refusals,
        };
        Ok(Response::bytes(200, metrics::CONTENT_TYPE, metrics::render(&figures).into_bytes()))
    })
}

/// Answers `GET /debug/slow`.
pub(crate) fn slow(app: &App, request: &HttpRequest<'_>) -> Response {
    observed(app, request, |app| {
        let most = begin::number(request.request(), "most")?.unwrap_or(SLOW_USUAL);
        let mut out = vec![b'['];
        for slow in app.observer.slow(usize::try_from(most).unwrap_or(usize::MAX)) {
            let comma: &[u8] = if out.len() > 1 { b",\n" } else { b"" };
            out.extend_from_slice(comma);
            out.extend_from_slice(b"{\"connection\":");
            write::string(&mut out, &slow.connection.to_string());
            out.extend_from_slice(b",\"peer\":");
            match slow.peer {
                Some(peer) => write::string(&mut out, &peer.to_string()),
                None => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(b",\"topic\":");
            write::string(&mut out, &slow.topic);
            write::member(&mut out, b",\"offset\":", slow.offset);
            write::member(&mut out, b",\"head\":", slow.head);
            write::member(&mut out, b",\"behind\":", slow.behind());
            out.push(b'}');
        }
        out.extend_from_slice(b"]\n");
        Ok(Response::json(200, out))
    })
}

/// Answers `GET /readyz`: a server that drains is to get no more clients.
pub(crate) fn ready(app: &App) -> Response {
    if app.is_draining() { Response::text(503, "draining\n") } else { Response::text(200, "ok\n") }
}

/// For those who may see everything.
fn observed(
    app: &App,
    request: &HttpRequest<'_>,
    answer: impl FnOnce(&App) -> Result<Response, Denied>,
) -> Response {
    let Admitted { identity, allowed } = match app.admit(request.request()) {
        Ok(admitted) => admitted,
        Err(response) => return response,
    };
    match identity.ask_observe().and_then(|()| answer(app)) {
        Ok(response) => with_cors(response, &allowed),
        Err(denied) => app.refuse(&denied, &allowed),
    }
}
