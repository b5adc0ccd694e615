//! One topic as server-sent events.

use super::app::{Admitted, App};
use super::begin;
use super::session::Session;
use crate::auth::{Allowed, Denied};
use crate::events::{self, gap_event};
use crate::protocol::{Begin, GapNotice};
use std::sync::Arc;
use wsring::{Conn, Events, Gap, Handler, Message, Reply, Request, Topic};

/// Whether a client asks for events rather than for figures.
pub(crate) fn is_wanted(request: &Request<'_>) -> bool {
    let is_events = |range: &str| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("text/event-stream")
    };
    request.tokens("Accept").any(is_events)
}

/// The stream of a topic whose name and rights were checked.
///
/// # Errors
/// The client's fault.
pub(crate) fn answer(
    app: &Arc<App>,
    request: &Request<'_>,
    name: &str,
    admitted: Admitted,
) -> Result<Reply, (Denied, Admitted)> {
    let begin = begin::of_last_event(request).map_or_else(|| begin::of_query(request), Ok);
    let asked = begin.and_then(|begin| Ok((begin, app.topic(name)?)));
    match asked {
        Err(denied) => Err((denied, admitted)),
        Ok((begin, topic)) => {
            let session = Session::new(app, admitted.identity);
            Ok(with_cors(EventStream { session, topic, begin: Some(Box::new(begin)) }, &admitted.allowed)
                .into())
        }
    }
}

fn with_cors(stream: EventStream, allowed: &Allowed) -> Events {
    let events = Events::new(stream);
    let Allowed::Origin(origin) = allowed else { return events };
    // An origin that was read from a header can be sent in one.
    let events = events
        .header("Access-Control-Allow-Origin", origin)
        .and_then(|events| events.header("Vary", "Origin"));
    events.expect("an origin is a header's value")
}

/// A client that listens.
struct EventStream {
    session: Session,
    topic: Topic,
    /// Until it is open; most connections live long after that.
    begin: Option<Box<Begin>>,
}

const _: () = assert!(size_of::<EventStream>() <= 72);

impl Handler for EventStream {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.session.open(conn);
        let begin = self.begin.take().map_or(Begin::Now, |begin| *begin);
        let _ = conn.send_raw(events::BEGIN);
        let (_, gap) = begin::subscribe(conn, &self.topic, self.session.app.forms.events, begin);
        if let Some(gap) = gap {
            tell(conn, self.topic.epoch(), gap);
        }
    }

    /// Nothing is received on a stream.
    fn message(&mut self, _conn: &mut Conn<'_>, _message: Message<'_>) {}

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        tell(conn, gap.epoch, GapNotice::of(gap));
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.session.timer(conn);
    }
}

fn tell(conn: &mut Conn<'_>, epoch: u64, gap: GapNotice) {
    let mut out = Vec::with_capacity(128);
    gap_event(&mut out, epoch, gap);
    let _ = conn.send_raw(&out);
}
