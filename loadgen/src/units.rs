//! Durations, sizes and headers as they are written on the command line.

use std::time::Duration;

/// A duration as in `30s`, `500ms`, `2m`, `1h` or `0`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it as 30s, 500ms, 2m, 1h or 0");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 0,
        _ => return Err(wrong()),
    };
    let product = number.checked_mul(milliseconds).filter(|product| *product <= TIME_MILLISECONDS_MAX);
    product.map(Duration::from_millis).ok_or_else(wrong)
}

/// A hundred years, so that adding a duration to a clock never overflows.
const TIME_MILLISECONDS_MAX: u64 = 100 * 365 * 24 * 3_600_000;

/// A size as in `4096`, `64KiB` or `16MiB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is no size; write it as 4096, 64KiB or 16MiB");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(wrong()),
    };
    number.checked_mul(bytes).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(wrong)
}

/// Name and value of a header as in `X-User: ada` (RFC 9110 sections 5.1 and 5.5).
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(is_token)
    };
    let is_value = |value: &str| value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control());
    let parts = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    match parts.filter(|(name, value)| is_name(name) && is_value(value)) {
        Some((name, value)) => Ok((name.into(), value.into())),
        None => Err(format!("{text:?} is no header; write it as 'X-User: ada'")),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("30s", Some(30_000)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
        ];
        for (text, milliseconds) in table {
            assert_eq!(time(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
        for text in ["", "s", "30", "1.5s", "30 s", "-1s", "99999999999999999999s", "99999999999h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_have_a_name_and_a_value_on_one_line() {
        let table = [
            ("Cookie: a=b", Some(("Cookie", "a=b"))),
            ("X:", Some(("X", ""))),
            ("Authorization:Bearer a:b", Some(("Authorization", "Bearer a:b"))),
            ("X: a\tb", Some(("X", "a\tb"))),
            ("no colon", None),
            (": value", None),
            ("two words: x", None),
            ("X: a\r\nY: b", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(name, value)| (name.into(), value.into()));
            assert_eq!(header(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("0", Some(0)),
            ("17", Some(17)),
            ("20B", Some(20)),
            ("64KiB", Some(65_536)),
            ("1MiB", Some(1 << 20)),
        ];
        for (text, bytes) in table {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        for text in ["", "KiB", "64kb", "1.5MiB", "-1", "99999999999999999MiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
