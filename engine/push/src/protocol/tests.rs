//! Commands in every shape, right and wrong.

use super::*;

/// The id as it is repeated, and what came of the command in short words.
fn read(text: impl AsRef<[u8]>) -> (Option<String>, String) {
    read_with(&mut Parser::default(), text.as_ref())
}

fn read_with(parser: &mut Parser, text: &[u8]) -> (Option<String>, String) {
    parser.command(text, |id, command| {
        let id = id.map(|id| String::from_utf8(id.to_vec()).unwrap());
        let said = match command {
            Ok(Command::Publish { topic, data }) => {
                format!("publish {topic} {}", String::from_utf8_lossy(data))
            }
            Ok(Command::Subscribe { topic, begin }) => format!("subscribe {topic} {begin:?}"),
            Ok(Command::Unsubscribe { topic }) => format!("unsubscribe {topic}"),
            Ok(Command::Ping) => "ping".into(),
            Err(fault) => format!("{}: {}", fault.code.word(), fault.message),
        };
        (id, said)
    })
}

const COMMANDS: &[(&str, &str, &str)] = &[
    (r#"{"id":1,"command":"ping"}"#, "1", "ping"),
    (r#" { "command" : "ping" , "id" : "x" } "#, "\"x\"", "ping"),
    (r#"{"id":-1.50e3,"command":"ping"}"#, "-1.50e3", "ping"),
    (r#"{"id":"\u0041\n","command":"p\u0069ng"}"#, r#""\u0041\n""#, "ping"),
    (r#"{"id":1,"command":"subscribe","topic":"a/b"}"#, "1", "subscribe a/b Now"),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","from":5}"#,
        "1",
        "subscribe a Offset { from: 5, epoch: None }",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","epoch":9,"from":9007199254740991}"#,
        "1",
        "subscribe a Offset { from: 9007199254740991, epoch: Some(9) }",
    ),
    (r#"{"id":1,"command":"subscribe","topic":"a","history":0}"#, "1", "subscribe a History(0)"),
    (r#"{"id":1,"command":"unsubscribe","topic":"\u00e9\"\\"}"#, "1", "unsubscribe \u{e9}\"\\"),
    (r#"{"id":1,"command":"publish","topic":"a","data":null}"#, "1", "publish a null"),
    (
        r#"{"data":{"z":1.0,"a":[1,2,{"id":3}],"z":"\u0041"},"id":1,"command":"publish","topic":"a"}"#,
        "1",
        r#"publish a {"z":1.0,"a":[1,2,{"id":3}],"z":"\u0041"}"#,
    ),
    (
        r#"{"id":1,"command":"publish","topic":"a","data": 123456789012345678901234567890 }"#,
        "1",
        "publish a 123456789012345678901234567890",
    ),
    (r#"{"id":1,"command":"publish","topic":"a","d\u0061ta":"x"}"#, "1", r#"publish a "x""#),
];

const REFUSED: &[(&str, Option<&str>, &str)] = &[
    ("", None, "bad_json: the message is not JSON"),
    ("ping", None, "bad_json: the message is not JSON"),
    (r#"{"id":1,"command":"ping""#, None, "bad_json: the message is not JSON"),
    (r#"{"id":1,"command":"ping"}{"#, None, "bad_json: the message is not JSON"),
    (
        r#"{"id":1,"command":"pi
ng"}"#,
        None,
        "bad_json: the message is not JSON",
    ),
    ("[1]", None, "bad_json: a command is a JSON object"),
    ("null", None, "bad_json: a command is a JSON object"),
    (
        r#"{"command":"ping"}"#,
        None,
        "bad_command: a command has an id, a string or a number of the client's choice",
    ),
    (r#"{"id":null,"command":"ping"}"#, None, "bad_command: an id is a string or a number"),
    (r#"{"id":[1],"command":"ping"}"#, None, "bad_command: an id is a string or a number"),
    (r#"{"id":true,"command":"ping"}"#, None, "bad_command: an id is a string or a number"),
    (r#"{"id":1,"id":2,"command":"ping"}"#, None, "bad_command: id stands there twice"),
    (
        r#"{"id":1}"#,
        Some("1"),
        "bad_command: a message has a command: subscribe, unsubscribe, publish or ping",
    ),
    (r#"{"id":1,"command":7}"#, Some("1"), "bad_command: command is a string"),
    (
        r#"{"id":1,"command":"presence"}"#,
        Some("1"),
        "unknown_command: the commands are subscribe, unsubscribe, publish and ping",
    ),
    (r#"{"id":1,"command":"ping","topic":"a"}"#, Some("1"), "bad_command: ping has no \"topic\""),
    (r#"{"id":1,"command":"subscribe"}"#, Some("1"), "bad_command: subscribe has a topic, a string"),
    (r#"{"id":1,"command":"subscribe","topic":1}"#, Some("1"), "bad_command: topic is a string"),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","topic":"b"}"#,
        Some("1"),
        "bad_command: topic stands there twice",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","form":1}"#,
        Some("1"),
        "bad_command: subscribe has no \"form\"",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","from":-1}"#,
        Some("1"),
        "bad_command: from is a whole number from 0 to 9007199254740991",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","from":9007199254740992}"#,
        Some("1"),
        "bad_command: from is a whole number from 0 to 9007199254740991",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","history":"1"}"#,
        Some("1"),
        "bad_command: history is a whole number from 0 to 9007199254740991",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","epoch":1}"#,
        Some("1"),
        "bad_command: an epoch goes with from, whose offset it explains",
    ),
    (
        r#"{"id":1,"command":"subscribe","topic":"a","from":1,"history":1}"#,
        Some("1"),
        "bad_command: from and history exclude each other: both say where to begin",
    ),
    (
        r#"{"id":"p","command":"publish","topic":"a"}"#,
        Some("\"p\""),
        "bad_command: publish has data, any JSON value",
    ),
    (
        r#"{"id":1,"command":"publish","topic":"a","data":1,"data":2}"#,
        Some("1"),
        "bad_command: data stands there twice",
    ),
];

#[test]
fn commands_are_read() {
    for (text, id, said) in COMMANDS {
        assert_eq!(read(text), (Some((*id).to_owned()), (*said).to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_command_is_refused_with_the_reason() {
    for (text, id, said) in REFUSED {
        assert_eq!(read(text), (id.map(str::to_owned), (*said).to_owned()), "{text}");
    }
    let long_id = format!(r#"{{"id":"{}","command":"ping"}}"#, "x".repeat(63));
    assert_eq!(read(&long_id).1, "bad_command: an id has at most 64 bytes");
}

/// Beyond what the widest number type in common use holds: simd-json has no value for it.
#[test]
fn numbers_beyond_all_bounds_are_refused() {
    let publish =
        |number: &str| read(format!(r#"{{"id":1,"command":"publish","topic":"a","data":{number}}}"#)).1;
    assert_eq!(publish("1e308"), "publish a 1e308");
    assert_eq!(publish("1e-999"), "publish a 1e-999");
    assert_eq!(publish("1e400"), "bad_json: the message is not JSON");
    for wrong in ["01", "+1", ".5", "1.", "1e", "0x1", "NaN", "Infinity", "--1"] {
        assert_eq!(publish(wrong), "bad_json: the message is not JSON", "{wrong}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
        let text = [br#"{"id":1,"command":"publish","topic":"a","data":""#, bad, b"\"}"].concat();
        assert_eq!(read(&text).1, "bad_json: the message is not JSON", "{bad:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"id":1,"command":"publish","topic":"a","data":{open}{close}}}"#)
    };
    assert!(read(nested(raw::DEPTH_MAX)).1.starts_with("publish a [["));
    assert_eq!(
        read(nested(raw::DEPTH_MAX + 1)).1,
        "bad_json: data lies more than 100 objects and arrays deep"
    );
    assert!(read(nested(200_000)).1.starts_with("bad_json"));
    assert!(read("[".repeat(1_000_000)).1.starts_with("bad_json"));
}

/// One parser for all messages, in any order and after any failure, says the same as a fresh one.
#[test]
fn a_parser_keeps_nothing_of_earlier_messages() {
    let mut parser = Parser::default();
    let large = format!(r#"{{"id":1,"command":"publish","topic":"a","data":"{}"}}"#, "x".repeat(300_000));
    let texts =
        COMMANDS.iter().map(|row| row.0).chain(REFUSED.iter().map(|row| row.0)).chain([large.as_str()]);
    let texts: Vec<&str> = texts.collect();
    for first in &texts {
        for second in &texts {
            read_with(&mut parser, first.as_bytes());
            assert_eq!(read_with(&mut parser, second.as_bytes()), read(second), "{second} after {first}");
        }
    }
}

/// Cut anywhere, or with any byte changed, a command is read or refused, and data is always JSON.
#[test]
fn damaged_commands_are_survived() {
    let mut parser = Parser::default();
    for (text, ..) in COMMANDS {
        let text = text.trim().as_bytes();
        for cut in 0..text.len() {
            assert!(read_with(&mut parser, &text[..cut]).1.starts_with("bad_json"));
            for byte in [b'"', b'\\', b'{', b'}', b',', 0, 0xff] {
                let mut changed = text.to_vec();
                changed[cut] = byte;
                parser.command(&changed, |id, command| {
                    if let Ok(Command::Publish { data, .. }) = command {
                        assert!(serde_json::from_slice::<serde_json::Value>(data).is_ok(), "{data:?}");
                    }
                    let id = id.unwrap_or(b"null");
                    assert!(serde_json::from_slice::<serde_json::Value>(id).is_ok(), "{id:?}");
                });
            }
        }
    }
}
