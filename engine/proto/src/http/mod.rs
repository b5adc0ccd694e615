//! HTTP/1.1 as far as a WebSocket server needs it: one strict reader of heads, one writer of answers.
//!
//! Owns the rules of RFC 9110 and RFC 9112 about request heads (lines, fields, targets, body framing)
//! and the writing of complete responses. It never reads a socket, never decodes a body and knows
//! nothing of WebSocket beyond the name in the Upgrade field; that is [`handshake`](crate::handshake).
//!
//! There is one reader and it is strict, because an upgrade is where a lenient parser and a proxy's
//! parser come to disagree about where a request ends: whatever is ambiguous is refused.
//!
//! The order of use: collect bytes until [`head_end`] finds the blank line (asking [`check_unfinished`]
//! while it does not), [`Request::parse`] the head, answer with a [`Response`]. Read [`Request`] and
//! [`Response`] first.

mod fault;
mod field;
mod head;
mod owned;
mod parse;
mod query;
mod refusal;
mod request;
mod response;
mod target;

pub(crate) use fault::{check_line_ends, shown};
pub use field::InvalidHeader;
pub(crate) use field::{Fields, Only, is_token, push_header, push_line};
pub use head::{HEADERS_MAX, HeadLimits, check_unfinished, head_end};
pub use owned::OwnedRequest;
pub use query::percent_decode;
pub use refusal::Refusal;
pub use request::{Body, Request, Version};
pub use response::{CONTINUE, Response, WriteAs};
pub(crate) use target::is_authority;
