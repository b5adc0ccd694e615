//! One topic over a WebSocket: messages as they were published, or in JSON; what the client sends is
//! published.

use super::app::App;
use super::begin;
use super::session::Session;
use crate::protocol::{Begin, GapNotice, write};
use std::sync::Arc;
use wsring::{Answer, Conn, Form, Gap, Handler, Kind, Message, Topic, Upgrade};

/// Answers an opening handshake on `/topics/{name}`.
pub(crate) fn upgrade(app: &Arc<App>, upgrade: Upgrade<'_>) -> Answer {
    let name = upgrade.param("name").unwrap_or_default().into_owned();
    accept(app, upgrade, &name)
}

/// Answers one on `/broadcast`, which is a topic like others.
pub(crate) fn broadcast(app: &Arc<App>, upgrade: Upgrade<'_>) -> Answer {
    accept(app, upgrade, "broadcast")
}

fn accept(app: &Arc<App>, upgrade: Upgrade<'_>, name: &str) -> Answer {
    let admitted = match app.admit(upgrade.request()) {
        Ok(admitted) => admitted,
        Err(response) => return upgrade.reject(response),
    };
    let asked = app.check_name(name).and_then(|()| {
        admitted.identity.ask_subscribe(name)?;
        let begin = begin::of_query(upgrade.request())?;
        let is_json = is_json(&upgrade)?;
        Ok((app.topic(name)?, begin, is_json))
    });
    match asked {
        Ok((topic, begin, is_json)) => {
            let session = Session::new(app, admitted.identity);
            upgrade.accept(TopicSocket { session, topic, begin: Some(Box::new(begin)), is_json })
        }
        Err(denied) => upgrade.reject(app.refuse(&denied, &admitted.allowed)),
    }
}

fn is_json(upgrade: &Upgrade<'_>) -> Result<bool, crate::auth::Denied> {
    match upgrade.request().query_value("form").as_deref() {
        None | Some("published") => Ok(false),
        Some("json") => Ok(true),
        Some(_) => Err(begin::bad_query("form is published or json".into())),
    }
}

/// A connection to one topic.
struct TopicSocket {
    session: Session,
    topic: Topic,
    /// Until it is open; most connections live long after that.
    begin: Option<Box<Begin>>,
    is_json: bool,
}

const _: () = assert!(size_of::<TopicSocket>() <= 72);

impl Handler for TopicSocket {
    fn open(&mut self, conn: &mut Conn<'_>) {
        self.session.open(conn);
        let begin = self.begin.take().map_or(Begin::Now, |begin| *begin);
        let form = if self.is_json { self.session.app.forms.json } else { Form::PUBLISHED };
        let (subscribed, gap) = begin::subscribe(conn, &self.topic, form, begin);
        if self.is_json {
            let mut out = Vec::with_capacity(128);
            write::beginning(&mut out, self.topic.name(), self.topic.epoch(), subscribed.next, gap);
            let _ = conn.send_payload(Kind::Text, &out);
        } else if let Some(gap) = gap {
            tell(conn, self.topic.name(), gap);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let name = self.topic.name();
        match self.session.ask_publish(name).and_then(|()| self.session.take(conn)) {
            Ok(()) => {
                conn.publish(&self.topic, message.kind(), message.payload());
            }
            Err(denied) => self.session.close(conn, &denied),
        }
    }

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        tell(conn, gap.topic, GapNotice::of(gap));
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.session.timer(conn);
    }
}

/// Tells of a gap in a message of its own.
pub(crate) fn tell(conn: &mut Conn<'_>, topic: &str, gap: GapNotice) {
    let mut out = Vec::with_capacity(128);
    write::gap_notice(&mut out, topic, gap);
    let _ = conn.send_payload(Kind::Text, &out);
}
