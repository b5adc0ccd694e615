//! Where a subscription begins: what a client asks for, against what there is.

use crate::auth::Denied;
use crate::events::EventId;
use crate::protocol::{Begin, Code, GapNotice, GapReason, MAX_NUMBER};
use wsring::{Conn, Form, Request, Start, Subscribed, Topic};

/// What the query of `/topics/{name}` says.
///
/// # Errors
/// The client's fault.
pub(crate) fn of_query(request: &Request<'_>) -> Result<Begin, Denied> {
    let (from, epoch) = (number(request, "from")?, number(request, "epoch")?);
    match (from, epoch, number(request, "history")?) {
        (None, None, None) => Ok(Begin::Now),
        (Some(from), epoch, None) => Ok(Begin::Offset { from, epoch }),
        (None, None, Some(messages)) => Ok(Begin::History(messages)),
        (None, Some(_), _) => Err(bad_query("epoch goes with from, whose offset it explains".into())),
        (Some(_), _, Some(_)) => {
            Err(bad_query("from and history exclude each other: both say where to begin".into()))
        }
    }
}

/// What a browser says that comes back; an id that is none of ours is passed over, as if the browser
/// were new.
pub(crate) fn of_last_event(request: &Request<'_>) -> Option<Begin> {
    let EventId { epoch, offset } = EventId::parse(request.header_str("Last-Event-ID")?)?;
    Some(Begin::Offset { from: offset + 1, epoch: Some(epoch) })
}

/// A number in the query.
///
/// # Errors
/// The client's fault.
pub(crate) fn number(request: &Request<'_>, name: &str) -> Result<Option<u64>, Denied> {
    let Some(text) = request.query_value(name) else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|number| digits && *number <= MAX_NUMBER) {
        Some(number) => Ok(Some(number)),
        None => Err(bad_query(format!("{name} is a whole number from 0 to {MAX_NUMBER}"))),
    }
}

pub(crate) fn bad_query(message: String) -> Denied {
    Denied { code: Code::BadQuery, message }
}

/// Subscribes, and says what of that cannot be had any more.
pub(crate) fn subscribe(
    conn: &mut Conn<'_>,
    topic: &Topic,
    form: Form,
    begin: Begin,
) -> (Subscribed, Option<GapNotice>) {
    match begin {
        Begin::Now => (conn.subscribe_with(topic, form, Start::Now), None),
        // As far as they are kept: nothing that was asked for by its offset is missing.
        Begin::History(messages) => (conn.subscribe_with(topic, form, Start::Last(messages)), None),
        Begin::Offset { from, epoch } if is_of_this_life(topic, from, epoch) => {
            let subscribed = conn.subscribe_with(topic, form, Start::Offset(from));
            let gap = |missed: &std::ops::Range<u64>| GapNotice {
                from: missed.start,
                to: missed.end,
                reason: GapReason::Retention,
            };
            let gap = subscribed.missed.as_ref().map(gap);
            (subscribed, gap)
        }
        Begin::Offset { from, .. } => {
            let subscribed = conn.subscribe_with(topic, form, Start::Offset(0));
            let gap = GapNotice { from, to: subscribed.next, reason: GapReason::Epoch };
            let gap = (!subscribed.already).then_some(gap);
            (subscribed, gap)
        }
    }
}

/// Whether an offset means anything in the topic's present life. Without an epoch one beyond the head is
/// the only sign that it does not.
fn is_of_this_life(topic: &Topic, from: u64, epoch: Option<u64>) -> bool {
    match epoch {
        Some(epoch) => epoch == topic.epoch(),
        None => from <= topic.info().head,
    }
}
