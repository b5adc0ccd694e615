//! What the server serves.

use wsring::{Conn, Error, Handler, HttpRequest, Message, Response, Server, Topic};

/// The page at `/`.
const PAGE: &str = include_str!("page.html");

/// Subprotocols that `/echo` speaks: the name says all there is to it.
const ECHO_SUBPROTOCOLS: &[&str] = &["echo"];

/// Adds all routes.
pub(crate) fn add(server: Server) -> Result<Server, Error> {
    let everybody = server.topic("broadcast")?;
    let server = server
        .get("/", page)
        .get("/healthz", |_| Response::text(200, "ok\n"))
        .get("/readyz", |_| Response::text(200, "ok\n"))
        .websocket("/echo", |upgrade| upgrade.subprotocol(ECHO_SUBPROTOCOLS).accept(echo))
        .websocket("/broadcast", move |upgrade| upgrade.accept(Member { everybody: everybody.clone() }));
    Ok(server)
}

fn page(_request: &HttpRequest<'_>) -> Response {
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

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

/// A connection to `/broadcast`: what it says goes to all, itself included.
struct Member {
    everybody: Topic,
}

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.everybody);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish(&self.everybody, message.kind(), message.payload());
    }
}
