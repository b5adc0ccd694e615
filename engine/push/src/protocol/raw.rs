//! Slices of a JSON text as they were sent: numbers keep their digits, objects their order and their
//! duplicate members. The text has been found valid before; here it is only cut.

/// Objects and arrays within each other; what readers in common use take (serde_json: 128).
pub(crate) const DEPTH_MAX: usize = 100;

/// The values of the members of an object, in order, as they stand in a valid `text`.
pub(crate) fn member_values(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Cursor { text, at: 0 };
    rest.skip_space();
    rest.at += 1; // {
    std::iter::from_fn(move || {
        rest.skip_space();
        if rest.peek() == Some(b',') {
            rest.at += 1;
            rest.skip_space();
        }
        if rest.peek() != Some(b'"') {
            return None; // }
        }
        rest.skip_string();
        rest.skip_space();
        rest.at += 1; // :
        Some(rest.value())
    })
}

/// The elements of an array, in order, as they stand in a valid `text`.
pub(crate) fn elements(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Cursor { text, at: 0 };
    rest.skip_space();
    rest.at += 1; // [
    std::iter::from_fn(move || {
        rest.skip_space();
        if rest.peek() == Some(b',') {
            rest.at += 1;
            rest.skip_space();
        }
        match rest.peek() {
            None | Some(b']') => None,
            Some(_) => Some(rest.value()),
        }
    })
}

/// How deep objects and arrays lie within each other; 0 for a number.
pub(crate) fn depth(text: &[u8]) -> usize {
    let mut rest = Cursor { text, at: 0 };
    let (mut depth, mut deepest) = (0usize, 0);
    while let Some(byte) = rest.peek() {
        match byte {
            b'"' => {
                rest.skip_string();
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        rest.at += 1;
    }
    deepest
}

/// Moves over valid JSON. On anything else it stops somewhere within the text, and never behind it.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// At its first quote.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
    }

    /// The value that begins here, after white space.
    fn value(&mut self) -> &'a [u8] {
        self.skip_space();
        let begin = self.at;
        match self.peek() {
            Some(b'"') => self.skip_string(),
            Some(b'{' | b'[') => self.skip_nested(),
            _ => {
                while !matches!(self.peek(), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
                    self.at += 1;
                }
            }
        }
        let end = self.at.min(self.text.len());
        self.text.get(begin..end).unwrap_or_default()
    }

    fn skip_nested(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(slices: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
        slices.map(|slice| std::str::from_utf8(slice).unwrap()).collect()
    }

    #[test]
    fn values_are_cut_as_they_stand() {
        let table: [(&str, &[&str]); 8] = [
            ("{}", &[]),
            (" { } ", &[]),
            (r#"{"a":1}"#, &["1"]),
            (r#"{"a":1.50e+2,"b" : -0 }"#, &["1.50e+2", "-0"]),
            (r#"{ "a" : [1, {"b":"]"}] , "a":null}"#, &[r#"[1, {"b":"]"}]"#, "null"]),
            (r#"{"\"":"\\","\\":"\"}"}"#, &[r#""\\""#, r#""\"}""#]),
            ("{\"a\":\n{\"c\":{}}\t,\"b\":true}", &["{\"c\":{}}", "true"]),
            (r#"{"a":"","":"x"}"#, &[r#""""#, r#""x""#]),
        ];
        for (text, expected) in table {
            assert_eq!(texts(member_values(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(texts(elements(b"[ 1 ,[2,3], {\"a\":[]},\"]\" ]")), ["1", "[2,3]", "{\"a\":[]}", "\"]\""]);
        assert_eq!(texts(elements(b"[]")), [""; 0]);
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        for (text, expected) in [("1", 0), ("[]", 1), (r#"["[[["]"#, 1), (r#"{"a":[{}],"b":[]}"#, 3)] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }

    /// Whatever stands there, nothing is read behind it and everything ends.
    #[test]
    fn any_bytes_are_survived() {
        let alphabet = br#"{}[]",:\ 1a"#;
        let mut state = 1u64;
        for length in 0..40 {
            for _ in 0..200 {
                let text: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        alphabet[(state >> 33) as usize % alphabet.len()]
                    })
                    .collect();
                let _ = (
                    member_values(&text).take(1000).count(),
                    elements(&text).take(1000).count(),
                    depth(&text),
                );
            }
        }
    }
}
