//! JSON Web Tokens (RFC 7519): the signature by the one configured key, the claims by what stands here.

use super::Denied;
use super::rights::Rights;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// Clocks may differ by this much: tokens begin so much earlier and end so much later.
pub(crate) const LEEWAY_SECONDS: u64 = 5;

/// A shorter secret can be guessed from one token (RFC 7518 section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// A longer token is refused unread.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Checks tokens by one key. The algorithm is the key's, whatever a token says of itself.
pub(crate) struct TokenCheck {
    key: DecodingKey,
    validation: Validation,
    expiry_required: bool,
}

/// What a good token says.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) subject: Option<Box<str>>,
    pub(crate) rights: Rights,
    /// Seconds since 1970 at which it has expired, leeway included.
    pub(crate) expires: Option<u64>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    /// A NumericDate may have a fraction.
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    subscribe: Patterns,
    #[serde(default)]
    publish: Patterns,
}

/// One pattern or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Many(Vec<String>),
}

impl Default for Patterns {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Patterns {
    fn into_checked(self, claim: &'static str) -> Result<Vec<String>, Denied> {
        let patterns = match self {
            Self::One(pattern) => vec![pattern],
            Self::Many(patterns) => patterns,
        };
        match patterns.iter().find(|pattern| !crate::names::is_pattern(pattern)) {
            None => Ok(patterns),
            Some(wrong) => Err(Denied::bad_token(format!(
                "the token's claim {claim} has {:?}, which is no topic or pattern",
                wrong.chars().take(40).collect::<String>()
            ))),
        }
    }
}

impl TokenCheck {
    /// By a secret that the issuer shares.
    ///
    /// # Errors
    /// What is allowed.
    pub(crate) fn hs256(secret: &str) -> Result<Self, String> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(format!(
                "a secret of at least {SECRET_BYTES_MIN} bytes, as `openssl rand -hex 32` makes it"
            ));
        }
        Ok(Self::new(DecodingKey::from_secret(secret.as_bytes()), Algorithm::HS256))
    }

    /// By an RSA key.
    ///
    /// # Errors
    /// What is allowed.
    pub(crate) fn rs256(pem: &[u8]) -> Result<Self, String> {
        let allowed = |_| "an RSA public key in PEM form, as `openssl rsa -pubout` writes it".to_owned();
        Ok(Self::new(DecodingKey::from_rsa_pem(pem).map_err(allowed)?, Algorithm::RS256))
    }

    /// By an Ed25519 key.
    ///
    /// # Errors
    /// What is allowed.
    pub(crate) fn eddsa(pem: &[u8]) -> Result<Self, String> {
        let allowed = |_| "an Ed25519 public key in PEM form, as `openssl pkey -pubout` writes it".to_owned();
        Ok(Self::new(DecodingKey::from_ed_pem(pem).map_err(allowed)?, Algorithm::EdDSA))
    }

    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        Self { key, validation, expiry_required: true }
    }

    /// Also asks for an audience and an issuer, and may do without an expiry.
    pub(crate) fn demand(
        mut self,
        audience: Option<&str>,
        issuer: Option<&str>,
        expiry_required: bool,
    ) -> Self {
        self.expiry_required = expiry_required;
        let mut required = Vec::new();
        if expiry_required {
            required.push("exp");
        }
        if let Some(audience) = audience {
            self.validation.validate_aud = true;
            self.validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = issuer {
            self.validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        self.validation.set_required_spec_claims(&required);
        self
    }

    /// Checks signature and claims.
    ///
    /// # Errors
    /// The client's fault, or its issuer's.
    pub(crate) fn check(&self, token: &str) -> Result<Token, Denied> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Denied::bad_token(format!("the token is longer than {TOKEN_BYTES_MAX} bytes")));
        }
        let checked = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        let claims = checked.map_err(|error| self.denied(&error))?.claims;
        let rights = Rights::new(
            &claims.subscribe.into_checked("subscribe")?,
            &claims.publish.into_checked("publish")?,
        );
        let expires = claims.exp.map(|seconds| (seconds.max(0.0) as u64).saturating_add(LEEWAY_SECONDS));
        Ok(Token { subject: claims.sub.map(Into::into), rights, expires })
    }

    /// Says what is wrong without repeating what the token holds.
    fn denied(&self, error: &jsonwebtoken::errors::Error) -> Denied {
        let why = match error.kind() {
            ErrorKind::ExpiredSignature => return Denied::token_expired(),
            ErrorKind::ImmatureSignature => "the token is not valid yet (nbf)".into(),
            ErrorKind::InvalidSignature => "the token was not signed with the key of this server".into(),
            ErrorKind::InvalidAlgorithm => {
                format!(
                    "the token is not signed with {:?}, as this server wants it",
                    self.validation.algorithms[0]
                )
            }
            ErrorKind::MissingRequiredClaim(claim) => format!("the token has no claim {claim}"),
            ErrorKind::InvalidClaimFormat(claim) => format!("the token's claim {claim} has the wrong type"),
            ErrorKind::InvalidAudience => "the token is for another audience (aud)".into(),
            ErrorKind::InvalidIssuer => "the token is of another issuer (iss)".into(),
            ErrorKind::Json(_) => {
                "the token's claims are not as expected: sub is text, exp and nbf are numbers, \
                                   subscribe and publish are lists of topics or patterns"
                    .into()
            }
            _ => "the token is no JSON Web Token".into(),
        };
        Denied::bad_token(why)
    }
}

impl std::fmt::Debug for TokenCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCheck").field("validation", &self.validation).finish_non_exhaustive()
    }
}
