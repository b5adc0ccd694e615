//! Limits: which close code, and on sight of what (RFC 6455 sections 7.4.1 and 10.4).

use super::support::wire::{self, Frame, fragments};
use super::{Seen, binary, check_frames_with, close, ping, receive, text};
use wsring_proto::{Connection, Limits, Resources, Server};

const SMALL: Limits =
    Limits { frame_bytes_max: 100, message_bytes_max: 150, held_bytes_max: 1 << 20, context_bytes_max: 0 };

#[test]
fn a_frame_of_the_limit_passes_and_one_byte_more_is_1009() {
    check_frames_with(&[Frame::new(0x82, [1; 100])], &SMALL, &[binary([1; 100])]);
    check_frames_with(&[Frame::new(0x82, [1; 101])], &SMALL, &[Seen::Failed(1009)]);
    check_frames_with(&[Frame::new(0x02, [1; 101])], &SMALL, &[Seen::Failed(1009)]);
    let in_a_continuation = [Frame::new(0x01, "a"), Frame::new(0x80, [b'a'; 101])];
    check_frames_with(&in_a_continuation, &SMALL, &[Seen::Failed(1009)]);
}

#[test]
fn a_message_of_the_limit_passes_and_one_byte_more_is_1009() {
    for bytes in [1, 7, 50, 100] {
        check_frames_with(&fragments(1, &[b'm'; 150], bytes), &SMALL, &[text([b'm'; 150])]);
        check_frames_with(&fragments(1, &[b'm'; 151], bytes), &SMALL, &[Seen::Failed(1009)]);
    }
    let tight = Limits { message_bytes_max: 10, ..SMALL };
    check_frames_with(&[Frame::new(0x82, [0; 10])], &tight, &[binary([0; 10])]);
    check_frames_with(&[Frame::new(0x82, [0; 11])], &tight, &[Seen::Failed(1009)]);
    let none = Limits { frame_bytes_max: 0, message_bytes_max: 0, held_bytes_max: 0, context_bytes_max: 0 };
    check_frames_with(
        &[Frame::new(0x82, ""), Frame::new(0x82, "a")],
        &none,
        &[binary(""), Seen::Failed(1009)],
    );
}

#[test]
fn the_limit_is_on_each_message_not_on_their_sum_and_not_on_control_frames() {
    let whole = Frame::new(0x82, [1; 100]);
    let frames = [whole.clone(), whole.clone(), whole, Frame::new(0x89, [2; 125]), Frame::new(0x88, "")];
    let expected = [binary([1; 100]), binary([1; 100]), binary([1; 100]), ping([2; 125]), close(1005, "")];
    check_frames_with(&frames, &SMALL, &expected);
}

#[test]
fn the_sum_of_fragments_does_not_overflow() {
    let boundless = Limits { frame_bytes_max: u64::MAX, ..SMALL };
    for length in [151, u64::from(u32::MAX), (1 << 63) - 1] {
        let frames = [Frame::new(0x02, "ab"), Frame::new(0x80, "").announcing(length)];
        check_frames_with(&frames, &boundless, &[Seen::Failed(1009)]);
    }
    let most = Limits { frame_bytes_max: u64::MAX, message_bytes_max: usize::MAX, ..SMALL };
    let frames = [Frame::new(0x02, "ab"), Frame::new(0x80, "c").announcing((1 << 63) - 1)];
    check_frames_with(&frames, &most, &[]);
}

#[test]
fn a_limit_acts_on_sight_of_the_header_before_any_payload() {
    let too_long = [
        Frame::new(0x82, "").announcing(101),
        Frame::new(0x02, "").announcing(1 << 40),
        Frame::new(0x81, "").announcing((1 << 63) - 1),
    ];
    for frame in too_long {
        check_frames_with(&[frame], &SMALL, &[Seen::Failed(1009)]);
    }
    let frames = [Frame::new(0x01, [b'a'; 100]), Frame::new(0x00, "").announcing(51)];
    check_frames_with(&frames, &SMALL, &[Seen::Failed(1009)]);
}

#[test]
fn the_code_of_a_broken_rule_comes_before_that_of_a_limit() {
    let frames = [
        Frame::new(0xC2, "").announcing(1000),
        Frame::new(0x80, "").announcing(1000),
        Frame::new(0x82, "").announcing(1000).wrongly_masked(),
        Frame::new(0x82, "").announcing(1000).extended(8),
    ];
    for frame in frames {
        check_frames_with(&[frame], &SMALL, &[Seen::Failed(1002)]);
    }
}

/// Connections that share one [`Resources`], as those of a shard do.
struct Shard {
    connections: Vec<Connection<Server>>,
    resources: Resources,
}

impl Shard {
    fn new(connections: usize, held_bytes_max: usize) -> Self {
        let limits = Limits { held_bytes_max, ..Limits::default() };
        let connections = (0..connections).map(|_| Connection::new()).collect();
        Self { connections, resources: Resources::new(limits) }
    }

    fn receive(&mut self, connection: usize, frame: Frame) -> Vec<Seen> {
        let mut seen = Vec::new();
        let input = wire::stream(&[frame], true);
        receive(&mut self.connections[connection], &mut self.resources, &input, &mut seen);
        seen
    }

    fn assert_quiet(mut self) {
        self.connections.iter_mut().for_each(|connection| connection.abandon(&mut self.resources));
        assert_eq!(self.resources.held_bytes(), 0);
    }
}

#[test]
fn what_all_hold_together_is_limited_and_only_the_one_that_exceeds_it_fails() {
    let mut shard = Shard::new(3, 100);
    assert_eq!(shard.receive(0, Frame::new(0x02, [1; 60])), []);
    assert_eq!(shard.receive(1, Frame::new(0x02, [2; 40])), []);
    assert_eq!(shard.resources.held_bytes(), 100);
    assert_eq!(shard.receive(2, Frame::new(0x82, [3; 5000])), [binary([3; 5000])], "whole: nothing to hold");
    assert_eq!(shard.receive(2, Frame::new(0x01, "x")), [Seen::Failed(1009)]);
    assert_eq!(shard.resources.held_bytes(), 100);
    assert_eq!(shard.receive(0, Frame::new(0x80, "")), [binary([1; 60])]);
    assert_eq!(shard.resources.held_bytes(), 40);
    assert_eq!(shard.receive(1, Frame::new(0x00, [2; 60])), [], "there is room again");
    assert_eq!(shard.receive(0, Frame::new(0x02, "y")), [Seen::Failed(1009)]);
    assert_eq!(shard.receive(1, Frame::new(0x88, "")), [close(1005, "")]);
    assert_eq!(shard.resources.held_bytes(), 0, "given back by the Close");
    shard.assert_quiet();
}

#[test]
fn a_frame_in_pieces_holds_what_has_arrived_of_it() {
    let mut shard = Shard::new(1, 1000);
    assert_eq!(shard.receive(0, Frame::new(0x82, [1; 10]).announcing(900)), []);
    assert_eq!(shard.resources.held_bytes(), 10);
    assert!(shard.connections[0].is_within_message());
    shard.assert_quiet();
}

#[test]
fn nothing_of_one_connection_reaches_another_through_what_they_share() {
    type End = fn(&mut Shard);
    let ends: [(&str, End); 3] = [
        ("abandoned", |shard| shard.connections[0].abandon(&mut shard.resources)),
        ("closed", |shard| assert_eq!(shard.receive(0, Frame::new(0x88, "")), [close(1005, "")])),
        ("failed", |shard| assert_eq!(shard.receive(0, Frame::new(0x00, b"\xFF")), [Seen::Failed(1007)])),
    ];
    for (name, end) in ends {
        let mut shard = Shard::new(2, 100);
        assert_eq!(shard.receive(0, Frame::new(0x01, b"secret \xF0\x90")), []);
        end(&mut shard);
        assert_eq!(shard.receive(1, Frame::new(0x01, "another ")), [], "after one that was {name}");
        assert_eq!(
            shard.receive(1, Frame::new(0x80, "text")),
            [text("another text")],
            "after one that was {name}"
        );
        shard.assert_quiet();
    }
}

#[test]
fn violations_say_what_was_allowed() {
    let mut input = wire::stream(&[Frame::new(0x82, [1; 101])], true);
    let mut connection = Connection::<Server>::new();
    let mut resources = Resources::new(SMALL);
    let mut receiving = connection.receive(&mut input, &mut resources);
    let Some(wsring_proto::Event::Failed(violation)) = receiving.next() else { panic!("accepted") };
    assert_eq!(violation.to_string(), "a frame of 101 bytes exceeds the limit of 100");
}
