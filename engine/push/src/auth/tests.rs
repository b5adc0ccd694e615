//! Tokens, keys and rights, from the configuration to the answer.

use super::vectors::*;
use super::*;
use crate::protocol::Code;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const API_KEY: &str = "api-key-0123456789";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn hs256() -> Auth {
    Auth { jwt_hs256_secret: Some(HS256_SECRET.into()), jwt_expiry_required: true, ..Auth::default() }
}

fn token(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(HS256_SECRET.as_bytes()))
        .unwrap()
}

fn identify(access: &Access, token: &str) -> Result<Identity, Denied> {
    access.identify(&Credentials::Bearer(token.into()))
}

/// A file that is gone after the test.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wsring-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> Option<String> {
        Some(self.0.to_str().unwrap().to_owned())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn each_key_takes_the_tokens_of_its_algorithm_alone() {
    let (rsa, ed) = (File::new("rsa.pub", RSA_PUBLIC), File::new("ed.pub", ED_PUBLIC));
    let secret = File::new("secret", &format!("{HS256_SECRET}\n"));
    let base = || Auth { jwt_expiry_required: true, ..Auth::default() };
    let checks = [
        ("HS256", hs256()),
        ("HS256", Auth { jwt_hs256_secret_file: secret.name(), ..base() }),
        ("RS256", Auth { jwt_rs256_public_key_file: rsa.name(), ..base() }),
        ("EdDSA", Auth { jwt_eddsa_public_key_file: ed.name(), ..base() }),
    ];
    let tokens = [
        ("HS256", HS256),
        ("RS256", RS256),
        ("EdDSA", EDDSA),
        ("none of them", HS256_BY_RSA_PUBLIC),
        ("none of them", NONE),
    ];
    for (algorithm, auth) in checks {
        let access = Access::new(&auth).unwrap();
        for (signed, token) in tokens {
            let identity = identify(&access, token);
            assert_eq!(identity.is_ok(), algorithm == signed, "{algorithm} {signed}: {identity:?}");
            let Ok(identity) = identity else { continue };
            assert_eq!(identity.subject.as_deref(), Some("reader"));
            assert_eq!(identity.expires, Some(4_102_444_800 + token::LEEWAY_SECONDS));
            assert!(identity.rights.may_subscribe("news/+") && identity.rights.may_publish("rooms/7"));
            assert!(!identity.rights.may_subscribe("rooms/7") && !identity.rights.may_publish("news/a"));
            let mut changed = token.to_owned().into_bytes();
            let at = changed.len() - 20;
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let denied = identify(&access, std::str::from_utf8(&changed).unwrap()).unwrap_err();
            assert!(denied.message.contains("not signed with the key"), "{denied:?}");
        }
    }
}

#[test]
fn claims_are_checked_and_what_is_wrong_is_said() {
    let access = Access::new(&hs256()).unwrap();
    let later = now() + 1000;
    let table = [
        (json!({"exp": later}), None),
        (json!({"exp": later as f64 + 0.5, "nbf": now() - 10, "aud": "anybody"}), None),
        (json!({"exp": now() - 1}), None), // within the leeway
        (json!({"exp": now() - 60}), Some("the token has expired")),
        (json!({"nbf": now() + 60, "exp": later}), Some("the token is not valid yet (nbf)")),
        (json!({}), Some("the token has no claim exp")),
        (json!({"exp": "soon"}), Some("the token's claim")),
        (json!({"exp": later, "subscribe": 3}), Some("the token's claims are not as expected")),
        (json!({"exp": later, "subscribe": ["a#"]}), Some("the token's claim subscribe has \"a#\"")),
        (json!({"exp": later, "publish": ["a", ""]}), Some("the token's claim publish has \"\"")),
    ];
    for (claims, expected) in table {
        let result = identify(&access, &token(&claims));
        match expected {
            None => assert!(result.is_ok(), "{claims}: {result:?}"),
            Some(text) => {
                let denied = result.unwrap_err();
                assert!(denied.message.contains(text), "{claims}: {denied:?}");
                assert_eq!(denied.code, Code::BadToken);
            }
        }
    }
    for token in ["", "a", "a.b.c", "a.b.c.d", &"x".repeat(10_000)] {
        assert_eq!(identify(&access, token).unwrap_err().code, Code::BadToken, "{token}");
    }
}

#[test]
fn audience_issuer_and_expiry_are_asked_for_as_configured() {
    let auth = Auth {
        jwt_audience: Some("push".into()),
        jwt_issuer: Some("https://a.example".into()),
        jwt_expiry_required: false,
        ..hs256()
    };
    let access = Access::new(&auth).unwrap();
    let table = [
        (json!({"aud": "push", "iss": "https://a.example"}), true),
        (json!({"aud": ["x", "push"], "iss": "https://a.example"}), true),
        (json!({"aud": "x", "iss": "https://a.example"}), false),
        (json!({"aud": "push", "iss": "x"}), false),
        (json!({"iss": "https://a.example"}), false),
        (json!({"aud": "push"}), false),
        (json!({"aud": "push", "iss": "https://a.example", "exp": 1}), false),
    ];
    for (claims, good) in table {
        assert_eq!(identify(&access, &token(&claims)).is_ok(), good, "{claims}");
    }
}

#[test]
fn without_authentication_everybody_may_do_everything() {
    let access = Access::new(&Auth::default()).unwrap();
    for credentials in [Credentials::None, Credentials::Bearer("x".into()), Credentials::ApiKey("y".into())] {
        let identity = access.identify(&credentials).unwrap();
        assert!(
            !identity.is_known && identity.ask_subscribe("#").is_ok() && identity.ask_publish("a/b").is_ok()
        );
    }
}

#[test]
fn with_authentication_nobody_may_do_anything_without_a_token() {
    let access = Access::new(&hs256()).unwrap();
    let nobody = access.identify(&Credentials::None).unwrap();
    let denied = nobody.ask_subscribe("a").unwrap_err();
    assert_eq!(
        (denied.code.status(), denied.message.as_str()),
        (401, "without a token nobody may subscribe to \"a\"")
    );
    let somebody = identify(&access, HS256).unwrap();
    let denied = somebody.ask_publish("a\n").unwrap_err();
    assert_eq!(
        (denied.code.status(), denied.message.as_str()),
        (403, "this token may not publish to \"a\\n\"")
    );
    let auth = Auth { anonymous_subscribe: Some(vec!["public/#".into()]), ..hs256() };
    let nobody = Access::new(&auth).unwrap().identify(&Credentials::None).unwrap();
    assert!(nobody.ask_subscribe("public/+").is_ok() && nobody.ask_publish("public/a").is_err());
}

#[test]
fn api_keys_publish() {
    let file = File::new("keys", "# services\nanother-key-0123456789\n\n");
    let auth = Auth { api_keys: vec![API_KEY.into()], api_keys_file: file.name(), ..Auth::default() };
    let access = Access::new(&auth).unwrap();
    for key in [API_KEY, "another-key-0123456789"] {
        for credentials in [Credentials::Bearer(key.into()), Credentials::ApiKey(key.into())] {
            let identity = access.identify(&credentials).unwrap();
            assert!(
                identity.is_known
                    && identity.ask_publish("a").is_ok()
                    && identity.ask_subscribe("a").is_err()
            );
        }
    }
    for key in ["", "# services", &API_KEY[1..], &format!("{API_KEY}x"), HS256] {
        assert!(access.identify(&Credentials::ApiKey(key.into())).is_err(), "{key}");
        assert!(access.identify(&Credentials::Bearer(key.into())).is_err(), "{key}");
    }
    assert!(!format!("{access:?}").contains(API_KEY));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let pem = File::new("wrong.pem", "no key");
    let auth = || Auth::default();
    let table = [
        (Auth { jwt_hs256_secret: Some("short".into()), ..auth() }, "auth.jwt_hs256_secret"),
        (Auth { api_keys: vec!["short".into()], ..auth() }, "auth.api_keys"),
        (Auth { api_keys_file: pem.name(), ..auth() }, "auth.api_keys_file"),
        (Auth { jwt_rs256_public_key_file: pem.name(), ..auth() }, "auth.jwt_rs256_public_key_file"),
        (Auth { jwt_eddsa_public_key_file: pem.name(), ..auth() }, "auth.jwt_eddsa_public_key_file"),
        (Auth { origins: Some(vec!["example.com".into()]), ..auth() }, "auth.origins"),
    ];
    for (auth, expected) in table {
        match Access::new(&auth).unwrap_err() {
            AuthFault::Value { key, .. } => assert_eq!(key, expected),
            fault => panic!("{expected}: {fault:?}"),
        }
    }
    let missing = Auth { jwt_eddsa_public_key_file: Some("no/such/file".into()), ..auth() };
    assert!(matches!(Access::new(&missing), Err(AuthFault::File { .. })));
    let two = Auth { jwt_rs256_public_key_file: pem.name(), ..hs256() };
    assert!(matches!(Access::new(&two), Err(AuthFault::Conflict { keys }) if keys.len() == 2));
}
