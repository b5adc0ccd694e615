//! The client's side against the server's, and neither panics at anything.

use proptest::prelude::*;
use wsring_proto::handshake::{Offer, Opening, Url, write_switching};
use wsring_proto::http::{HeadLimits, Request, head_end};

/// Collects a head byte by byte.
fn collect_head(bytes: &[u8]) -> &[u8] {
    let end = (1..=bytes.len()).find_map(|arrived| head_end(&bytes[..arrived], arrived - 1));
    &bytes[..end.expect("a whole head")]
}

fn tokens() -> impl Strategy<Value = Vec<String>> {
    prop::collection::hash_set("[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", 0..5)
        .prop_map(|set| set.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ends_agree(
        entropy: [u8; 16],
        host in "[a-z]{1,9}|\\[::1\\]|127\\.0\\.0\\.1",
        port in 1u16..,
        target in "(/[!-\"$->@-~]{0,30})(\\?[!-\"$-~]{0,30})?",
        asked in tokens(),
        supported in tokens(),
        value in "[ -~]{0,40}",
        frames: Vec<u8>,
    ) {
        let limits = HeadLimits::default();
        let url: Url = format!("ws://{host}:{port}{target}").parse().expect("a valid URL");
        let mut opening = Opening::for_url(&url, entropy).header("X-Sent", &value).origin("https://page.example");
        for subprotocol in &asked {
            opening = opening.subprotocol(subprotocol);
        }
        let mut sent = Vec::new();
        opening.write(&mut sent).expect("valid");
        sent.extend_from_slice(&frames);

        let head = collect_head(&sent);
        prop_assert_eq!(&sent[head.len()..], frames.as_slice());
        let request = Request::parse(head, &limits).expect("a request");
        prop_assert!(request.wants_upgrade());
        prop_assert_eq!(request.target(), url.target());
        let authority = url.authority();
        prop_assert_eq!(request.host(), Some(authority.as_str()));
        prop_assert_eq!(request.header("x-sent"), Some(value.trim().as_bytes()));
        prop_assert_eq!(request.origin(), Some("https://page.example"));
        let offer = Offer::check(&request).expect("a handshake");
        prop_assert!(offer.protocols().eq(asked.iter().map(String::as_str)));

        let mut supported: Vec<&str> = supported.iter().map(String::as_str).collect();
        supported.extend(asked.last().map(String::as_str));
        let chosen = offer.choose(&supported);
        let mut answer = Vec::new();
        write_switching(&mut answer, &offer.accept_key(), chosen, None, &[("X-Answered", &value)]).expect("valid");
        answer.extend_from_slice(&frames);

        let head = collect_head(&answer);
        prop_assert_eq!(&answer[head.len()..], frames.as_slice());
        let agreement = opening.check(head, &limits).expect("agreed");
        prop_assert_eq!(agreement.subprotocol(), chosen);
        prop_assert_eq!(chosen.is_some(), !asked.is_empty());
        prop_assert_eq!(agreement.header("X-Answered"), Some(value.trim().as_bytes()));
        let other = Opening::new([!entropy[0]; 16]);
        prop_assert!(other.check(head, &limits).is_err());
    }

    #[test]
    fn no_answer_and_no_url_panics(bytes: Vec<u8>, text: String, tail in "[\\[\\]:/?#@a.0x\u{e9}]{0,20}") {
        let limits = HeadLimits::default();
        let opening = Opening::new([0; 16]).host(&text).target(&text).subprotocol(&text).extension(&text);
        let _ = opening.check(&bytes, &limits);
        let _ = opening.check(&[b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n", &*bytes, b"\r\n\r\n"].concat(), &limits);
        let _ = opening.write(&mut Vec::new());
        let _ = text.parse::<Url>();
        if let Ok(url) = format!("ws://{tail}").parse::<Url>() {
            prop_assert_eq!(url.to_string().parse(), Ok(url));
        }
    }
}
