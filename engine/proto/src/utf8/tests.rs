//! Tables of the edges of RFC 3629, every split of them, and random text, against the standard library.

use super::{InvalidUtf8, SHORT_BYTES_MAX, Validator, is_valid};
use proptest::prelude::*;

/// The oracle for failing fast: whether some octets after `bytes` make it valid. The standard library
/// calls an end inside a code point that could still become valid an error without a length.
fn is_valid_prefix(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Pushes the pieces until one fails, comparing with the oracles after each; then ends the message.
fn check_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut validator = Validator::new();
    let mut so_far = Vec::new();
    for piece in pieces {
        so_far.extend_from_slice(piece);
        let pushed = validator.push(piece);
        assert_eq!(
            pushed.is_ok(),
            is_valid_prefix(&so_far),
            "after {so_far:02X?}, the last piece {piece:02X?}"
        );
        if pushed.is_err() {
            return;
        }
        let valid = std::str::from_utf8(&so_far).is_ok();
        assert_eq!((validator.is_complete(), validator.finish().is_ok()), (valid, valid), "{so_far:02X?}");
    }
}

/// Whole, one octet at a time, and in two pieces with an empty one between, split everywhere.
fn check(bytes: &[u8]) {
    assert_eq!(is_valid(bytes), std::str::from_utf8(bytes).is_ok(), "{bytes:02X?}");
    check_pieces([bytes]);
    check_pieces(bytes.chunks(1));
    for at in 0..=bytes.len() {
        check_pieces([&bytes[..at], &[], &bytes[at..]]);
    }
}

/// Where RFC 3629 section 4 changes its mind about an octet.
const EDGES: [u8; 28] = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
    0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFC, 0xFE, 0xFF,
];

#[test]
fn every_sequence_of_edges_up_to_three_octets_and_every_split() {
    for a in EDGES {
        check(&[a]);
        for b in EDGES {
            check(&[a, b]);
            for c in EDGES {
                check(&[a, b, c]);
            }
        }
    }
}

#[test]
fn every_sequence_of_four_octets_that_a_lead_could_begin() {
    for a in [0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5] {
        for b in EDGES {
            for c in EDGES {
                for d in EDGES {
                    check(&[a, b, c, d]);
                }
            }
        }
    }
}

#[test]
fn every_pair_of_octets() {
    for pair in 0..=u16::MAX {
        check(&pair.to_be_bytes());
    }
}

#[test]
fn the_first_and_last_code_point_of_each_length_and_of_each_gap() {
    let code_points = [
        0x0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD000, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF,
        0x1_0000, 0x3_FFFF, 0x4_0000, 0xF_FFFF, 0x10_0000, 0x10_FFFF,
    ];
    for code_point in code_points {
        let text = char::from_u32(code_point).unwrap().to_string();
        check(text.as_bytes());
        check(format!("{text}a{text}").as_bytes());
    }
}

/// What fails, and after how many octets: Autobahn 6.3.1, 6.4.1 and the like.
#[test]
fn failing_at_the_first_octet_that_cannot_be_right() {
    let table: [(&[u8], usize); 14] = [
        (b"\xF4\x90\x80\x80", 2), // beyond U+10FFFF
        (b"\xED\xA0\x80", 2),     // a surrogate
        (b"\xED\xBF\xBF", 2),     // the last one
        (b"\xE0\x80\xAF", 2),     // overlong in three octets
        (b"\xE0\x9F\xBF", 2),     // the longest of them
        (b"\xF0\x80\x80\xAF", 2), // overlong in four
        (b"\xF0\x8F\xBF\xBF", 2), // the longest of them
        (b"\xC0\xAF", 1),         // overlong in two
        (b"\xC1\xBF", 1),         // the longest of them
        (b"\xF5\x80\x80\x80", 1), // no such lead
        (b"\xFF", 1),             // never occurs
        (b"\x80", 1),             // a continuation of nothing
        (b"\xE2\x82a", 3),        // a code point cut short
        (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80\x65\x64", 13), // Autobahn 6.4.1
    ];
    for (bytes, expected) in table {
        let mut validator = Validator::new();
        let failed_after = 1 + bytes.iter().position(|&octet| validator.push(&[octet]).is_err()).unwrap();
        assert_eq!(failed_after, expected, "{bytes:02X?}");
        assert_eq!(Validator::new().push(&bytes[..expected]), Err(InvalidUtf8), "{bytes:02X?}");
        assert_eq!(Validator::new().push(&bytes[..expected - 1]), Ok(()), "{bytes:02X?}");
    }
}

/// One octet at each place of each length around the ends of the short path and of the vectors.
#[test]
fn a_bad_octet_is_found_at_every_place_of_every_length() {
    for length in 0..=SHORT_BYTES_MAX + 66 {
        let ascii = vec![b'a'; length];
        assert!(is_valid(&ascii), "length {length}");
        for place in 0..length {
            let mut bytes = ascii.clone();
            bytes[place] = 0x80;
            assert!(!is_valid(&bytes), "length {length}, place {place}");
            assert_eq!(Validator::new().push(&bytes), Err(InvalidUtf8), "length {length}, place {place}");
        }
    }
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Validator>() <= 8);
}

/// Text of all code point lengths, often mostly ASCII, sometimes damaged, and where to cut it.
fn text_and_cuts() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let text = prop_oneof!["[ -~]{0,300}", "\\PC{0,100}", "[a-zé߿ࠀ￿𐀀\u{10FFFF}]{0,200}"];
    let damage = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let cuts = proptest::collection::vec(any::<proptest::sample::Index>(), 0..6);
    (text, damage, cuts).prop_map(|(text, damage, cuts)| {
        let mut bytes = text.into_bytes();
        for (place, octet) in damage.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let place = place.index(bytes.len());
            bytes[place] = octet;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        (bytes, cuts)
    })
}

proptest! {
    #[test]
    fn any_text_in_any_pieces((bytes, cuts) in text_and_cuts()) {
        prop_assert_eq!(is_valid(&bytes), std::str::from_utf8(&bytes).is_ok());
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain(std::iter::once(bytes.len()));
        check_pieces(starts.zip(ends).map(|(start, end)| &bytes[start..end]));
        check_pieces(bytes.chunks(1));
    }

    #[test]
    fn any_bytes_in_any_pieces(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..8)) {
        check(&pieces.concat());
        check_pieces(pieces.iter().map(Vec::as_slice));
    }
}
