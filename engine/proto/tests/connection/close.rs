//! Sections 5.5.1 and 7: the closing handshake.

use super::support::wire::{self, Frame};
use super::{Seen, binary, check_frames, close, feed, receive};
use wsring_proto::{
    Client, CloseCode, CloseReason, Connection, Kind, Limits, Masking, Resources, Role, Server,
};

#[test]
fn rfc6455_5_5_1_payloads_of_a_close() {
    let longest = "r".repeat(123);
    let table: [(&[u8], Seen); 6] = [
        (b"", close(1005, "")),
        (b"\x03\xe8", close(1000, "")),
        (b"\x03\xe9bye", close(1001, "bye")),
        (b"\x0d\x80bye \xC3\xA9", close(3456, "bye é")),
        (b"\x13\x87\0", close(4999, "\0")),
        (&[b"\x03\xe8", longest.as_bytes()].concat(), close(1000, &longest)),
    ];
    for (payload, expected) in table {
        check_frames(&[Frame::new(0x88, payload)], std::slice::from_ref(&expected));
        let between_fragments = [Frame::new(0x02, "unfinished"), Frame::new(0x88, payload)];
        check_frames(&between_fragments, &[expected]);
    }
}

#[test]
fn rfc6455_5_5_1_faulty_payloads_end_the_connection() {
    let table: [(&[u8], u16); 6] = [
        (b"\x03", 1002),
        (b"\0", 1002),
        (b"\x03\xe8\xFF", 1007),
        (b"\x03\xe8ok \xE2\x82", 1007),
        (b"\x03\xed", 1002),
        (b"\x03\xed\xFF", 1002),
    ];
    for (payload, code) in table {
        let expected = [Seen::Failed(code), Seen::Finished];
        let after = Frame::new(0x82, "ignored");
        check_frames(&[Frame::new(0x88, payload)], &expected);
        check_frames(&[Frame::new(0x88, payload), after.clone()], &expected);
        check_frames(&[Frame::new(0x02, "unfinished"), Frame::new(0x88, payload), after], &expected);
    }
}

#[test]
fn rfc6455_7_4_every_close_code() {
    for code in 0..=u16::MAX {
        let sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected =
            if sendable { vec![close(code, "")] } else { vec![Seen::Failed(1002), Seen::Finished] };
        let input = wire::stream(&[Frame::new(0x88, code.to_be_bytes())], true);
        assert_eq!(feed::<Server>(&[&input], &Limits::default()), expected, "{code}");
        assert_eq!(
            feed::<Server>(&[&input[..7], &input[7..]], &Limits::default()),
            expected,
            "{code} in pieces"
        );
        let input = wire::stream(&[Frame::new(0x88, code.to_be_bytes())], false);
        assert_eq!(feed::<Client>(&[&input], &Limits::default()), expected, "{code}");
    }
}

#[test]
fn rfc6455_5_5_1_what_follows_a_close_is_ignored_right_or_wrong() {
    let followers = [
        Frame::new(0x81, "text"),
        Frame::new(0x89, "ping"),
        Frame::new(0x88, b"\x03\xe8"),
        Frame::new(0xFF, "nonsense"),
        Frame::new(0x82, "").announcing(u64::MAX),
        Frame::new(0x81, b"\xFF"),
    ];
    for follower in followers {
        check_frames(&[Frame::new(0x88, b"\x03\xe8"), follower], &[close(1000, "")]);
    }
}

#[test]
fn rfc6455_5_5_1_after_our_own_close_the_peer_may_go_on_until_its_close() {
    let mut connection = Connection::<Server>::new();
    let mut resources = Resources::new(Limits::default());
    let mut seen = Vec::new();
    let mut out = Vec::new();
    let reason = CloseReason { code: Some(CloseCode::GOING_AWAY), reason: "" };
    connection.close(&mut out, reason, &mut Masking::new([7; 32]));
    assert_eq!(out, b"\x88\x02\x03\xe9");
    let frames = [Frame::new(0x82, "under way"), Frame::new(0x89, "p"), Frame::new(0x88, b"\x03\xe9")];
    receive(&mut connection, &mut resources, &wire::stream(&frames, true), &mut seen);
    assert_eq!(seen, [binary("under way"), super::ping("p"), close(1001, "")]);
}

/// What a connection in each state allows: data, and Pongs (sections 5.5.1, 5.5.2 and 7.1.7).
fn allows<R: Role>(connection: &Connection<R>) -> (bool, bool) {
    let mut masking = Masking::new([1; 32]);
    let mut out = Vec::new();
    let sent = connection.message(&mut out, Kind::Text, b"x", &mut masking);
    assert_eq!(sent, !out.is_empty());
    assert_eq!(sent, connection.is_open());
    (sent, connection.may_pong())
}

#[test]
fn rfc6455_7_1_states_allow_what_they_should() {
    let mut resources = Resources::new(Limits::default());
    let mut after = |we_closed: bool, frames: &[Frame]| {
        let mut connection = Connection::<Client>::new();
        if we_closed {
            connection.sent_close();
        }
        receive(&mut connection, &mut resources, &wire::stream(frames, false), &mut Vec::new());
        connection.sent_close();
        allows(&connection)
    };
    assert_eq!(allows(&Connection::<Server>::new()), (true, true), "open");
    assert_eq!(after(false, &[]), (false, true), "closing");
    assert_eq!(after(true, &[Frame::new(0x81, "x")]), (false, true), "closing");
    assert_eq!(after(false, &[Frame::new(0x88, "")]), (false, false), "closed by the peer");
    assert_eq!(after(true, &[Frame::new(0x88, "")]), (false, false), "closed by both");
    assert_eq!(after(false, &[Frame::new(0xFF, "")]), (false, false), "failed");
    assert_eq!(after(true, &[Frame::new(0xFF, "")]), (false, false), "failed while closing");
    assert_eq!(after(false, &[Frame::new(0x88, "x")]), (false, false), "failed in the Close");
}

#[test]
fn what_we_write_as_a_close_the_other_side_reads() {
    let long = "é".repeat(100);
    let table = [
        (None, "not sent without a code", close(1005, "")),
        (Some(1000), "", close(1000, "")),
        (Some(4000), "bye", close(4000, "bye")),
        (Some(1013), long.as_str(), close(1013, &long[..122])),
    ];
    for (code, reason, expected) in table {
        let reason = CloseReason { code: code.and_then(CloseCode::new), reason };
        let mut masking = Masking::new([3; 32]);
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        Connection::<Client>::new().close(&mut from_client, reason, &mut masking);
        Connection::<Server>::new().close(&mut from_server, reason, &mut masking);
        assert_eq!(super::check::<Server>(&from_client, &Limits::default()), std::slice::from_ref(&expected));
        assert_eq!(super::check::<Client>(&from_server, &Limits::default()), [expected]);
    }
}
