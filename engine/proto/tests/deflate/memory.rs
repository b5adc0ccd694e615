//! What compression costs in memory: nothing where it was not agreed on, little where nothing is taken over.

use super::wire::{self, Frame};
use super::{Peer, Seen, agreed, json, receive};
use allocation_counter::measure;
use wsring_proto::deflate::Deflate;
use wsring_proto::{Client, Connection, Limits, Resources, Server};

#[test]
fn a_connection_is_not_larger_for_it() {
    assert!(size_of::<Connection<Server>>() <= 40, "{}", size_of::<Connection<Server>>());
    assert_eq!(size_of::<Connection<Client>>(), size_of::<Connection<Server>>());
    assert_eq!(size_of::<Deflate>(), 1);
}

#[test]
fn without_takeover_an_idle_connection_holds_nothing() {
    let mut resources = Resources::new(Limits::default());
    let frame = wire::stream(&[Frame::new(0xc2, Peer::new(false, 15, 6).message(&json(20_000, 1)))], true);
    let mut connections = Vec::with_capacity(100);
    let mut seen = Vec::with_capacity(1000);
    receive(
        &mut Connection::<Server>::with_deflate(agreed(false, 15), &mut resources),
        &mut resources,
        &frame,
        &mut seen,
    );
    let info = measure(|| {
        for _ in 0..100 {
            let mut connection = Connection::<Server>::with_deflate(agreed(false, 15), &mut resources);
            receive(&mut connection, &mut resources, &frame, &mut seen);
            connections.push(connection);
            seen.clear();
        }
    });
    assert_eq!(info.bytes_current, -(20_000), "only what was seen at first was freed: {info:?}");
}

#[test]
fn with_takeover_an_idle_connection_holds_its_window_as_far_as_it_is_filled() {
    for window_bits in 8..=15 {
        for bytes in [100, 40_000] {
            let mut resources = Resources::new(Limits::default());
            let frame = wire::stream(
                &[Frame::new(0xc2, Peer::new(false, 9.max(window_bits), 6).message(&json(bytes, 1)))],
                true,
            );
            let mut connections = Vec::with_capacity(21);
            let mut connect = |resources: &mut Resources| {
                let mut connection = Connection::<Server>::with_deflate(agreed(true, window_bits), resources);
                let mut seen = Vec::with_capacity(1);
                receive(&mut connection, resources, &frame, &mut seen);
                assert_eq!(seen, [Seen::Binary(json(bytes, 1))]);
                connections.push(connection);
            };
            connect(&mut resources);
            let info = measure(|| (0..20).for_each(|_| connect(&mut resources)));
            let each = info.bytes_current as usize / 20;
            let window = (1usize << window_bits).min(bytes.next_power_of_two());
            assert!(
                each >= window && each <= window + 128,
                "{each} for {window_bits} bits and {bytes} bytes"
            );
            assert_eq!(resources.contexts(), 21);
            connections.iter_mut().for_each(|connection| connection.abandon(&mut resources));
            assert_eq!(resources.contexts(), 0);
        }
    }
}

#[test]
fn an_inflater_holds_what_is_counted_for_it() {
    let mut resources = Resources::new(Limits::default());
    let mut connection = Connection::<Server>::with_deflate(agreed(false, 15), &mut resources);
    let mut frame = wire::stream(&[Frame::new(0xc2, [0x00])], true);
    let info = measure(|| while connection.receive(&mut frame, &mut resources).next().is_some() {});
    let counted = resources.context_bytes() as i64;
    // Beyond it there is what gathers the message.
    assert!((counted..counted + 2048).contains(&info.bytes_current), "{} for {counted}", info.bytes_current);
}

#[test]
fn what_was_received_is_counted() {
    let mut resources = Resources::new(Limits::default());
    let mut connection = Connection::<Server>::with_deflate(agreed(false, 15), &mut resources);
    let payload = Peer::new(false, 15, 6).message(&json(5000, 1));
    let wire_bytes = payload.len() as u64;
    let frames = [Frame::new(0xc2, payload), Frame::new(0x82, "plain")];
    receive(&mut connection, &mut resources, &wire::stream(&frames, true), &mut Vec::new());
    let figures = resources.inflated();
    assert_eq!((figures.messages, figures.plain_bytes, figures.wire_bytes), (1, 5000, wire_bytes));
}
