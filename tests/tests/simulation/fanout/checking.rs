//! What comes is compared with what is due.

use super::book::{self, Filter, TOPICS};
use super::client::{Client, Subscription};
use crate::wire::{BINARY, TEXT};
use wsring::{Behind, Kind};
use wsring_io::Time;

impl Client {
    /// An answer of the application.
    pub(super) fn answered(&mut self, text: &str, now: Time) {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let filter = number(1) as Filter;
        let known = self.connected().subscriptions.get(&filter).copied();
        match (words[0], known) {
            ("@sub", None) => {
                let (form, id, next, shift) = (number(2) as usize, number(3), number(4), number(5));
                let subscription = Subscription { form, id, next, shift };
                self.connected().subscriptions.insert(filter, subscription);
            }
            // What is on its way comes before the answer.
            ("@already", Some(known)) if known.id == number(2) && self.is_due(filter, &known, number(3)) => {}
            ("@unsub", known) if known.is_some() == (words[2] == "true") => {
                self.connected().subscriptions.remove(&filter);
            }
            ("@missed", Some(known)) => self.missed(filter, known, number(2)..number(3), words[4], now),
            ("@fragment", _) => {}
            _ => self.fail(&format!("{text:?} came")),
        }
    }

    /// Whether everything from what came last up to an offset was left out.
    fn is_due(&self, filter: Filter, subscription: &Subscription, offset: u64) -> bool {
        let book = self.shared.book();
        let log = &book.logs[filter];
        let spared = |offset: u64| {
            let number = log.messages[offset.wrapping_add(subscription.shift) as usize];
            book.publications[number].spares == Some(subscription.id)
        };
        let head = (log.messages.len() as u64).wrapping_sub(subscription.shift);
        offset >= subscription.next && offset <= head && (subscription.next..offset).all(spared)
    }

    fn missed(
        &mut self,
        filter: Filter,
        known: Subscription,
        gap: std::ops::Range<u64>,
        reason: &str,
        now: Time,
    ) {
        let book = self.shared.book();
        let behind = book.logs[filter].settings.behind;
        let first = gap.start.wrapping_add(known.shift) as usize;
        let head = (book.logs[filter].messages.len() as u64).wrapping_sub(known.shift);
        let is_right = matches!((behind, reason), (Behind::Skip, "skip") | (Behind::Latest, "latest"));
        let is_sound = !gap.is_empty() && gap.end <= head && book.may_be_gone(filter, first, now);
        let settings = book.logs[filter].settings.clone();
        drop(book);
        if !is_right || !is_sound || !self.is_due(filter, &known, gap.start) {
            self.fail(&format!("missed {gap:?} of {filter}, {reason}, head {head}, {settings:?}"));
        }
        let count = gap.end - gap.start;
        if reason == "skip" {
            self.sums.skipped += count
        } else {
            self.sums.conflated += count
        }
        self.advance(filter, gap.end);
    }

    pub(super) fn message(&mut self, opcode: u8, payload: &[u8]) {
        let shared = self.shared.clone();
        let book = shared.book();
        let text = || String::from_utf8_lossy(payload).chars().take(60).collect::<String>();
        let Some((form, number, filter)) = book::identify(payload, &book) else {
            self.fail(&format!("{:?} was never published", text()));
        };
        let publication = &book.publications[number];
        let (kind, whole) = book::encoded(form, publication);
        let wanted = if kind == Kind::Text { TEXT } else { BINARY };
        if whole != payload || opcode != wanted {
            self.fail(&format!("{:?} is not what was published", text()));
        }
        let Some(known) = self.connected().subscriptions.get(&filter).copied().filter(|it| it.form == form)
        else {
            self.fail(&format!("{:?} is not subscribed to in form {form}", text()));
        };
        let messages = &book.logs[filter].messages;
        let from = known.next.wrapping_add(known.shift) as usize;
        let at = messages.iter().skip(from).position(|other| *other == number);
        let Some(offset) = at.map(|at| known.next + at as u64) else {
            self.fail(&format!("{:?} came again, or before its turn", text()));
        };
        if publication.spares == Some(known.id) {
            self.fail(&format!("{:?} is its own", text()));
        }
        let due: Vec<_> = messages[from..]
            .iter()
            .take(3)
            .map(|number| (number, book.publications[*number].spares))
            .collect();
        let _due = format!("{due:?}");
        drop(book);
        if !self.is_due(filter, &known, offset) {
            self.fail(&format!("{:?} came at {offset}, with {filter} at {}", text(), known.next));
        }
        self.sums.left_out += offset - known.next;
        self.sums.delivered += 1;
        self.sums.hash = (self.sums.hash ^ number as u64).wrapping_mul(0x100_0000_01B3);
        self.advance(filter, offset + 1);
    }

    fn advance(&mut self, filter: Filter, next: u64) {
        if let Some(subscription) = self.connected().subscriptions.get_mut(&filter) {
            subscription.next = next;
        }
        if filter < TOPICS.len() {
            self.marks.insert(filter, next);
        }
    }

    /// Everything that was published has come, or word of it, or it was not to.
    pub(crate) fn check_all(&self) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.is_open()) else { return };
        for (filter, subscription) in &connection.subscriptions {
            let head = self.shared.book().logs[*filter].messages.len() as u64;
            if !self.is_due(*filter, subscription, head.wrapping_sub(subscription.shift)) {
                self.fail(&format!("{filter} has not come further, of {head}"));
            }
        }
        if connection.pongs > 0
            || !connection.reader.as_ref().is_some_and(|reader| reader.is_between_messages())
        {
            self.fail("something is still to come");
        }
    }

    /// Topics that it is subscribed to.
    pub(crate) fn topics(&self) -> Vec<Filter> {
        let subscriptions = self.connection.iter().flat_map(|connection| connection.subscriptions.keys());
        subscriptions.copied().filter(|filter| *filter < TOPICS.len()).collect()
    }
}
