//! All forms of a log that are in use: as it was published always, the others while somebody reads them.

use super::form::{Form, Publication, header};
use super::log::Log;
use super::records::{Records, parse};
use super::registry::Registry;
use super::stream::{Room, Stream};
use std::sync::atomic::AtomicUsize;

/// When messages are deflated that were kept before anybody needed them so, it is the newest up to these bytes:
/// whoever subscribes waits for it, and so does the topic.
const DEFLATED_LATER_BYTES_MAX: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Streams {
    published: Stream,
    others: Vec<Other>,
}

/// A further form.
#[derive(Debug)]
struct Other {
    form: Form,
    /// Connections that get it, of the deflated variants: what is saved is saved for each of them.
    subscribers: u32,
    stream: Stream,
}

impl Streams {
    pub(super) fn find(&self, form: Form) -> Option<&Stream> {
        if form == Form::PUBLISHED {
            return Some(&self.published);
        }
        self.others.iter().find(|other| other.form == form).map(|other| &other.stream)
    }

    pub(super) fn find_mut(&mut self, form: Form) -> Option<&mut Stream> {
        if form == Form::PUBLISHED {
            return Some(&mut self.published);
        }
        self.other(form).map(|other| &mut other.stream)
    }

    fn other(&mut self, form: Form) -> Option<&mut Other> {
        self.others.iter_mut().find(|other| other.form == form)
    }

    /// Appends a message to each of them.
    pub(super) fn append(
        &mut self,
        publication: &Publication<'_>,
        next: u64,
        records: &mut Records,
        room: &Room<'_>,
        registry: &Registry,
    ) {
        let header = header(publication.kind.opcode(), publication.payload.len());
        self.published.append(&[&header, publication.payload], next, room);
        for Other { form, subscribers, stream } in &mut self.others {
            // Where nobody is left, nothing is deflated for those who may come back.
            let form = if stream.users == 0 { form.plain() } else { *form };
            records.make(form, publication, registry, |record| {
                stream.append(record.parts, next, room);
                if record.saved_bytes > 0 {
                    registry.saved(u64::from(*subscribers) * record.saved_bytes as u64);
                }
            });
        }
    }

    /// A shard reads a form from now on. If it is new here it begins with what the log has kept.
    pub(super) fn listen(&mut self, log: &Log, form: Form, next: u64, room: &Room<'_>, registry: &Registry) {
        if let Some(stream) = self.find_mut(form) {
            stream.users += 1;
        } else if form.plain() == Form::PUBLISHED || registry.encoding(form).is_some() {
            let mut stream = Stream::in_use();
            // Of which topics the messages of a pattern were is not known any more.
            if !log.is_pattern() {
                self.fill(&mut stream, log, form, next, room, registry);
            }
            self.others.push(Other { form, subscribers: 0, stream });
        }
    }

    /// Makes what is kept in a form that was not in use so far.
    fn fill(
        &self,
        stream: &mut Stream,
        log: &Log,
        form: Form,
        next: u64,
        room: &Room<'_>,
        registry: &Registry,
    ) {
        let (mut records, published) = (Records::default(), &self.published);
        let oldest = published.oldest(next, room.retention);
        let mut newer_bytes: usize = published.messages().map(|(.., frame)| frame.len()).sum();
        for (offset, now, frame) in published.messages() {
            newer_bytes -= frame.len();
            if offset < oldest {
                continue;
            }
            let (kind, payload) = parse(frame);
            let form = if newer_bytes > DEFLATED_LATER_BYTES_MAX { form.plain() } else { form };
            records.make(form, &log.publication(offset, kind, payload), registry, |record| {
                stream.append(record.parts, offset, &Room { now, ..*room });
            });
            records.clear();
        }
    }

    /// A shard has stopped to read a form.
    pub(super) fn unlisten(&mut self, form: Form) {
        if let Some(stream) = self.find_mut(form) {
            stream.users -= 1;
        }
    }

    /// One connection more gets a deflated variant.
    pub(super) fn subscribed(&mut self, form: Form) {
        if let Some(other) = self.other(form) {
            other.subscribers += 1;
        }
    }

    /// The reverse.
    pub(super) fn unsubscribed(&mut self, form: Form) {
        if let Some(other) = self.other(form) {
            other.subscribers -= 1;
        }
    }

    /// Whether somebody reads what is published deflated, as it was published.
    pub(super) fn deflates(&self) -> bool {
        self.find(Form::PUBLISHED.deflated()).is_some_and(|stream| stream.users > 0)
    }

    /// Drops what has become too old, and forms that nobody has read for a while.
    pub(super) fn look_after(&mut self, room: &Room<'_>) {
        self.published.expire(room);
        self.others.retain_mut(|Other { stream, .. }| {
            stream.expire(room);
            let unused = stream.users == 0;
            if unused && stream.was_unused {
                stream.clear(room.gauge);
                return false;
            }
            stream.was_unused = unused;
            true
        });
    }

    /// Whether any message is kept.
    pub(super) fn keeps_any(&self) -> bool {
        self.published.bytes() > 0
    }

    /// Whether anybody reads any of them.
    pub(super) fn is_read(&self) -> bool {
        !self.others.is_empty() || self.published.users > 0
    }

    /// Memory of all of them.
    pub(super) fn bytes(&self) -> usize {
        let others = self.others.iter().map(|other| other.stream.bytes());
        self.published.bytes() + others.sum::<usize>()
    }

    /// Drops everything.
    pub(super) fn clear(&mut self, gauge: &AtomicUsize) {
        self.published.clear(gauge);
        self.others.iter_mut().for_each(|other| other.stream.clear(gauge));
    }
}
