//! One table over every level: each length, offset and key phase, against a loop over bytes.

use super::super::{Level, unmask, unmask_append, unmask_copy};

const LENGTH_MAX: usize = 515;
const OFFSETS: usize = 64;
/// Untouched bytes that must stay so, behind the range and before it.
const MARGIN: usize = 64;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The definition, RFC 6455 section 5.3, word for word.
fn by_byte(data: &[u8], key: [u8; 4]) -> Vec<u8> {
    data.iter().enumerate().map(|(index, octet)| octet ^ key[index % 4]).collect()
}

/// Bytes with a period that no vector width divides.
fn painted(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Every key phase at one offset and length, through all three functions.
fn check(level: Level, canvas: &[u8], offset: usize, length: usize) {
    let range = offset..offset + length;
    for phase in 0..4 {
        let mut key = KEY;
        key.rotate_left(phase);
        let mut key_after = key;
        key_after.rotate_left(length % 4);
        let case = || format!("level {level}, offset {offset}, length {length}, phase {phase}");

        let mut expected = canvas.to_vec();
        expected[range.clone()].copy_from_slice(&by_byte(&canvas[range.clone()], key));

        let mut in_place = canvas.to_vec();
        assert_eq!(unmask(level, &mut in_place[range.clone()], key), key_after, "{}", case());
        assert!(in_place == expected, "in place: {}", case());

        let mut copied = canvas.to_vec();
        copied[range.clone()].fill(0);
        assert_eq!(unmask_copy(level, &canvas[range.clone()], &mut copied[range.clone()], key), key_after);
        assert!(copied == expected, "copied: {}", case());

        let mut appended = canvas[..offset].to_vec();
        assert_eq!(unmask_append(level, &canvas[range.clone()], &mut appended, key), key_after);
        assert!(appended == expected[..range.end], "appended: {}", case());
    }
}

#[test]
fn every_length_offset_and_phase_at_every_level() {
    let canvas = painted(OFFSETS + LENGTH_MAX + MARGIN);
    std::thread::scope(|scope| {
        for level in Level::available() {
            let canvas = &canvas;
            scope.spawn(move || {
                for length in 0..=LENGTH_MAX {
                    for offset in 0..OFFSETS {
                        check(level, &canvas[..offset + length + MARGIN], offset, length);
                    }
                }
            });
        }
    });
}

#[test]
fn every_level_agrees_with_the_portable_one_on_long_payloads() {
    for length in [4095, 4096, 4097, 65_535, 65_536, 1 << 20] {
        for offset in [0, 1, 6, 14, 63] {
            let mut portable = painted(offset + length);
            unmask(Level::PORTABLE, &mut portable[offset..], KEY);
            for level in Level::available() {
                let mut data = painted(offset + length);
                unmask(level, &mut data[offset..], KEY);
                assert!(data == portable, "level {level}, offset {offset}, length {length}");
            }
        }
    }
}

#[test]
fn a_payload_may_come_in_pieces() {
    let whole = painted(300);
    let expected = by_byte(&whole, KEY);
    for level in Level::available() {
        for first in 0..=whole.len() {
            let mut data = whole.clone();
            let (head, tail) = data.split_at_mut(first);
            let key = unmask(level, head, KEY);
            unmask(level, tail, key);
            assert!(data == expected, "level {level}, split at {first}");
        }
    }
}

#[test]
fn appending_writes_into_the_spare_capacity() {
    for level in Level::available() {
        let mut to = Vec::with_capacity(200);
        to.extend_from_slice(b"head");
        let address = to.as_ptr();
        unmask_append(level, &painted(196), &mut to, KEY);
        assert_eq!((to.len(), to.as_ptr()), (200, address), "level {level}");
    }
}

/// RFC 6455 section 5.7: a single-frame masked text message.
#[test]
fn the_example_of_the_rfc() {
    let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let key = unmask(Level::detect(), &mut payload, [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!((&payload, key), (b"Hello", [0xfa, 0x21, 0x3d, 0x37]));
}

#[test]
#[should_panic(expected = "differ in length")]
fn copying_to_another_length_panics() {
    unmask_copy(Level::PORTABLE, &[0; 3], &mut [0; 4], KEY);
}
