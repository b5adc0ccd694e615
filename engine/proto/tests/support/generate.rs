//! Frame streams: mostly right, with a fault now and then.

use super::random::Random;
use super::wire::Frame;

/// Payload lengths around the places where the header changes its form.
const LENGTHS: [usize; 12] = [0, 1, 2, 3, 4, 7, 8, 31, 33, 125, 126, 127];
const LONG_LENGTHS: [usize; 4] = [65534, 65535, 65536, 65537];
const CODES: [u16; 10] = [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4999];
const CODES_NOT_TO_BE_SENT: [u16; 11] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535];

/// Some frames from one end, as a stream; the last may be cut off. A fault once in `fault` frames.
pub(crate) fn frames(random: &mut Random, fault: usize) -> Vec<Frame> {
    let mut state = Fragments::default();
    let mut frames = Vec::new();
    for _ in 0..1 + random.below(8) {
        let frame = match random.once_in(fault) {
            true => faulty(random, &mut state),
            false => sound(random, &mut state),
        };
        let key = random.next().to_be_bytes();
        frames.push(frame.key([key[0], key[1], key[2], key[3]]));
    }
    frames
}

/// What is still to come of a message in fragments.
#[derive(Default)]
struct Fragments {
    under_way: bool,
    rest: Vec<u8>,
}

fn sound(random: &mut Random, state: &mut Fragments) -> Frame {
    match random.below(16) {
        0 => Frame::new(0x88, close_payload(random, &CODES)),
        1..4 => control(random, 0x89),
        4..6 => control(random, 0x8A),
        _ if state.under_way => continuation(random, state),
        _ => first_of_message(random, state),
    }
}

fn control(random: &mut Random, first: u8) -> Frame {
    let length = random.pick(&LENGTHS[..10]);
    Frame::new(first, random.bytes(length))
}

fn close_payload(random: &mut Random, codes: &[u16]) -> Vec<u8> {
    if random.once_in(4) {
        return Vec::new();
    }
    let mut payload = random.pick(codes).to_be_bytes().to_vec();
    let characters = random.below(8);
    payload.extend(random.text(characters).bytes());
    payload
}

fn first_of_message(random: &mut Random, state: &mut Fragments) -> Frame {
    let length = if random.once_in(150) { random.pick(&LONG_LENGTHS) } else { random.pick(&LENGTHS) };
    let (opcode, payload) = match random.once_in(2) {
        true => (1, random.text(length.min(40)).into_bytes()),
        false => (2, random.bytes(length)),
    };
    if random.once_in(2) {
        return Frame::new(0x80 | opcode, payload);
    }
    let cut = random.below(payload.len() + 1);
    *state = Fragments { under_way: true, rest: payload[cut..].to_vec() };
    Frame::new(opcode, &payload[..cut])
}

fn continuation(random: &mut Random, state: &mut Fragments) -> Frame {
    if random.once_in(2) {
        state.under_way = false;
        return Frame::new(0x80, std::mem::take(&mut state.rest));
    }
    let cut = random.below(state.rest.len() + 1);
    let rest = state.rest.split_off(cut);
    Frame::new(0x00, std::mem::replace(&mut state.rest, rest))
}

/// One of the things that sections 5 to 8 forbid.
fn faulty(random: &mut Random, state: &mut Fragments) -> Frame {
    let bits = random.next() as u8;
    match random.below(12) {
        0 => Frame::new(0x80 | bits, random.bytes(3)),
        1 => Frame::new(0x82 | bits & 0x70, random.bytes(3)),
        2 => Frame::new(random.pick(&[0x83, 0x87, 0x8B, 0x8F, 0x03, 0x0F]), random.bytes(3)),
        3 => sound(random, state).wrongly_masked(),
        4 => Frame::new(0x82, random.bytes(5)).extended(random.pick(&[2, 8])),
        5 => Frame::new(0x82, random.bytes(5)).announcing(1 << 63 | 5),
        6 => Frame::new(random.pick(&[0x08, 0x09, 0x0A]), random.bytes(2)),
        7 => Frame::new(random.pick(&[0x88, 0x89, 0x8A]), random.bytes(126)),
        8 => Frame::new(if state.under_way { 0x81 } else { 0x80 }, b"out of order"),
        9 => Frame::new(0x88, close_payload(random, &CODES_NOT_TO_BE_SENT)),
        10 => Frame::new(0x88, random.pick(&[&b"\x03"[..], b"\x03\xe8\xff", b"\x03\xe8\xc3"])),
        _ => Frame::new(if state.under_way { 0x80 } else { 0x81 }, not_text(random)),
    }
}

/// Text with octets in it that are not UTF-8 where they stand.
fn not_text(random: &mut Random) -> Vec<u8> {
    let wrong: [&[u8]; 8] = [
        b"\x80",
        b"\xC0\xAF",
        b"\xE0\x9F\xBF",
        b"\xED\xA0\x80",
        b"\xF0\x8F\xBF\xBF",
        b"\xF4\x90\x80\x80",
        b"\xFF",
        b"\xE2\x82",
    ];
    let (before, after) = (random.below(20), random.below(20));
    [random.text(before).as_bytes(), random.pick(&wrong), random.text(after).as_bytes()].concat()
}
