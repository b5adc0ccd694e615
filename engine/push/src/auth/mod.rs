//! Who may do what: [`Access`] turns the credentials of a request into an [`Identity`] with its
//! [`Rights`], and says which pages may ask at all.

mod credentials;
mod origin;
mod rights;
mod token;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub(crate) use credentials::Credentials;
pub(crate) use origin::{Allowed, Origins};
pub(crate) use rights::Rights;

use crate::config::Auth;
use crate::protocol::Code;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use token::TokenCheck;

/// A shorter key can be guessed.
const API_KEY_BYTES_MIN: usize = 16;

/// The keys, patterns and origins of the configuration. Shared by all routes.
#[derive(Debug)]
pub(crate) struct Access {
    tokens: Option<TokenCheck>,
    api_keys: ApiKeys,
    origins: Origins,
    anonymous: Arc<Rights>,
    api_rights: Arc<Rights>,
    is_configured: bool,
}

/// Who is asking.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) rights: Arc<Rights>,
    /// Seconds since 1970 at which the rights end.
    pub(crate) expires: Option<u64>,
    /// Whether a token or key was shown and accepted.
    pub(crate) is_known: bool,
    pub(crate) subject: Option<Box<str>>,
}

/// A request, or a command, is not allowed; the client's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthFault {
    /// With what is allowed.
    Value { key: &'static str, allowed: String },
    /// A file that cannot be read, and why.
    File { key: &'static str, file: String, cause: String },
    /// Settings of which there may be one.
    Conflict { keys: Vec<&'static str> },
}

impl Access {
    /// Reads the keys.
    ///
    /// # Errors
    /// The caller's fault: keys that cannot be read or used, or two where one is meant.
    pub(crate) fn new(auth: &Auth) -> Result<Self, AuthFault> {
        let is_configured = auth.is_configured();
        // Without authentication everybody may do everything; with it nobody may without a token,
        // unless the configuration says so.
        let everything = || if is_configured { Vec::new() } else { vec!["#".to_owned()] };
        let anonymous = Rights::new(
            &auth.anonymous_subscribe.clone().unwrap_or_else(everything),
            &auth.anonymous_publish.clone().unwrap_or_else(everything),
        );
        let origins = Origins::new(auth.origins.as_deref()).map_err(|_| AuthFault::Value {
            key: "auth.origins",
            allowed: "origins such as https://example.com or https://*.example.com, or *".into(),
        })?;
        Ok(Self {
            tokens: token_check(auth)?,
            api_keys: ApiKeys::new(auth)?,
            origins,
            anonymous: anonymous.into(),
            api_rights: Rights::of_api_key().into(),
            is_configured,
        })
    }

    /// Who shows these credentials.
    ///
    /// # Errors
    /// The client's fault: credentials that are not accepted. None at all are no error: there are
    /// rights without any.
    pub(crate) fn identify(&self, credentials: &Credentials<'_>) -> Result<Identity, Denied> {
        let (text, is_key) = match credentials {
            Credentials::None => return Ok(self.anonymous()),
            _ if !self.is_configured => return Ok(self.anonymous()),
            Credentials::Bearer(text) => (text, false),
            Credentials::ApiKey(text) => (text, true),
        };
        if self.api_keys.contains(text) {
            let rights = Arc::clone(&self.api_rights);
            return Ok(Identity { rights, expires: None, is_known: true, subject: None });
        }
        match &self.tokens {
            Some(tokens) if !is_key => {
                let token = tokens.check(text)?;
                let (rights, expires) = (Arc::new(token.rights), token.expires);
                Ok(Identity { rights, expires, is_known: true, subject: token.subject })
            }
            _ => Err(Denied::bad_token("the API key is not one of this server".into())),
        }
    }

    /// Whether a page of this origin may ask; `None` when not.
    pub(crate) fn origin(&self, origin: Option<&str>, host: Option<&str>) -> Option<Allowed> {
        self.origins.check(origin, host)
    }

    fn anonymous(&self) -> Identity {
        let rights = Arc::clone(&self.anonymous);
        Identity { rights, expires: None, is_known: false, subject: None }
    }

    /// Whether those without a token are told apart from those with one.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }
}

impl Identity {
    /// Asks for the right to subscribe to a topic or a pattern.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn ask_subscribe(&self, pattern: &str) -> Result<(), Denied> {
        self.rights.ask_subscribe(pattern, self.is_known)
    }

    /// Asks for the right to publish to a topic.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn ask_publish(&self, topic: &str) -> Result<(), Denied> {
        self.rights.ask_publish(topic, self.is_known)
    }

    /// Asks for the right to see figures of the whole server.
    ///
    /// # Errors
    /// The client's fault.
    pub(crate) fn ask_observe(&self) -> Result<(), Denied> {
        let message = "the figures of the whole server are for API keys and tokens that may subscribe to #";
        self.rights
            .may_observe()
            .then_some(())
            .ok_or_else(|| Denied::without_right(self.is_known, message.into()))
    }
}

impl Denied {
    pub(crate) fn bad_token(message: String) -> Self {
        Self { code: Code::BadToken, message }
    }

    /// A right that is not there: for those who are known 403, for the others 401.
    pub(crate) fn without_right(is_known: bool, message: String) -> Self {
        Self { code: if is_known { Code::Forbidden } else { Code::Unauthorized }, message }
    }

    pub(crate) fn token_expired() -> Self {
        Self { code: Code::BadToken, message: TOKEN_EXPIRED.into() }
    }
}

/// What a client is told whose token has run out, also when it closes a live connection.
pub(crate) const TOKEN_EXPIRED: &str = "the token has expired";

/// The keys, compared in constant time.
struct ApiKeys(Vec<Box<[u8]>>);

impl ApiKeys {
    fn new(auth: &Auth) -> Result<Self, AuthFault> {
        let mut keys: Vec<Box<[u8]>> = auth.api_keys.iter().map(|key| key.as_bytes().into()).collect();
        let short = |key: &'static str| AuthFault::Value {
            key,
            allowed: format!(
                "keys of at least {API_KEY_BYTES_MIN} bytes, as `openssl rand -hex 16` makes them"
            ),
        };
        if keys.iter().any(|key| key.len() < API_KEY_BYTES_MIN) {
            return Err(short("auth.api_keys"));
        }
        if let Some(file) = &auth.api_keys_file {
            let text = read("auth.api_keys_file", file)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            for line in lines {
                if line.len() < API_KEY_BYTES_MIN {
                    return Err(short("auth.api_keys_file"));
                }
                keys.push(line.as_bytes().into());
            }
        }
        Ok(Self(keys))
    }

    /// Compares with all of them, whichever matches, so that time tells nothing of the keys but their lengths.
    fn contains(&self, candidate: &str) -> bool {
        let equal = |key: &[u8]| key.ct_eq(candidate.as_bytes());
        self.0.iter().fold(subtle::Choice::from(0), |found, key| found | equal(key)).into()
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn token_check(auth: &Auth) -> Result<Option<TokenCheck>, AuthFault> {
    const SECRET: &str = "auth.jwt_hs256_secret";
    const SECRET_FILE: &str = "auth.jwt_hs256_secret_file";
    const RSA_FILE: &str = "auth.jwt_rs256_public_key_file";
    const ED_FILE: &str = "auth.jwt_eddsa_public_key_file";
    let given = [
        (SECRET, &auth.jwt_hs256_secret),
        (SECRET_FILE, &auth.jwt_hs256_secret_file),
        (RSA_FILE, &auth.jwt_rs256_public_key_file),
        (ED_FILE, &auth.jwt_eddsa_public_key_file),
    ];
    let given: Vec<_> = given.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))).collect();
    let (key, value) = match given[..] {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(AuthFault::Conflict { keys: given.iter().map(|(key, _)| *key).collect() }),
    };
    let check = match key {
        SECRET => TokenCheck::hs256(value),
        SECRET_FILE => TokenCheck::hs256(read(key, value)?.trim_end()),
        RSA_FILE => TokenCheck::rs256(read(key, value)?.as_bytes()),
        _ => TokenCheck::eddsa(read(key, value)?.as_bytes()),
    };
    let check = check.map_err(|allowed| AuthFault::Value { key, allowed })?;
    let (audience, issuer) = (auth.jwt_audience.as_deref(), auth.jwt_issuer.as_deref());
    Ok(Some(check.demand(audience, issuer, auth.jwt_expiry_required)))
}

fn read(key: &'static str, file: &str) -> Result<String, AuthFault> {
    let fault = |cause: std::io::Error| AuthFault::File { key, file: file.into(), cause: cause.to_string() };
    std::fs::read_to_string(file).map_err(fault)
}
