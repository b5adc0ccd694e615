//! Topics: what is published reaches all subscribers, on all shards, and stays for those that come later.
//!
//! A topic is a log. Each message gets the next offset and is appended once, as the frame that goes out;
//! every shard reads it where it lies. A subscription is a place in the log: sending to a subscriber means
//! sending the bytes from its place to the end, one message when it is quiet and many when it is not. So
//! nothing is queued for a subscriber that is slow, and what retention drops before it got there, it has
//! missed. Subscribers that have agreed on compression read a second variant of the log, in which each message
//! is deflated: once, by whoever publishes it. `docs/fan-out.md` draws all this; read [`log`] first, then `shard/fanout`.

#[cfg(test)]
mod deflating;
mod form;
pub(crate) mod log;
mod name;
mod patterns;
mod publisher;
#[cfg(test)]
mod races;
mod records;
pub(crate) mod registry;
mod settings;
mod shared;
mod stream;
mod streams;
mod subscribe;

pub(crate) use form::Encoding;
pub use form::{Form, Framing, Publication};
pub use log::Missed;
pub use name::TopicError;
pub use publisher::{Pattern, Published, Publisher, Topic, TopicInfo};
pub use settings::{Behind, Retention, TopicRule, TopicSettings};
pub use shared::{Deflated, SharedDeflate};
pub use subscribe::{Gap, GapReason, Start, Subscribed};
