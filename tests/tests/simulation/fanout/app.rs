//! The application: a connection does with topics what its client's commands say, and answers each.
//!
//! | command | answer |
//! | --- | --- |
//! | `sub FILTER FORM now\|from\|last N` | `@sub FILTER FORM ID NEXT SHIFT` or `@already FILTER ID NEXT` |
//! | `unsub FILTER` | `@unsub FILTER true\|false` |
//! | `pub TOPIC LENGTH text\|binary`, `others ...` | none |
//! | `begin`, `end` | a message in fragments, that long open |
//! | `quit` | a Close |
//!
//! What was missed is told by `@missed FILTER FROM TO skip\|latest`.

use super::book::{self, FORMS, Filter, PATTERNS, Shared, TOPICS};
use crate::random::Random;
use std::time::Duration;
use wsring::{
    Behind, CloseCode, Closed, Conn, ConnectionId, DeflateOptions, Form, Framing, Gap, GapReason, Handler,
    Kind, Message, Observer, Pattern, Retention, Sent, Server, Settings, SharedDeflate, Start, Subscribed,
    Topic, TopicRule, TopicSettings,
};

/// Everything that there is to subscribe to.
#[derive(Clone)]
pub(crate) struct Stock {
    pub(crate) topics: Vec<Topic>,
    patterns: Vec<Pattern>,
    /// The same once more: another handle of each.
    patterns_again: Vec<Pattern>,
    forms: Vec<Form>,
    pub(crate) observer: Observer,
}

struct Subscriber {
    client: usize,
    /// This connection's own number.
    life: u64,
    stock: Stock,
    shared: Shared,
    is_in_fragments: bool,
    /// Answers that are due when no message in fragments is open.
    waiting: Vec<String>,
}

impl Subscriber {
    fn answer(&mut self, conn: &mut Conn<'_>, answer: String) {
        if self.is_in_fragments {
            return self.waiting.push(answer);
        }
        if conn.is_open() && conn.send_text(&answer) == Sent::Dropped {
            self.shared.fault(format!("client {}: {answer:?} was dropped", self.client));
        }
    }

    fn subscribe(&mut self, conn: &mut Conn<'_>, filter: Filter, form: usize, start: Start) {
        let shared = self.shared.clone();
        let chosen = self.stock.forms[form];
        let info = self.stock.topics.get(filter).map(Topic::info);
        let subscribed = match self.stock.topics.get(filter) {
            Some(topic) => conn.subscribe_with(topic, chosen, start),
            None => {
                let again =
                    if form < 2 + PATTERNS.len() { &self.stock.patterns } else { &self.stock.patterns_again };
                conn.subscribe_pattern(&again[filter - TOPICS.len()], chosen)
            }
        };
        let mut book = shared.book();
        let Subscribed { next, missed, already } = subscribed.clone();
        let live = book.live.entry(self.life).or_default();
        if already != live.contains_key(&filter) {
            let fault = format!("client {}: subscribed to {filter}: {subscribed:?}", self.client);
            book.faults.push(fault);
            return;
        }
        if already {
            let id = live[&filter];
            drop(book);
            return self.answer(conn, format!("@already {filter} {id} {next}"));
        }
        book.subscriptions += 1;
        let id = book.subscriptions;
        book.live.entry(self.life).or_default().insert(filter, id);
        if let Some(info) = info {
            let wanted = match start {
                Start::Now => info.head,
                Start::Offset(offset) => offset.min(info.head),
                Start::Last(messages) => info.head.saturating_sub(messages),
            };
            let is_asked_for = !matches!(start, Start::Last(_));
            let is_told = missed == (is_asked_for && next > wanted).then_some(wanted..next);
            // Of other forms and deflated there may be more or less.
            let is_as_published = form == 0 && conn.deflate().is_none();
            let is_kept = !is_as_published || next == wanted.max(info.oldest);
            let is_in_time = next >= wanted && next <= info.head;
            if !is_told || !is_kept || !is_in_time {
                book.faults.push(format!("{start:?} of {info:?} in form {form} gave {subscribed:?}"));
            }
        }
        let shift = (book.logs[filter].messages.len() as u64).wrapping_sub(next);
        // Offsets of a topic count from its first message, those of a pattern from when it was first used.
        let shift = if filter < TOPICS.len() { 0 } else { shift };
        drop(book);
        self.answer(conn, format!("@sub {filter} {form} {id} {next} {shift}"));
    }

    fn unsubscribe(&mut self, conn: &mut Conn<'_>, filter: Filter) -> bool {
        let was = match self.stock.topics.get(filter) {
            Some(topic) => conn.unsubscribe(topic),
            None => conn.unsubscribe_pattern(&self.stock.patterns[filter - TOPICS.len()]),
        };
        let known = self.shared.book().live.entry(self.life).or_default().remove(&filter).is_some();
        if was != known {
            self.shared.fault(format!("client {}: was subscribed to {filter}: {was}", self.client));
        }
        was
    }

    /// What waits for the end of a message in fragments, or for the next command.
    fn answer_what_waits(&mut self, conn: &mut Conn<'_>) {
        if !self.is_in_fragments {
            std::mem::take(&mut self.waiting).into_iter().for_each(|answer| self.answer(conn, answer));
        }
    }

    fn publish(&mut self, conn: &mut Conn<'_>, topic: usize, length: usize, kind: Kind, to_others: bool) {
        let payload = self.shared.book().payload(length);
        let of = &self.stock.topics[topic];
        let published = match to_others {
            true => conn.publish_to_others(of, kind, &payload),
            false => conn.publish(of, kind, &payload),
        };
        let mut book = self.shared.book();
        book.published(topic, published.offset, kind, payload, conn.now());
        let own = book.live.get(&self.life).and_then(|live| live.get(&topic)).copied();
        if let Some(publication) = book.publications.last_mut() {
            publication.spares = own.filter(|_| to_others);
        }
    }

    fn fragment(&mut self, conn: &mut Conn<'_>, begin: bool) {
        if begin == self.is_in_fragments {
            return;
        }
        let text: &[u8] = if begin { b"@frag" } else { b"ment" };
        let sent = conn.send_fragment(begin.then_some(Kind::Text), !begin, text);
        if sent == Sent::Dropped && conn.is_open() {
            self.shared.fault(format!("client {}: a fragment was dropped", self.client));
        }
        self.is_in_fragments = begin;
        self.answer_what_waits(conn);
    }
}

impl Handler for Subscriber {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let text = message.text().unwrap_or_default().to_owned();
        self.answer_what_waits(conn);
        let words: Vec<&str> = text.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
        match words[0] {
            "sub" => {
                let start = match words[3] {
                    "now" => Start::Now,
                    "from" => Start::Offset(number(4) as u64),
                    _ => Start::Last(number(4) as u64),
                };
                self.subscribe(conn, number(1), number(2), start);
            }
            "unsub" => {
                let was = self.unsubscribe(conn, number(1));
                self.answer(conn, format!("@unsub {} {was}", number(1)));
            }
            "pub" | "others" => {
                let kind = if words[3] == "text" { Kind::Text } else { Kind::Binary };
                self.publish(conn, number(1), number(2), kind, words[0] == "others");
            }
            "begin" => self.fragment(conn, true),
            "end" => self.fragment(conn, false),
            "quit" => conn.close(CloseCode::new(4000).unwrap_or(CloseCode::NORMAL), "as you wish"),
            _ => self.shared.fault(format!("client {} says {text:?}", self.client)),
        }
    }

    fn missed(&mut self, conn: &mut Conn<'_>, gap: &Gap<'_>) {
        let names = TOPICS.iter().chain(&PATTERNS);
        let Some(filter) = names.into_iter().position(|name| *name == gap.topic) else {
            return self.shared.fault(format!("{gap:?}"));
        };
        let (place, reason) = match gap.reason {
            GapReason::Skip => (0, "skip"),
            GapReason::Latest => (1, "latest"),
        };
        self.shared.book().logs[filter].missed[place] += gap.to.saturating_sub(gap.from);
        let word = format!("@missed {filter} {} {} {reason}", gap.from, gap.to);
        if !gap.to.is_multiple_of(4) {
            return self.answer(conn, word);
        }
        // Has enough of everything, without a word for now: what it is being sent stays where it lies.
        self.waiting.push(word);
        conn.set_timer(Some(Duration::from_millis(100)));
        for filter in 0..TOPICS.len() + PATTERNS.len() {
            let is_live =
                self.shared.book().live.get(&self.life).is_some_and(|live| live.contains_key(&filter));
            if is_live && self.unsubscribe(conn, filter) {
                self.waiting.push(format!("@unsub {filter} true"));
            }
        }
    }

    fn timer(&mut self, conn: &mut Conn<'_>) {
        self.answer_what_waits(conn);
    }

    fn close(&mut self, _: ConnectionId, _: &Closed<'_>) {
        self.shared.book().live.remove(&self.life);
    }
}

/// The server, and what there is to subscribe to.
pub(crate) fn server(settings: Settings, random: &mut Random, shared: &Shared) -> (Server, Stock) {
    let rules: Vec<TopicRule> = TOPICS
        .iter()
        .chain(&PATTERNS)
        .map(|name| TopicRule { pattern: (*name).into(), settings: topic_settings(random) })
        .collect();
    let is_pressed = random.percent(10);
    let server = Server::new().settings(settings).topic_rules(rules.clone());
    let server = if is_pressed { server.retained_bytes_max(8_000) } else { server };
    let server = compressing(server, random);
    let mut book = shared.book();
    book.is_pressed = is_pressed;
    book.logs = rules
        .into_iter()
        .map(|rule| book::Log { settings: rule.settings, messages: Vec::new(), missed: [0; 2] })
        .collect();
    drop(book);
    let mut forms = vec![Form::PUBLISHED];
    for form in 1..FORMS {
        let framing = if book::kind_of(form) == Kind::Text { Framing::Text } else { Framing::Binary };
        forms.push(server.form(framing, move |publication, out| {
            book::encode(form, publication.topic, publication.offset, publication.payload, out);
        }));
    }
    let publisher = server.publisher();
    let pattern = |pattern: &&str| publisher.pattern(pattern).expect("a pattern");
    let stock = Stock {
        topics: TOPICS.iter().map(|name| server.topic(name).expect("a name")).collect(),
        patterns: PATTERNS.iter().map(pattern).collect(),
        patterns_again: PATTERNS.iter().map(pattern).collect(),
        forms,
        observer: server.observer(),
    };
    let (shared, stocked) = (shared.clone(), stock.clone());
    let server = server.websocket("/{client}", move |upgrade| {
        let client = upgrade.param("client").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
        let (stock, shared) = (stocked.clone(), shared.clone());
        shared.book().lives += 1;
        let life = shared.book().lives;
        upgrade.accept(Subscriber {
            client,
            life,
            stock,
            shared,
            is_in_fragments: false,
            waiting: Vec::new(),
        })
    });
    (server, stock)
}

/// Compression, for those who offer it, in any way; mostly.
fn compressing(server: Server, random: &mut Random) -> Server {
    if random.percent(20) {
        return server;
    }
    let (level, bytes_min) = (random.pick(&[1, 6]), random.pick(&[0, 30, 64, 200]));
    let (server_takeover, server_window_bits) = (random.percent(60), random.pick(&[8, 10, 12, 15, 15]));
    let options =
        DeflateOptions { server_takeover, server_window_bits, level, bytes_min, ..DeflateOptions::default() };
    let window_bits = random.pick(&[8, 9, 12, 12, 15]);
    let bytes_min = random.pick(&[0, 64, 1_000]);
    server.deflate(options).shared_deflate(SharedDeflate { window_bits, level, bytes_min })
}

fn topic_settings(random: &mut Random) -> TopicSettings {
    let retention = Retention {
        bytes: random.pick(&[1, 700, 3_000, 20_000, 1 << 20, 1 << 20]),
        messages: random.pick(&[1, 4, 60, u64::MAX, u64::MAX, u64::MAX]),
        age: random.pick(&book::AGES).map(|age: Duration| age),
    };
    TopicSettings {
        retention,
        behind: random.pick(&[Behind::Skip, Behind::Skip, Behind::Latest, Behind::Close]),
    }
}
