//! [`Message::frame_in_place`]: what it writes decodes to the message that it was made of.

use super::owned_message;
use super::support::oracle::{self, Seen};
use super::support::wire::{self, Frame, fragments};
use wsring_proto::{Client, Connection, Event, Framed, Limits, Masking, Message, Resources, Role, Server};

const LENGTHS: [usize; 13] = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 65535, 65536, 65537];

/// How a message came out of `frame_in_place`.
#[derive(Debug, PartialEq)]
enum Came {
    /// In the input, without a payload byte moved.
    InPlace,
    Owned,
    /// Given back as it was.
    Back,
}

/// Receives `pieces`, makes each message a frame in place, and compares the frames with the messages.
fn echo<R: Role>(pieces: &[&[u8]]) -> Vec<Came> {
    let mut connection = Connection::<R>::new();
    let mut resources = Resources::new(Limits::default());
    let mut masking = Masking::new([9; 32]);
    let mut came = Vec::new();
    for piece in pieces {
        let mut input = piece.to_vec();
        let mut framed = Vec::new();
        let mut receiving = connection.receive(&mut input, &mut resources);
        while let Some(event) = receiving.next() {
            let Event::Message(message) = event else { continue };
            framed.push(frame::<R>(message, &mut masking));
        }
        drop(receiving);
        came.extend(framed.into_iter().map(|(message, framed)| judge::<R>(&input, message, framed)));
    }
    assert!(!connection.is_within_message());
    assert_eq!(resources.held_bytes(), 0);
    came
}

fn frame<R: Role>(message: Message<'_>, masking: &mut Masking) -> (Seen, Option<Framed>) {
    let seen = owned_message(&message);
    let place = message.payload().as_ptr();
    match message.frame_in_place::<R>(masking) {
        Ok(framed) => {
            if let Framed::Owned { bytes, start } = &framed {
                assert!(
                    bytes.capacity() == 0
                        || bytes[*start..].as_ptr_range().contains(&place)
                        || is_empty(&seen)
                );
            }
            (seen, Some(framed))
        }
        Err(message) => {
            assert_eq!(owned_message(&message), seen, "given back changed");
            (seen, None)
        }
    }
}

fn is_empty(seen: &Seen) -> bool {
    matches!(seen, Seen::Message { payload, .. } if payload.is_empty())
}

fn judge<R: Role>(input: &[u8], message: Seen, framed: Option<Framed>) -> Came {
    let (frame, came) = match &framed {
        Some(Framed::Input(range)) => (&input[range.clone()], Came::InPlace),
        Some(Framed::Owned { bytes, start }) => (&bytes[*start..], Came::Owned),
        None => return Came::Back,
    };
    assert_eq!(oracle::decode(frame, R::MASKS, u64::MAX, u64::MAX), [message]);
    came
}

#[test]
fn a_server_echoes_every_whole_frame_in_place() {
    for length in LENGTHS {
        for first in [0x81, 0x82] {
            let frames =
                [Frame::new(first, vec![b'e'; length]), Frame::new(0x89, "p"), Frame::new(first, "2nd")];
            let input = wire::stream(&frames, true);
            assert_eq!(echo::<Server>(&[&input]), [Came::InPlace, Came::InPlace], "{length}");
        }
    }
}

#[test]
fn a_server_needs_as_much_of_the_header_in_the_same_input_as_its_own_takes() {
    for length in LENGTHS {
        let input = wire::stream(&[Frame::new(0x82, vec![b'e'; length])], true);
        let header = input.len() - length;
        for cut in 0..=header {
            let (before, after) = input.split_at(cut);
            let expected = match header - cut {
                _ if cut == header && length == 0 => Came::InPlace,
                0 => Came::Owned,
                room if room < header - 4 => Came::Back,
                _ => Came::InPlace,
            };
            assert_eq!(
                echo::<Server>(&[before, after]),
                [expected],
                "{length} bytes, cut at {cut} of {header}"
            );
        }
    }
}

#[test]
fn a_client_has_no_room_in_the_input_for_a_key() {
    for length in LENGTHS {
        let input = wire::stream(&[Frame::new(0x82, vec![b'c'; length])], false);
        assert_eq!(echo::<Client>(&[&input]), [Came::Back], "{length}");
    }
}

#[test]
fn gathered_messages_are_framed_where_they_lie_in_both_roles() {
    for length in LENGTHS {
        let payload = vec![b'g'; length];
        let frames = match length {
            0 => vec![Frame::new(0x01, ""), Frame::new(0x80, "")],
            _ => fragments(1, &payload, length.div_ceil(3)),
        };
        let frames =
            if frames.len() == 1 { vec![Frame::new(0x01, &payload), Frame::new(0x80, "")] } else { frames };
        let twice = [frames.clone(), frames].concat();
        let from_client = wire::stream(&twice, true);
        let from_server = wire::stream(&twice, false);
        assert_eq!(echo::<Server>(&[&from_client]), [Came::Owned, Came::Owned], "{length}");
        assert_eq!(echo::<Client>(&[&from_server]), [Came::Owned, Came::Owned], "{length}");
    }
}

#[test]
fn a_payload_changed_in_place_goes_out_changed() {
    let mut input = wire::stream(&[Frame::new(0x81, "shout")], true);
    let (mut connection, mut resources) = (Connection::<Server>::new(), Resources::new(Limits::default()));
    let mut receiving = connection.receive(&mut input, &mut resources);
    let Some(Event::Message(mut message)) = receiving.next() else { panic!("no message") };
    message.payload_mut().make_ascii_uppercase();
    assert_eq!(message.text(), Some("SHOUT"));
    let framed = message.frame_in_place::<Server>(&mut Masking::new([0; 32]));
    let Ok(Framed::Input(range)) = framed else { panic!("not in place") };
    drop(receiving);
    assert_eq!(input[range], *b"\x81\x05SHOUT");
}

#[test]
fn rfc6455_5_3_every_frame_of_a_client_has_a_key_of_its_own() {
    let connection = Connection::<Client>::new();
    let mut masking = Masking::new([42; 32]);
    let mut keys: Vec<[u8; 4]> = (0..1000)
        .map(|_| {
            let mut out = Vec::new();
            assert!(connection.message(&mut out, wsring_proto::Kind::Binary, &[0; 4], &mut masking));
            assert_eq!(out[2..6], out[6..10], "zeros masked are the key");
            [out[2], out[3], out[4], out[5]]
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 1000);
}
