//! A request that outlives the buffer it came in.

use super::field::Fields;
use super::target::Target;
use super::{Body, HEADERS_MAX, Request, Version};

/// A checked request head with its own copy of the text, to be sent to another thread or kept until a
/// decision is made. It comes from [`Request::to_owned_request`]; ask it by [`request`](Self::request).
#[derive(Clone, Debug)]
pub struct OwnedRequest {
    /// Method, target and all header names, end to end.
    text: Box<str>,
    /// All header values, end to end.
    values: Box<[u8]>,
    method_bytes: usize,
    target_bytes: usize,
    /// Per header the lengths of name and value.
    header_bytes: Box<[(usize, usize)]>,
    version: Version,
    body: Body,
}

impl Request<'_> {
    /// A copy that does not borrow the bytes the request was parsed from.
    pub fn to_owned_request(&self) -> OwnedRequest {
        let mut text = String::from(self.method);
        text.push_str(self.target.whole);
        let mut values = Vec::new();
        for (name, value) in self.headers() {
            text.push_str(name);
            values.extend_from_slice(value);
        }
        OwnedRequest {
            text: text.into(),
            values: values.into(),
            method_bytes: self.method.len(),
            target_bytes: self.target.whole.len(),
            header_bytes: self.headers().map(|(name, value)| (name.len(), value.len())).collect(),
            version: self.version,
            body: self.body,
        }
    }
}

impl OwnedRequest {
    /// The request, borrowed from here; costs one pass over its headers and parses nothing again.
    pub fn request(&self) -> Request<'_> {
        let (method, text) = self.text.split_at(self.method_bytes);
        let (target, mut names) = text.split_at(self.target_bytes);
        let mut values = &*self.values;
        let mut list = [httparse::EMPTY_HEADER; HEADERS_MAX];
        for (header, &(name_bytes, value_bytes)) in list.iter_mut().zip(&self.header_bytes) {
            (header.name, names) = names.split_at(name_bytes);
            (header.value, values) = values.split_at(value_bytes);
        }
        Request {
            method,
            target: Target::split(target),
            version: self.version,
            fields: Fields::new(list, self.header_bytes.len()),
            body: self.body,
        }
    }
}
