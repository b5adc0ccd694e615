//! What the server serves; `docs/wire.md` describes it for clients. Read [`App`] first, then [`socket`].

mod app;
mod begin;
mod commands;
mod figures;
mod page;
mod publish;
mod session;
mod socket;
mod stream;

pub(crate) use app::App;

use crate::auth::{Access, Denied};
use crate::config::Config;
use crate::events::{EventId, event};
use crate::protocol::{Parser, delivery};
use app::{Forms, with_cors};
use std::cell::RefCell;
use std::sync::Arc;
use wsring::{Answer, Conn, Error, Framing, HttpRequest, Message, Reply, Response, Server, Upgrade};

/// Subprotocols that `/echo` speaks: the name says all there is to it.
const ECHO_SUBPROTOCOLS: &[&str] = &["echo"];

const TOPIC: &str = "/topics/{*name}";

thread_local! {
    /// Tells text that is JSON from other text; not the one that reads commands, which is in use while a
    /// message is encoded.
    static DELIVERIES: RefCell<Parser> = RefCell::default();
}

/// Adds all routes.
///
/// # Errors
/// The caller's fault: a rule's pattern.
pub(crate) fn add(server: Server, config: &Config, access: Access) -> Result<(Server, Arc<App>), Error> {
    let server = server
        .topics_max(config.limits.topics)
        .retained_bytes_max(config.limits.retained_bytes)
        .topic_rules(config.topics.rules())
        .shared_deflate(config.deflate.shared());
    let server = match config.deflate.options() {
        Some(options) => server.deflate(options),
        None => server,
    };
    let forms = forms(&server);
    let app = Arc::new(App::new(config, access, &server, forms));
    let share = || Arc::clone(&app);
    let (topic, broadcast, commands, echo_app) = (share(), share(), share(), share());
    let (info, one, batch, metrics, slow, ready) = (share(), share(), share(), share(), share(), share());
    let (preflight_topic, preflight_batch) = (share(), share());
    let server = server
        .get("/", page::page)
        .get("/page/{file}", page::file)
        .get("/healthz", |_| Response::text(200, "ok\n"))
        .get("/readyz", move |_| figures::ready(&ready))
        .get("/metrics", move |request| figures::of_server(&metrics, request))
        .get("/debug/slow", move |request| figures::slow(&slow, request))
        .get(TOPIC, move |request| get_topic(&info, request))
        .post(TOPIC, move |request| publish::one(&one, request))
        .http("OPTIONS", TOPIC, move |request| publish::preflight(&preflight_topic, request))
        .post("/publish", move |request| publish::batch(&batch, request))
        .http("OPTIONS", "/publish", move |request| publish::preflight(&preflight_batch, request))
        .websocket(TOPIC, move |upgrade| socket::upgrade(&topic, upgrade))
        .websocket("/ws", move |upgrade| commands::upgrade(&commands, upgrade))
        .websocket("/broadcast", move |upgrade| socket::broadcast(&broadcast, upgrade))
        .websocket("/echo", move |upgrade| echo_upgrade(&echo_app, upgrade));
    Ok((server, app))
}

fn forms(server: &Server) -> Forms {
    Forms {
        json: server.form(Framing::Text, |message, out| {
            DELIVERIES.with_borrow_mut(|parser| {
                delivery(out, parser, message.topic, message.offset, message.kind, message.payload);
            });
        }),
        events: server.form(Framing::Raw, |message, out| {
            let id = EventId { epoch: message.epoch, offset: message.offset };
            event(out, id, message.kind, message.payload);
        }),
    }
}

/// A plain GET of a topic: events or figures, as the client accepts them.
fn get_topic(app: &Arc<App>, request: &HttpRequest<'_>) -> Reply {
    let admitted = match app.admit(request.request()) {
        Ok(admitted) => admitted,
        Err(response) => return response.into(),
    };
    let name = request.param("name").unwrap_or_default();
    if let Err(denied) = app.check_name(&name).and_then(|()| admitted.identity.ask_subscribe(&name)) {
        return app.refuse(&denied, &admitted.allowed).into();
    }
    if stream::is_wanted(request.request()) {
        return match stream::answer(app, request.request(), &name, admitted) {
            Ok(reply) => reply,
            Err((denied, admitted)) => app.refuse(&denied, &admitted.allowed).into(),
        };
    }
    match figures::of_topic(app, &name) {
        Ok(response) => with_cors(response, &admitted.allowed).into(),
        Err(denied) => app.refuse(&denied, &admitted.allowed).into(),
    }
}

fn echo_upgrade(app: &Arc<App>, upgrade: Upgrade<'_>) -> Answer {
    let admitted = match app.admit(upgrade.request()) {
        Ok(admitted) => admitted,
        Err(response) => return upgrade.reject(response),
    };
    if app.access.is_configured() && !admitted.identity.is_known {
        let denied = Denied::without_right(false, "without a token nobody may use /echo".into());
        return upgrade.reject(app.refuse(&denied, &admitted.allowed));
    }
    upgrade.subprotocol(ECHO_SUBPROTOCOLS).accept(echo)
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}
