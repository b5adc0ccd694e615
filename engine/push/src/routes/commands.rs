//! Many topics on one WebSocket: the protocol `wsring.v1`.

use super::app::{App, denied};
use super::begin;
use super::session::Session;
use super::socket::tell;
use crate::auth::Denied;
use crate::names::has_wildcard;
use crate::protocol::{Begin, Code, Command, GapNotice, Parser, write};
use std::cell::RefCell;
use std::sync::Arc;
use wsring::{Answer, CloseCode, Conn, Gap, Handler, Kind, Message, Upgrade};

/// The subprotocol. A client that offers none gets it all the same, one that offers others does not.
const SUBPROTOCOLS: &[&str] = &["wsring.v1"];

thread_local! {
    /// A shard is a thread, and reads one command at a time.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// What reading and answering commands takes, the same for all connections of a shard.
#[derive(Default)]
struct Buffers {
    parser: Parser,
    out: Vec<u8>,
}

/// Answers an opening handshake on `/ws`.
pub(crate) fn upgrade(app: &Arc<App>, upgrade: Upgrade<'_>) -> Answer {
    let admitted = match app.admit(upgrade.request()) {
        Ok(admitted) => admitted,
        Err(response) => return upgrade.reject(response),
    };
    let offers_any = upgrade.offered_subprotocols().next().is_some();
    let upgrade = upgrade.subprotocol(SUBPROTOCOLS);
    if offers_any && upgrade.chosen_subprotocol().is_none() {
        let message = "this path speaks the subprotocol wsring.v1, which is not among those offered".into();
        let denied = Denied { code: Code::BadQuery, message };
        return upgrade.reject(app.refuse(&denied, &admitted.allowed));
    }
    upgrade.accept(Commands { session: Session::new(app, admitted.identity) })
}

/// A connection that sends commands.
struct Commands {
    session: Session,
}

impl Handler for Commands {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.session.open(conn);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if message.kind() == Kind::Binary {
            return conn.close(CloseCode::UNSUPPORTED, "commands are text messages");
        }
        BUFFERS.with_borrow_mut(|Buffers { parser, out }| {
            out.clear();
            parser.command(message.payload(), |id, command| {
                let fault = |fault| Denied::from(fault);
                let done = command.map_err(fault).and_then(|command| self.act(conn, out, id, command));
                if let Err(denied) = done {
                    self.session.app.refusals.count(denied.code);
                    write::refusal(out, id, denied.code, &denied.message);
                }
            });
            // What every reader of JSON takes is UTF-8, and so is what it was made from.
            let _ = conn.send_payload(Kind::Text, out);
        });
    }

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        tell(conn, gap.topic, GapNotice::of(gap));
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.session.timer(conn);
    }
}

impl Commands {
    /// Does what is asked and writes the answer.
    fn act(
        &mut self,
        conn: &mut Conn<'_>,
        out: &mut Vec<u8>,
        id: Option<&[u8]>,
        command: Command<'_>,
    ) -> Result<(), Denied> {
        // A command that was read has an id.
        let id = id.unwrap_or(b"null");
        match command {
            Command::Ping => write::answer(out, id, |_| {}),
            Command::Publish { topic, data } => return self.publish(conn, out, id, topic, data),
            Command::Unsubscribe { topic } => {
                self.unsubscribe(conn, topic)?;
                write::answer(out, id, |_| {});
            }
            Command::Subscribe { topic, begin } if has_wildcard(topic) => {
                return self.subscribe_pattern(conn, out, id, topic, begin);
            }
            Command::Subscribe { topic, begin } => return self.subscribe(conn, out, id, topic, begin),
        }
        Ok(())
    }

    fn publish(
        &mut self,
        conn: &mut Conn<'_>,
        out: &mut Vec<u8>,
        id: &[u8],
        topic: &str,
        data: &[u8],
    ) -> Result<(), Denied> {
        self.session.app.check_name(topic)?;
        self.session.ask_publish(topic)?;
        self.session.take(conn)?;
        let topic = self.session.app.topic(topic)?;
        let published = conn.publish(&topic, Kind::Text, data);
        write::answer(out, id, |out| {
            write::published(out, published.offset, topic.epoch(), published.subscribers);
        });
        Ok(())
    }

    fn subscribe(
        &self,
        conn: &mut Conn<'_>,
        out: &mut Vec<u8>,
        id: &[u8],
        name: &str,
        begin: Begin,
    ) -> Result<(), Denied> {
        let app = &self.session.app;
        app.check_name(name)?;
        self.session.ask_subscribe(name)?;
        let topic = app.topic(name)?;
        if self.is_full(conn) && !conn.is_subscribed(&topic) {
            return Err(self.too_many());
        }
        let (subscribed, gap) = begin::subscribe(conn, &topic, app.forms.json, begin);
        write::answer(out, id, |out| {
            write::subscribed(out, name, Some((topic.epoch(), subscribed.next)), gap, subscribed.already);
        });
        Ok(())
    }

    fn subscribe_pattern(
        &self,
        conn: &mut Conn<'_>,
        out: &mut Vec<u8>,
        id: &[u8],
        pattern: &str,
        begin: Begin,
    ) -> Result<(), Denied> {
        let app = &self.session.app;
        app.check_pattern(pattern)?;
        self.session.ask_subscribe(pattern)?;
        if begin != Begin::Now {
            let message =
                "a pattern has no offsets and keeps nothing: from and history are for topics".into();
            return Err(Denied { code: Code::BadCommand, message });
        }
        if self.is_full(conn) && !conn.subscribed().iter().any(|name| name == pattern) {
            return Err(self.too_many());
        }
        let handle = app.publisher.pattern(pattern).map_err(denied)?;
        let subscribed = conn.subscribe_pattern(&handle, app.forms.json);
        write::answer(out, id, |out| write::subscribed(out, pattern, None, None, subscribed.already));
        Ok(())
    }

    fn unsubscribe(&self, conn: &mut Conn<'_>, name: &str) -> Result<(), Denied> {
        let app = &self.session.app;
        app.check_pattern(name)?;
        let was_subscribed = match has_wildcard(name) {
            true => {
                let pattern = app.publisher.pattern(name).map_err(denied)?;
                conn.unsubscribe_pattern(&pattern)
            }
            false => app.publisher.find(name).is_some_and(|topic| conn.unsubscribe(&topic)),
        };
        let message = || format!("this connection is not subscribed to \"{}\"", name.escape_debug());
        was_subscribed.then_some(()).ok_or_else(|| Denied { code: Code::NotSubscribed, message: message() })
    }

    fn is_full(&self, conn: &Conn<'_>) -> bool {
        conn.subscriptions() >= self.session.app.limits.topics_per_connection
    }

    fn too_many(&self) -> Denied {
        let max = self.session.app.limits.topics_per_connection;
        let message = format!("one connection subscribes to at most {max} topics and patterns");
        Denied { code: Code::TooManyTopics, message }
    }
}
