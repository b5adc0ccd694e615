//! What the handlers of all routes have in common: whose the connection is, until when, and how fast it
//! may publish.

use super::app::App;
use crate::auth::{Denied, Identity, Rights, TOKEN_EXPIRED};
use crate::protocol::Code;
use crate::rate::Bucket;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wsring::{CloseCode, Conn};

/// One connection's identity and allowance. Small: a server has very many.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) app: Arc<App>,
    rights: Arc<Rights>,
    is_known: bool,
    /// Seconds since 1970.
    expires: Option<NonZeroU64>,
    bucket: Bucket,
}

const _: () = assert!(size_of::<Session>() <= 40);

impl Session {
    pub(crate) fn new(app: &Arc<App>, identity: Identity) -> Self {
        let Identity { rights, expires, is_known, subject } = identity;
        if let Some(subject) = subject {
            tracing::debug!(subject, "connection of a known client");
        }
        Self {
            app: Arc::clone(app),
            rights,
            is_known,
            expires: expires.map(at_least_1),
            bucket: Bucket::FULL,
        }
    }

    /// The connection is open: its end is known.
    pub(crate) fn open(&self, conn: &mut Conn<'_>) {
        if let Some(expires) = self.expires {
            conn.set_timer(Some(Duration::from_secs(expires.get().saturating_sub(seconds_since_1970()))));
        }
    }

    /// The timer has rung: closes, if the time has come.
    pub(crate) fn timer(&self, conn: &mut Conn<'_>) {
        match self.expires {
            Some(expires) if expires.get() <= seconds_since_1970() => {
                self.app.refusals.count(Code::BadToken);
                conn.close(CloseCode::POLICY, TOKEN_EXPIRED);
            }
            // Timers reach less far than tokens may.
            _ => self.open(conn),
        }
    }

    /// Whether it may publish this much now.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn take(&mut self, conn: &Conn<'_>) -> Result<(), Denied> {
        let Some(rate) = self.app.rate else { return Ok(()) };
        self.bucket.take(rate, conn.now().0).map_err(|wait| Denied {
            code: Code::RateLimited,
            message: format!(
                "more messages than this server allows; try again in {} ms",
                wait.as_millis() + 1
            ),
        })
    }

    /// See [`Identity::ask_subscribe`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn ask_subscribe(&self, pattern: &str) -> Result<(), Denied> {
        self.rights.ask_subscribe(pattern, self.is_known)
    }

    /// See [`Identity::ask_publish`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn ask_publish(&self, topic: &str) -> Result<(), Denied> {
        self.rights.ask_publish(topic, self.is_known)
    }

    /// Closes a connection that has no other way to be told of an error.
    pub(crate) fn close(&self, conn: &mut Conn<'_>, denied: &Denied) {
        self.app.refusals.count(denied.code);
        conn.close(CloseCode::POLICY, &format!("{}: {}", denied.code.word(), denied.message));
    }
}

/// The first second of 1970 is as long ago as the one before.
fn at_least_1(seconds: u64) -> NonZeroU64 {
    NonZeroU64::new(seconds).unwrap_or(NonZeroU64::MIN)
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
