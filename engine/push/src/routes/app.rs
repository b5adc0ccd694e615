//! What all routes share, and the checks that each request passes first.

use crate::auth::{Access, Allowed, Credentials, Denied, Identity};
use crate::config::{Config, Limits};
use crate::metrics::Refusals;
use crate::names;
use crate::protocol::Code;
use crate::protocol::write;
use crate::rate::Rate;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use wsring::{Form, Observer, Publisher, Request, Response, Topic, TopicError};

/// The server's state apart from its connections. Routes and handlers hold it in an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) rate: Option<Rate>,
    pub(crate) publisher: Publisher,
    pub(crate) observer: Observer,
    pub(crate) refusals: Refusals,
    pub(crate) forms: Forms,
    draining: AtomicBool,
}

/// The encodings in which messages leave, beside the one they were published in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forms {
    /// As `wsring.v1` has it.
    pub(crate) json: Form,
    /// As server-sent events.
    pub(crate) events: Form,
}

/// A request that may go on to its route.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) identity: Identity,
    pub(crate) allowed: Allowed,
}

impl App {
    pub(crate) fn new(config: &Config, access: Access, server: &wsring::Server, forms: Forms) -> Self {
        Self {
            access,
            limits: config.limits.clone(),
            rate: Rate::new(config.limits.publishes_per_second, config.limits.publishes_burst),
            publisher: server.publisher(),
            observer: server.observer(),
            refusals: Refusals::default(),
            forms,
            draining: AtomicBool::new(false),
        }
    }

    /// From where it comes, and whose it is.
    ///
    /// # Errors
    /// The answer: the client's fault.
    pub(crate) fn admit(&self, request: &Request<'_>) -> Result<Admitted, Response> {
        let Some(allowed) = self.access.origin(request.origin(), request.host()) else {
            let origin = request.origin().unwrap_or_default().escape_debug();
            let message = format!("pages of {origin} may not use this server: it is not among auth.origins");
            return Err(self.refuse(&Denied { code: Code::BadOrigin, message }, &Allowed::Unasked));
        };
        match self.access.identify(&Credentials::of(request)) {
            Ok(identity) => Ok(Admitted { identity, allowed }),
            Err(denied) => Err(self.refuse(&denied, &allowed)),
        }
    }

    /// Answers with an error, and counts it.
    pub(crate) fn refuse(&self, denied: &Denied, allowed: &Allowed) -> Response {
        self.refusals.count(denied.code);
        let body = write::error_body(denied.code, &denied.message);
        let response = with_cors(Response::json(denied.code.status(), body), allowed);
        // RFC 9110 section 15.5.2 wants it, RFC 6750 section 3 says how.
        if denied.code.status() == 401 { with(response, "WWW-Authenticate", "Bearer") } else { response }
    }

    /// Checks a topic's name.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), Denied> {
        names::check_name(name, self.limits.name_bytes).map_err(|fault| bad_topic(name, &fault))
    }

    /// Checks a pattern.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn check_pattern(&self, pattern: &str) -> Result<(), Denied> {
        names::check_pattern(pattern, self.limits.name_bytes).map_err(|fault| bad_topic(pattern, &fault))
    }

    /// The topic of a name that was checked, made when there is none.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn topic(&self, name: &str) -> Result<Topic, Denied> {
        self.publisher.topic(name).map_err(denied)
    }

    /// A drain has begun.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

/// What the engine says of a name or pattern, in this server's terms.
pub(crate) fn denied(error: TopicError) -> Denied {
    match error {
        TopicError::TooMany { max, .. } => Denied {
            code: Code::ServerFull,
            message: format!("there are {max} already, as many as this server may have"),
        },
        wrong => Denied { code: Code::BadTopic, message: wrong.to_string() },
    }
}

/// Tells the browser that the page may read the answer.
pub(crate) fn with_cors(response: Response, allowed: &Allowed) -> Response {
    match allowed {
        Allowed::Unasked => response,
        Allowed::Origin(origin) => {
            with(with(response, "Access-Control-Allow-Origin", origin), "Vary", "Origin")
        }
    }
}

/// A response with one more header, unless that cannot be sent.
pub(crate) fn with(response: Response, name: &str, value: &str) -> Response {
    response.clone().header(name, value).unwrap_or(response)
}

/// A name in a message: whole if it is of a reasonable length.
fn shown(name: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 80;
    match name.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &name[..end])),
        None => Cow::Borrowed(name),
    }
}

fn bad_topic(name: &str, fault: &names::NameFault) -> Denied {
    let name = shown(name);
    Denied { code: Code::BadTopic, message: format!("\"{}\": {fault}", name.escape_debug()) }
}
