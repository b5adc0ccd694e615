//! What an HTTP route answers: a response, or a stream of events.

use crate::handler::Handler;
use wsring_proto::http::{InvalidHeader, Response};

/// The answer to a plain HTTP request; a [`Response`] or [`Events`] turns into one by itself.
#[must_use = "a route returns its reply"]
pub enum Reply {
    /// A whole response.
    Response(Response),
    /// A stream that goes on until one end closes it.
    Events(Events),
}

/// A stream of server-sent events (HTML standard, section 9.2): status 200, `text/event-stream`, and a
/// [`Handler`] whose connection takes [`Conn::send_raw`](crate::Conn::send_raw) and subscriptions in forms of
/// [`Framing::Raw`](crate::Framing::Raw). Nothing is received on it. The shard sends a comment where a
/// WebSocket would be sent a Ping; [`Conn::close`](crate::Conn::close) ends the stream, with neither code
/// nor reason.
pub struct Events {
    pub(crate) head: Response,
    pub(crate) handler: Box<dyn Handler>,
}

impl Events {
    /// A stream that this handler writes.
    pub fn new(handler: impl Handler) -> Self {
        let head = Response::bytes(200, "text/event-stream", &b""[..]);
        // nginx and its like would keep events back until they have a buffer full.
        let headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")];
        let add = |head: Response, (name, value)| head.clone().header(name, value).unwrap_or(head);
        Self { head: headers.into_iter().fold(head, add), handler: Box::new(handler) }
    }

    /// Adds a header.
    ///
    /// # Errors
    /// As [`Response::header`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        self.head = self.head.header(name, value)?;
        Ok(self)
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl From<Events> for Reply {
    fn from(events: Events) -> Self {
        Self::Events(events)
    }
}
