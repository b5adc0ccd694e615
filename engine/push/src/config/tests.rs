//! Settings from every source, and what is said when they are wrong.

use super::KEYS;
use super::resolve::{Resolved, Sources};
use super::typed::BehindWord;
use std::time::Duration;
use toml::Value;
use wsring::Behind;

fn sources(file: &str, variables: &[(&str, &str)], flags: &[(&str, Value)]) -> Sources {
    let key = |path: &str| super::keys::find(path).unwrap_or_else(|| panic!("{path} is a key"));
    Sources {
        file: Some(("wsring.toml".into(), file.into())),
        variables: variables.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect(),
        flags: flags.iter().map(|(path, value)| (key(path), value.clone())).collect(),
    }
}

fn resolve(file: &str, variables: &[(&str, &str)], flags: &[(&str, Value)]) -> Resolved {
    sources(file, variables, flags).resolve().unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(file: &str, variables: &[(&str, &str)], flags: &[(&str, Value)]) -> Vec<String> {
    let faults = sources(file, variables, flags).resolve().expect_err("it is wrong");
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_make_a_configuration() {
    let config = Sources::default().resolve().unwrap().config().unwrap();
    assert_eq!(config.listen, ["127.0.0.1:8080"]);
    assert_eq!(config.limits.topics_per_connection, 1000);
    assert!(!config.auth.is_configured() && config.auth.anonymous_publish.is_none());
    let settings = config.settings();
    let defaults = wsring::Settings::default();
    assert_eq!(settings.handshake_timeout, defaults.handshake_timeout);
    assert_eq!(settings.ping_interval, defaults.ping_interval);
    assert_eq!(settings.idle_timeout, None);
    assert_eq!(settings.body_bytes_max, defaults.body_bytes_max);
    assert_eq!(settings.high_water_bytes, defaults.high_water_bytes);
    assert_eq!(config.drain().deadline, wsring::Drain::default().deadline);
}

#[test]
fn names_are_told_apart_and_flags_are_unique() {
    let mut variables: Vec<String> = KEYS.iter().map(super::Key::variable).collect();
    let mut flags: Vec<&str> = KEYS.iter().filter_map(|key| key.flag).map(|(flag, _)| flag).collect();
    let (variable_count, flag_count) = (variables.len(), flags.len());
    variables.sort();
    variables.dedup();
    flags.sort_unstable();
    flags.dedup();
    assert_eq!((variables.len(), flags.len()), (variable_count, flag_count));
}

/// Every key is known to the type as well: a value that only it has comes out of there.
#[test]
fn every_key_reaches_the_type() {
    let whole = Sources::default().resolve().unwrap().table();
    for key in KEYS.iter().filter(|key| key.default.is_some()) {
        let mut table = whole.clone();
        let section = match key.section {
            "" => &mut table,
            section => table[section].as_table_mut().unwrap(),
        };
        // The io is not yet a choice: both words mean io_uring.
        let required = key.name != "io";
        section.insert(key.name.into(), Value::Datetime("1979-05-27".parse().unwrap()));
        assert_eq!(table.try_into::<super::Config>().is_err(), required, "{}", key.path());
    }
}

#[test]
fn each_source_overrules_those_before_it() {
    let file = "shards = 2\n[limits]\nmessage_bytes = \"1MiB\"\ntopics_per_connection = 7";
    let variables = [("WSRING_LIMITS_MESSAGE_BYTES", "2MiB"), ("WSRING_SHARDS", "3"), ("HOME", "x")];
    let flags = [("shards", Value::from("4"))];
    let resolved = resolve(file, &variables, &flags);
    let config = resolved.config().unwrap();
    assert_eq!(config.settings().shards, Some(4));
    assert_eq!(config.limits.message_bytes, 2 << 20);
    assert_eq!(config.limits.topics_per_connection, 7);
    let places = ["shards", "limits.message_bytes", "limits.topics_per_connection", "limits.topics"];
    assert_eq!(
        places.map(|path| resolved.place(path).to_string()),
        ["flag --shards", "environment WSRING_LIMITS_MESSAGE_BYTES", "file wsring.toml", "default"]
    );
}

#[test]
fn rules_come_from_the_file() {
    let file = "[topics]\nbehind = \"skip\"\n[[topics.rules]]\npattern = \"ticker/+\"\nbehind = \"latest\"\n\
                retention_age = \"2m\"\nretention_bytes = \"64KiB\"\n[[topics.rules]]\npattern = \"#\"\n";
    let config = resolve(file, &[], &[]).config().unwrap();
    assert_eq!(config.topics.behind, BehindWord::Skip);
    let [ticker, rest] = &config.topics.rules[..] else { panic!("{:?}", config.topics.rules) };
    assert_eq!((ticker.pattern.as_str(), ticker.behind), ("ticker/+", Some(BehindWord::Latest)));
    assert_eq!((ticker.retention_age, ticker.retention_bytes), (Some(Duration::from_secs(120)), Some(65536)));
    assert_eq!((rest.retention_age, rest.behind), (None, None));
    let [ticker, rest, default] = &config.topics.rules()[..] else { panic!("three") };
    assert_eq!((ticker.pattern.as_str(), ticker.settings.behind), ("ticker/+", Behind::Latest));
    assert_eq!((ticker.settings.retention.bytes, ticker.settings.retention.messages), (65536, u64::MAX));
    assert_eq!((rest.settings.behind, rest.settings.retention.age), (Behind::Skip, None));
    assert_eq!((default.pattern.as_str(), &default.settings), ("#", &rest.settings));
}

/// A file, variables and flags, and what is said.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static str,
);

const WRONG: &[Case] = &[
    ("shards = 0", &[], &[], "shards (file wsring.toml) is 0; allowed is a whole number from 1"),
    ("shards = \"two\"", &[], &[], "shards (file wsring.toml) is \"two\"; allowed is a whole number from 1"),
    (
        "",
        &[("WSRING_TIMEOUTS_PONG", "soon")],
        &[],
        "timeouts.pong (environment WSRING_TIMEOUTS_PONG) is \"soon\"; allowed is a duration such as 500ms, 30s, \
             2m or 1h, from 1 ms",
    ),
    (
        "",
        &[],
        &[("topics.behind", "drop")],
        "topics.behind (flag --behind) is \"drop\"; allowed is one of close, skip, latest",
    ),
    (
        "[limits]\nname_bytes = 1000",
        &[],
        &[],
        "limits.name_bytes (file wsring.toml) is 1000; allowed is a whole number from 1 to 255",
    ),
    (
        "[limits]\nconections = 5",
        &[],
        &[],
        "limits.conections (file wsring.toml) is no setting; the nearest is limits.connections",
    ),
    (
        "conections = 5",
        &[],
        &[],
        "conections (file wsring.toml) is no setting; the nearest is limits.connections",
    ),
    ("[limit]\nconnections = 5", &[], &[], "limit (file wsring.toml) is no setting; the nearest is limits"),
    (
        "",
        &[("WSRING_LISTN", "x")],
        &[],
        "WSRING_LISTN (environment WSRING_LISTN) is no setting; the nearest is WSRING_LISTEN",
    ),
    (
        "[topics]\nrules = 3",
        &[],
        &[],
        "topics.rules (file wsring.toml) is 3; allowed is an array of tables: [[topics.rules]]",
    ),
    (
        "[[topics.rules]]\nbehind = \"skip\"",
        &[],
        &[],
        "topics.rules[0].pattern (file wsring.toml) is missing",
    ),
    (
        "[[topics.rules]]\npattern = \"#\"\nbehnd = 1",
        &[],
        &[],
        "topics.rules[0].behnd (file wsring.toml) is no setting; the nearest is behind",
    ),
    (
        "[[topics.rules]]\npattern = \"a#\"",
        &[],
        &[],
        "topics.rules[0].pattern (file wsring.toml) is \"a#\"; allowed is a topic or a pattern such as rooms/+ or \
             public/#",
    ),
    // A secret is not shown, not even a wrong one.
    (
        "[auth]\njwt_hs256_secret = 12345",
        &[],
        &[],
        "auth.jwt_hs256_secret (file wsring.toml) is <set>; allowed is text that is not empty",
    ),
];

#[test]
fn what_is_wrong_is_named() {
    for (file, variables, flags, expected) in WRONG {
        let flags: Vec<_> = flags.iter().map(|(path, text)| (*path, Value::from(*text))).collect();
        assert_eq!(faults(file, variables, &flags), [*expected], "{file}");
    }
    assert!(faults("shards = ", &[], &[])[0].starts_with("wsring.toml is not TOML: "));
    assert_eq!(faults("shards = 0\npin = -1", &[], &[]).len(), 2, "all at once");
}

#[test]
fn variables_of_others_are_passed_over() {
    let variables = [
        ("WSRING_SERVICE_HOST", "10.0.0.1"),
        ("WSRING_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("WSRING_PORT", "tcp://10.0.0.1:8080"),
        ("WSRING_CONFIG", "x.toml"),
        ("PATH", "x"),
    ];
    resolve("", &variables, &[]);
}

/// Also with values that came as text and with lists.
#[test]
fn what_is_printed_is_the_same_configuration() {
    let file = "[topics]\nretention_age = \"5m\"\n[[topics.rules]]\npattern = \"a/#\"\nretention_messages = 3\n\
                [auth]\norigins = [\"https://a.example\", \"https://b.example\"]";
    let variables = [
        ("WSRING_LISTEN", "127.0.0.1:1,127.0.0.1:2"),
        ("WSRING_LIMITS_TOPICS", "77"),
        ("WSRING_INSECURE_OPEN", "yes"),
        ("WSRING_AUTH_JWT_AUDIENCE", "a \"quoted\" # name"),
        ("WSRING_AUTH_API_KEYS", "0123456789abcdef,fedcba9876543210"),
    ];
    let resolved = resolve(file, &variables, &[("limits.message_bytes", Value::from("5MiB"))]);
    let printed = resolved.print();
    assert!(!printed.contains("0123456789abcdef") && printed.contains("# api_keys = \"<set>\""), "{printed}");
    let line = printed.lines().find(|line| line.starts_with("message_bytes")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>().join(" "),
        "message_bytes = \"5MiB\" # flag --message-max"
    );
    let again = resolve(&printed, &[], &[]);
    let mut expected = resolved.table();
    expected["auth"].as_table_mut().unwrap().remove("api_keys");
    assert_eq!(again.table(), expected, "{printed}");
    assert_eq!(again.print().lines().count(), printed.lines().count());
}

#[test]
fn the_defaults_are_printed_so_that_they_can_be_given_back() {
    let resolved = Sources::default().resolve().unwrap();
    let printed = resolved.print();
    assert_eq!(resolve(&printed, &[], &[]).table(), resolved.table(), "{printed}");
    for key in KEYS {
        assert!(printed.contains(key.name), "{}", key.path());
    }
}

/// The text of `docs/operating.md` has a row for each setting, with its default and flag.
#[test]
fn every_setting_is_documented() {
    let text = include_str!("../../../../docs/operating.md");
    let missing: Vec<String> = KEYS.iter().map(row).filter(|row| !text.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "rows that docs/operating.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_documented_file_is_right() {
    let text = include_str!("../../../../docs/operating.md");
    let file = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = resolve(file, &[], &[]).config().unwrap();
    assert_eq!((config.topics.rules.len(), config.limits.publishes_per_second), (1, 50));
}

fn row(key: &super::Key) -> String {
    let default = key.default.map_or_else(String::new, |default| format!("`{default}`"));
    let flag = key.flag.map_or_else(String::new, |(flag, _)| format!("`--{flag}`"));
    format!("| `{}` | {default} | {flag} | {} |", key.path(), key.help)
}
