//! A second opinion on handshakes: RFC 6455 section 4.2.1 read again, with nothing but string
//! operations, slow and without any code of the crate.

/// `Ok` when the head is an opening handshake; else the rule that it breaks.
pub(crate) fn check(head: &[u8]) -> Result<(), &'static str> {
    let mut text: String = head.iter().map(|&byte| char::from(byte)).collect();
    while let Some(rest) = text.strip_prefix("\r\n") {
        text = rest.to_owned();
    }
    let text = text.strip_suffix("\r\n\r\n").ok_or("does not end in an empty line")?;
    if text.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err("bare CR or LF, or NUL");
    }
    let mut lines = text.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let ["GET", target, "HTTP/1.1"] = words[..] else { return Err("request line") };
    let url = ["http://", "https://", "ws://", "wss://"].iter().any(|s| target.to_lowercase().starts_with(s));
    if !(target.starts_with('/') || url)
        || target.contains('#')
        || !target.chars().all(|c| ('!'..='~').contains(&c))
    {
        return Err("target");
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("no colon")?;
        if !is_token(name) {
            return Err("header name");
        }
        headers.push((name.to_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
    check_headers(&headers, url)
}

fn check_headers(headers: &[(String, String)], url: bool) -> Result<(), &'static str> {
    let all = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    };
    let lists = |wanted: &str, element: &str| {
        all(wanted).join(",").split(',').any(|found| found.trim().to_lowercase() == element)
    };
    let rules = [
        (headers.len() <= 100, "header count"),
        (all("host").len() == 1, "one Host"),
        (url || !all("host").concat().is_empty(), "Host is empty"),
        (!all("host").concat().contains(['/', '@', ' ', ',', '?', '\\']), "Host is odd"),
        (lists("upgrade", "websocket"), "Upgrade"),
        (lists("connection", "upgrade"), "Connection"),
        (all("sec-websocket-version") == ["13"], "version"),
        (all("sec-websocket-key").len() == 1 && is_key(all("sec-websocket-key")[0]), "key"),
        (all("transfer-encoding").is_empty(), "Transfer-Encoding"),
        (all("content-length").iter().all(|length| length.chars().all(|c| c == '0')), "Content-Length"),
        (all("content-length").len() <= 1, "one Content-Length"),
        (all("origin").len() <= 1, "one Origin"),
    ];
    for (holds, rule) in rules {
        if !holds {
            return Err(rule);
        }
    }
    let mut protocols: Vec<&str> = all("sec-websocket-protocol").iter().flat_map(|v| v.split(',')).collect();
    protocols.retain(|protocol| !protocol.trim().is_empty());
    let count = protocols.len();
    if !protocols.iter().all(|protocol| is_token(protocol.trim_matches([' ', '\t']))) {
        return Err("subprotocol");
    }
    protocols.sort_unstable_by_key(|protocol| protocol.trim().to_owned());
    protocols.dedup_by_key(|protocol| protocol.trim().to_owned());
    if protocols.len() == count { Ok(()) } else { Err("subprotocol twice") }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c))
}

/// 22 characters of the alphabet stand for 16 bytes and 4 bits more; two equals signs fill up.
fn is_key(key: &str) -> bool {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    key.len() == 24 && key.ends_with("==") && key.chars().take(22).all(alphabet)
}
