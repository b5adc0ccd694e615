//! The application under test: routes and handlers, and the book that they keep of what was called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wsring::{
    Answer, Behind, CloseCode, Closed, Conn, ConnectionId, Deferred, Gap, Handler, Message, Response,
    Retention, Sent, Server, Settings, SlowPeer, Topic, TopicRule, TopicSettings, Upgrade,
};

/// What was called on the handlers. A handler must not panic to tell of a fault, since the engine
/// catches that; it is noted here and looked for after each run.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) faults: Vec<String>,
    /// By the client's number.
    pub(crate) entries: HashMap<usize, Entry>,
    open: HashMap<ConnectionId, usize>,
    /// Everything published to the room, with its offset.
    pub(crate) news: HashMap<Vec<u8>, u64>,
    /// Upgrades that wait for their decision.
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) handlers_alive: usize,
}

/// One client's handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) opened: usize,
    /// The code as an API reports it, and whether the closing handshake was done.
    pub(crate) closed: Vec<(u16, bool)>,
    pub(crate) messages: usize,
    pub(crate) queued: usize,
    pub(crate) dropped: usize,
    pub(crate) drained: usize,
    /// Offset of the first message of the room that it is to hear.
    pub(crate) joined: Option<u64>,
    /// Messages of the room that it was told it has missed.
    pub(crate) missed: u64,
}

/// Shared by the routes, the handlers and the test.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entry(&self, client: usize) -> Entry {
        self.book().entries.get(&client).cloned().unwrap_or_default()
    }

    /// Whether every handler that was opened was closed once, and none is left.
    pub(crate) fn check_balance(&self) {
        let book = self.book();
        assert!(book.faults.is_empty(), "the application noted {:?}", book.faults);
        assert!(book.open.is_empty(), "handlers were not told that their connections ended: {:?}", book.open);
        assert_eq!(book.handlers_alive, 0, "handlers are kept after their end");
        for (client, entry) in &book.entries {
            assert_eq!(entry.opened, entry.closed.len(), "client {client}: {entry:?}");
        }
    }

    fn note(&self, client: usize, note: impl FnOnce(&mut Entry)) {
        note(self.book().entries.entry(client).or_default());
    }

    fn fault(&self, fault: String) {
        self.book().faults.push(fault);
    }
}

/// What a connection does with messages.
#[derive(Clone)]
enum Duty {
    /// Sends each back as it is.
    Echo,
    /// Sends each back in fragments.
    EchoInFragments,
    /// Publishes each to everybody.
    Room(Topic),
}

struct Member {
    client: usize,
    duty: Duty,
    policy: SlowPeer,
    shared: Shared,
    id: Option<ConnectionId>,
}

impl Member {
    fn new(client: usize, duty: Duty, policy: SlowPeer, shared: &Shared) -> Self {
        shared.book().handlers_alive += 1;
        Self { client, duty, policy, shared: shared.clone(), id: None }
    }

    fn sent(&self, was_open: bool, sent: Sent) {
        if was_open && sent == Sent::Dropped && self.policy == SlowPeer::Pause {
            self.shared.fault(format!("client {}: an answer was dropped", self.client));
        }
        self.shared.note(self.client, |entry| match sent {
            Sent::Sent => {}
            Sent::Queued { .. } => entry.queued += 1,
            Sent::Dropped => entry.dropped += 1,
        });
    }

    fn send_in_fragments(&self, conn: &mut Conn<'_>, message: &Message<'_>) -> Sent {
        let payload = message.payload();
        let middle = payload.len() / 2;
        let first = conn.send_fragment(Some(message.kind()), false, &payload[..middle]);
        if first == Sent::Dropped {
            return first;
        }
        conn.send_fragment(None, true, &payload[middle..])
    }
}

/// A text message that asks the server to close: `close:4000:reason`.
fn wish(message: &Message<'_>) -> Option<(CloseCode, String)> {
    let (code, reason) = message.text()?.strip_prefix("close:")?.split_once(':')?;
    Some((CloseCode::new(code.parse().ok()?)?, reason.into()))
}

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        let before = self.shared.book().open.insert(conn.id(), self.client);
        if before.is_some() || self.id.is_some() {
            self.shared.fault(format!("client {}: {} is open already", self.client, conn.id()));
        }
        self.id = Some(conn.id());
        self.shared.note(self.client, |entry| entry.opened += 1);
        if let Duty::Room(topic) = &self.duty {
            let joined = Some(conn.subscribe(topic).next);
            self.shared.note(self.client, |entry| entry.joined = joined);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.shared.note(self.client, |entry| entry.messages += 1);
        if self.id != Some(conn.id()) {
            self.shared.fault(format!("client {}: a message of {}", self.client, conn.id()));
        }
        if let Some((code, reason)) = wish(&message) {
            return conn.close(code, &reason);
        }
        let was_open = conn.is_open();
        match &self.duty {
            Duty::Echo => {
                let sent = conn.send(message);
                self.sent(was_open, sent);
            }
            Duty::EchoInFragments => {
                let sent = self.send_in_fragments(conn, &message);
                self.sent(was_open, sent);
            }
            Duty::Room(topic) => {
                let published = conn.publish(topic, message.kind(), message.payload());
                let news = message.payload().to_vec();
                if self.shared.book().news.insert(news, published.offset).is_some() {
                    self.shared.fault(format!("client {}: a message came twice", self.client));
                }
            }
        }
    }

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        let _ = conn.send_text(&format!("missed {} of {}", gap.to - gap.from, gap.topic));
        self.shared.note(self.client, |entry| entry.missed += gap.to - gap.from);
    }

    fn drain(&mut self, _conn: &mut Conn<'_>) {
        self.shared.note(self.client, |entry| entry.drained += 1);
    }

    fn close(&mut self, connection: ConnectionId, closed: &Closed<'_>) {
        let open = self.shared.book().open.remove(&connection);
        if open != Some(self.client) {
            self.shared.fault(format!("client {}: {connection} ends and was not open", self.client));
        }
        self.shared.note(self.client, |entry| entry.closed.push((closed.number(), closed.clean)));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.book().handlers_alive -= 1;
    }
}

fn client(upgrade: &Upgrade<'_>) -> usize {
    upgrade.param("client").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// The server with all its routes.
///
/// | path | what it does |
/// | --- | --- |
/// | `/echo/{client}`, `/parts/{client}` | echoes, in one frame or in two fragments |
/// | `/room/{client}` | publishes to all that are there |
/// | `/later/{client}` | decided by [`decide`]; then as `/echo` |
/// | `/refused` | 403 |
/// | `/healthz`, `/mirror` | plain HTTP, GET and POST |
pub(crate) fn server(settings: Settings, shared: &Shared) -> Server {
    let policy = settings.slow_peer;
    // What a connection may have waiting is what it may be behind of the room.
    let retention = Retention { bytes: settings.high_water_bytes, ..Retention::default() };
    let behind = match policy {
        SlowPeer::Pause => Behind::Latest,
        SlowPeer::Drop => Behind::Skip,
        SlowPeer::Close => Behind::Close,
    };
    let rule = TopicRule { pattern: "news".into(), settings: TopicSettings { retention, behind } };
    let server = Server::new().settings(settings).topic_rules(vec![rule]);
    let room = Duty::Room(server.topic("news").expect("a name"));
    let member = |duty: Duty| {
        let shared = shared.clone();
        move |upgrade: Upgrade<'_>| -> Answer {
            let member = Member::new(client(&upgrade), duty.clone(), policy, &shared);
            upgrade.accept(member)
        }
    };
    let later = shared.clone();
    server
        .websocket("/echo/{client}", member(Duty::Echo))
        .websocket("/parts/{client}", member(Duty::EchoInFragments))
        .websocket("/room/{client}", member(room))
        .websocket("/refused", |upgrade| upgrade.reject(Response::text(403, "not you\n")))
        .websocket("/later/{client}", move |upgrade| {
            let (answer, deferred) = upgrade.defer();
            later.book().deferred.push(deferred);
            answer
        })
        .get("/healthz", |_| Response::text(200, "ok\n"))
        .post("/mirror", |request| Response::bytes(200, "application/octet-stream", request.body().to_vec()))
}

/// Decides a deferred upgrade as its query says: `accept`, `reject`, or by dropping it.
pub(crate) fn decide(deferred: Deferred, policy: SlowPeer, shared: &Shared) {
    let request = deferred.request();
    let client = request.path().rsplit('/').next().and_then(|number| number.parse().ok());
    match request.query() {
        Some("accept") => {
            deferred.accept(Member::new(client.unwrap_or(usize::MAX), Duty::Echo, policy, shared))
        }
        Some("reject") => deferred.reject(Response::text(403, "not you either\n")),
        _ => drop(deferred),
    }
}
