//! Which pages of browsers may use this server. A browser names the page's origin (RFC 6454) with every
//! handshake (RFC 6455 section 10.2) and every request from another site; who names none is no browser,
//! and nobody else would tell the truth.

/// The origins that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    /// Pages of the host that the request is for, whatever their port; on loopback all of loopback.
    SameHost,
    All,
    Listed(Vec<String>),
}

/// What an answer says to the browser (the Fetch standard, section 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// No browser asks.
    Unasked,
    /// The value of Access-Control-Allow-Origin.
    Origin(String),
}

impl Origins {
    /// From the configuration.
    ///
    /// # Errors
    /// The entry that is no origin.
    pub(crate) fn new(configured: Option<&[String]>) -> Result<Self, String> {
        let Some(configured) = configured else { return Ok(Self::SameHost) };
        if configured.iter().any(|origin| origin == "*") {
            return Ok(Self::All);
        }
        let normal = |origin: &String| {
            let origin = origin.trim_end_matches('/').to_ascii_lowercase();
            let host = origin.split_once("://").map(|(_, host)| host);
            let right = origin == "null" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
            if right { Ok(origin) } else { Err(origin) }
        };
        configured.iter().map(normal).collect::<Result<_, _>>().map(Self::Listed)
    }

    /// Whether a request with this Origin, for this Host, may be served; `None` when not.
    pub(crate) fn check(&self, origin: Option<&str>, host: Option<&str>) -> Option<Allowed> {
        let Some(origin) = origin else { return Some(Allowed::Unasked) };
        let allowed = match self {
            Self::All => return Some(Allowed::Origin("*".into())),
            Self::SameHost => host.is_some_and(|host| is_same_host(origin, host)),
            Self::Listed(list) => {
                let origin = origin.to_ascii_lowercase();
                list.iter().any(|entry| matches(entry, &origin))
            }
        };
        allowed.then(|| Allowed::Origin(origin.into()))
    }
}

/// `https://*.example.com` stands for all hosts below example.com.
fn matches(entry: &str, origin: &str) -> bool {
    match entry.split_once("://*.") {
        None => entry == origin,
        Some((scheme, domain)) => origin.split_once("://").is_some_and(|(origin_scheme, host)| {
            let below = host.strip_suffix(domain).and_then(|front| front.strip_suffix('.'));
            origin_scheme == scheme && below.is_some_and(|front| !front.is_empty())
        }),
    }
}

fn is_same_host(origin: &str, host: &str) -> bool {
    let Some((_, origin)) = origin.split_once("://") else { return false };
    let (origin, host) = (without_port(origin), without_port(host));
    origin.eq_ignore_ascii_case(host) || (is_loopback(origin) && is_loopback(host))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // Not within the brackets of an IPv6 address.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_browsers_write_them() {
        let listed = |list: &[&str]| {
            Origins::new(Some(&list.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>())).unwrap()
        };
        let example = || listed(&["https://Example.com/", "https://*.example.org", "null"]);
        let table = [
            (Origins::SameHost, Some("http://a.example"), "a.example", true),
            (Origins::SameHost, Some("https://A.example:8443"), "a.example:80", true),
            (Origins::SameHost, Some("https://a.example.evil"), "a.example", false),
            (Origins::SameHost, Some("http://localhost:3000"), "127.0.0.1:8080", true),
            (Origins::SameHost, Some("http://[::1]:3000"), "localhost", true),
            (Origins::SameHost, Some("http://127.0.0.1.evil"), "127.0.0.1", false),
            (Origins::SameHost, Some("null"), "localhost", false),
            (Origins::SameHost, Some("http://evil"), "localhost:8080", false),
            (Origins::SameHost, None, "a", true),
            (Origins::All, Some("http://evil"), "a", true),
            (example(), Some("https://example.com"), "x", true),
            (example(), Some("http://example.com"), "x", false),
            (example(), Some("https://example.com:8443"), "x", false),
            (example(), Some("https://a.example.org"), "x", true),
            (example(), Some("https://a.b.example.org"), "x", true),
            (example(), Some("https://example.org"), "x", false),
            (example(), Some("https://.example.org"), "x", false),
            (example(), Some("https://evilexample.org"), "x", false),
            (example(), Some("null"), "x", true),
            (example(), None, "x", true),
            (listed(&[]), Some("http://x"), "x", false),
        ];
        for (origins, origin, host, expected) in table {
            assert_eq!(
                origins.check(origin, Some(host)).is_some(),
                expected,
                "{origins:?} {origin:?} {host}"
            );
        }
        assert_eq!(Origins::SameHost.check(Some("http://x"), None), None);
        assert_eq!(listed(&["a://b", "*"]), Origins::All);
        for wrong in ["example.com", "https://", "https://a/b", ""] {
            assert!(Origins::new(Some(&[wrong.to_owned()])).is_err(), "{wrong}");
        }
    }
}
