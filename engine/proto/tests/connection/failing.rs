//! Section 7.1.7: a failed connection is stepped over to the peer's Close; and what a connection says of
//! itself on the way.

use super::support::wire::{self, Frame};
use super::{Seen, check_frames, feed, receive};
use wsring_proto::{Client, Connection, Event, Limits, Resources, Server};

/// One frame for each rule that can be broken in a frame that is not a Close.
fn faults() -> Vec<(Frame, u16)> {
    vec![
        (Frame::new(0xC2, "reserved bit"), 1002),
        (Frame::new(0x83, "reserved opcode"), 1002),
        (Frame::new(0x8F, ""), 1002),
        (Frame::new(0x82, "wrong mask").wrongly_masked(), 1002),
        (Frame::new(0x82, "").wrongly_masked(), 1002),
        (Frame::new(0x82, "not shortest").extended(2), 1002),
        (Frame::new(0x82, "not shortest").extended(8), 1002),
        (Frame::new(0x09, "fragmented"), 1002),
        (Frame::new(0x89, [0; 126]), 1002),
        (Frame::new(0x80, "continues nothing"), 1002),
        (Frame::new(0x81, b"not text \xFF at all"), 1007),
        (Frame::new(0x82, [0; 300]), 1009),
    ]
}

const LIMITS: Limits =
    Limits { frame_bytes_max: 200, message_bytes_max: 200, held_bytes_max: 1 << 20, context_bytes_max: 0 };

#[test]
fn rfc6455_7_1_7_after_a_fault_the_next_event_is_the_peers_close() {
    for (fault, code) in faults() {
        let ignored = [Frame::new(0x81, "text"), Frame::new(0x89, "ping"), Frame::new(0x02, [7; 130])];
        let unread = [std::slice::from_ref(&fault), &ignored].concat();
        super::check_frames_with(&unread, &LIMITS, &[Seen::Failed(code)]);
        for payload in [&b""[..], b"\x03\xea", b"\x03\xea why", b"?"] {
            let closed = [Frame::new(0x88, payload), Frame::new(0x81, "after the end")];
            let at_once = [std::slice::from_ref(&fault), &closed].concat();
            let expected = [Seen::Failed(code), Seen::Finished];
            super::check_frames_with(&at_once, &LIMITS, &expected);
            super::check_frames_with(&[unread.clone(), closed.to_vec()].concat(), &LIMITS, &expected);
        }
    }
}

#[test]
fn rfc6455_7_1_7_an_empty_close_at_the_end_of_the_input_is_seen_at_once() {
    for close in [Frame::new(0x88, ""), Frame::new(0x88, "").wrongly_masked()] {
        let frames = [Frame::new(0xFF, "fault"), close];
        check_frames(&frames, &[Seen::Failed(1002), Seen::Finished]);
    }
    check_frames(&[Frame::new(0x88, "").wrongly_masked()], &[Seen::Failed(1002), Seen::Finished]);
    check_frames(&[Frame::new(0xC8, "")], &[Seen::Failed(1002), Seen::Finished]);
}

#[test]
fn rfc6455_7_1_7_frames_of_any_size_are_stepped_over() {
    for length in [125, 126, 65535, 65536, 300_000] {
        let frames =
            [Frame::new(0xC2, vec![0x88; length]), Frame::new(0x82, vec![0; length]), Frame::new(0x88, "")];
        check_frames(&frames, &[Seen::Failed(1002), Seen::Finished]);
    }
    let endless = [Frame::new(0x82, "x").announcing(u64::MAX), Frame::new(0x88, "")];
    check_frames(&endless, &[Seen::Failed(1002)]);
}

#[test]
fn a_walk_that_stops_at_the_fault_goes_on_with_the_next_input() {
    let mut connection = Connection::<Server>::new();
    let mut resources = Resources::new(Limits::default());
    let mut input = wire::stream(&[Frame::new(0x88, "x")], true);
    assert!(matches!(connection.receive(&mut input, &mut resources).next(), Some(Event::Failed(_))));
    assert!(matches!(connection.receive(&mut [], &mut resources).next(), Some(Event::Finished)));
    assert!(connection.receive(&mut [], &mut resources).next().is_none());
}

#[test]
fn empty_input_changes_nothing() {
    let input = wire::stream(&[Frame::new(0x81, "split")], false);
    for cut in 0..=input.len() {
        let pieces = [&[][..], &input[..cut], &[], &[], &input[cut..], &[]];
        assert_eq!(feed::<Client>(&pieces, &Limits::default()), [super::text("split")]);
    }
}

#[test]
fn it_is_within_a_message_from_the_first_octet_to_the_last() {
    let frames = [Frame::new(0x01, "a"), Frame::new(0x89, "p"), Frame::new(0x80, "b"), Frame::new(0x8A, "q")];
    let ends: Vec<usize> = (0..=4).map(|count| wire::stream(&frames[..count], true).len()).collect();
    let input = wire::stream(&frames, true);
    let mut connection = Connection::<Server>::new();
    let mut resources = Resources::new(Limits::default());
    for at in 0..=input.len() {
        let between_messages = [0, ends[3], ends[4]].contains(&at);
        assert_eq!(connection.is_within_message(), !between_messages, "after {at} octets");
        if let Some(octet) = input.get(at) {
            receive(&mut connection, &mut resources, &[*octet], &mut Vec::new());
        }
    }
}

#[test]
fn after_a_close_nothing_is_unfinished() {
    let frames = [Frame::new(0x01, "unfinished"), Frame::new(0x88, b"\x03\xe8 done")];
    let input = wire::stream(&frames, true);
    for cut in 0..=input.len() {
        let mut connection = Connection::<Server>::new();
        let mut resources = Resources::new(Limits::default());
        for piece in [&input[..cut], &input[cut..]] {
            receive(&mut connection, &mut resources, piece, &mut Vec::new());
        }
        assert!(!connection.is_within_message(), "cut at {cut}");
        assert_eq!(resources.held_bytes(), 0, "cut at {cut}");
    }
}

#[test]
fn abandoning_gives_back_what_is_held_at_any_octet() {
    let frames = [Frame::new(0x01, "text"), Frame::new(0x89, "ping"), Frame::new(0x80, "more")];
    let input = wire::stream(&frames, true);
    for cut in 0..=input.len() {
        let mut connection = Connection::<Server>::new();
        let mut resources = Resources::new(Limits::default());
        receive(&mut connection, &mut resources, &input[..cut], &mut Vec::new());
        let held = resources.held_bytes();
        assert!(held <= cut, "{held} held of {cut} received");
        connection.abandon(&mut resources);
        connection.abandon(&mut resources);
        assert_eq!(resources.held_bytes(), 0);
    }
}

#[test]
fn a_message_that_a_handler_did_not_look_at_is_given_back_all_the_same() {
    let mut connection = Connection::<Server>::new();
    let mut resources = Resources::new(Limits::default());
    let mut input = wire::stream(&[Frame::new(0x02, [1; 50]), Frame::new(0x80, [2; 50])], true);
    assert!(connection.receive(&mut input, &mut resources).next().is_some());
    assert_eq!(resources.held_bytes(), 0);
    assert!(!connection.is_within_message());
}
