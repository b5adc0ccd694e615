//! What a peer can make us hold and copy, counted in allocations (reliability of sections 5.4 and 10.4).

use super::support::wire::{self, Frame, fragments};
use allocation_counter::{AllocationInfo, measure};
use wsring_proto::{Connection, Event, Framed, Limits, Masking, Resources, Server};

/// Hands `input` over in pieces of `piece` bytes, which must hold `messages` messages in all.
fn count(resources: &mut Resources, input: &mut [u8], piece: usize, messages: usize) -> AllocationInfo {
    measure(|| {
        let mut connection = Connection::<Server>::new();
        let mut seen = 0;
        for piece in input.chunks_mut(piece) {
            let mut receiving = connection.receive(piece, resources);
            while let Some(event) = receiving.next() {
                seen += usize::from(matches!(event, Event::Message(_)));
            }
        }
        connection.abandon(resources);
        assert_eq!(resources.held_bytes(), 0);
        assert_eq!(seen, messages);
    })
}

fn resources() -> Resources {
    Resources::new(Limits::default())
}

#[test]
fn a_connection_takes_some_fifty_bytes() {
    assert!(size_of::<Connection<Server>>() <= 56, "{}", size_of::<Connection<Server>>());
}

#[test]
fn whole_frames_are_received_and_echoed_without_an_allocation() {
    let mut frames = Vec::new();
    for length in [0, 1, 20, 125, 126, 1024, 65535, 65536] {
        frames.extend([Frame::new(0x81, vec![b'a'; length]), Frame::new(0x82, vec![0xFF; length])]);
        frames.push(Frame::new(0x89, "between"));
    }
    let mut input = wire::stream(&frames, true);
    let (mut masking, mut resources) = (Masking::new([0; 32]), resources());
    let info = measure(|| {
        let mut connection = Connection::<Server>::new();
        let mut receiving = connection.receive(&mut input, &mut resources);
        while let Some(event) = receiving.next() {
            let Event::Message(message) = event else { continue };
            assert!(!message.is_gathered());
            let framed = message.frame_in_place::<Server>(&mut masking);
            assert!(matches!(framed, Ok(Framed::Input(_))));
        }
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn assemblies_are_used_again() {
    let mut input = wire::stream(&fragments(1, &[b'a'; 5000], 100), true);
    let mut again = input.clone();
    let mut resources = resources();
    assert!(count(&mut resources, &mut input, 7, 1).count_total > 0);
    let info = count(&mut resources, &mut again, 7, 1);
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn control_frames_in_pieces_use_assemblies_again_too() {
    let mut input = wire::stream(&[Frame::new(0x89, [1; 125]), Frame::new(0x8A, [2; 3])], true);
    let mut again = input.clone();
    let mut resources = resources();
    count(&mut resources, &mut input, 1, 0);
    let info = count(&mut resources, &mut again, 1, 0);
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn rfc6455_5_4_64_ki_fragments_of_one_byte_cost_like_one_of_64_kib() {
    const BYTES: usize = 64 << 10;
    for piece in [1, 7, 1500, 1 << 20] {
        let mut input = wire::stream(&fragments(2, &[1; BYTES], 1), true);
        let info = count(&mut resources(), &mut input, piece, 1);
        // Doubling: the last step has the old and the new buffer, and all before it as much again.
        assert!(info.bytes_max <= 3 * BYTES as u64 + 4096, "in pieces of {piece}: {info:?}");
        assert!(info.bytes_total <= 4 * BYTES as u64 + 4096, "in pieces of {piece}: {info:?}");
        assert!(info.count_total <= 16, "in pieces of {piece}: {info:?}");
    }
}

#[test]
fn rfc6455_5_4_empty_fragments_cost_nothing() {
    let mut frames = vec![Frame::new(0x02, "")];
    frames.extend((0..100_000).map(|_| Frame::new(0x00, "")));
    let mut input = wire::stream(&frames, true);
    let info = count(&mut resources(), &mut input, 1500, 0);
    assert!(info.bytes_max <= 512 && info.count_total <= 4, "{info:?}");
}

#[test]
fn rfc6455_10_4_an_announced_length_allocates_nothing() {
    let limits = Limits {
        frame_bytes_max: u64::MAX,
        message_bytes_max: usize::MAX,
        held_bytes_max: usize::MAX,
        ..Limits::default()
    };
    for length in [60 << 20, u64::from(u32::MAX), (1 << 63) - 1] {
        let frames = [Frame::new(0x82, [1; 100]).announcing(length)];
        let info = count(&mut Resources::new(limits), &mut wire::stream(&frames, true), 50, 0);
        assert!(info.bytes_max <= 4096, "{length} announced: {info:?}");
    }
}

#[test]
fn a_burst_leaves_nothing_behind() {
    const BYTES: usize = 16 << 20;
    let mut resources = resources();
    let mut input = wire::stream(&[Frame::new(0x82, vec![1; BYTES])], true);
    let info = count(&mut resources, &mut input, 64 << 10, 1);
    assert!(info.bytes_max <= 2 * BYTES as u64, "a copy while it grows, no more: {info:?}");
    assert!(info.bytes_total <= 3 * BYTES as u64, "{info:?}");
    assert!(info.bytes_current <= 4096, "{info:?}");
}

/// Begins a message of `bytes` on each of `connections`, abandons them all, and says what is kept.
fn kept_after_bursts(connections: usize, bytes: usize) -> i64 {
    let frames = wire::stream(&[Frame::new(0x02, vec![1; bytes])], true);
    let mut input = frames.clone();
    let mut resources = resources();
    let info = measure(|| {
        let mut connections: Vec<_> = (0..connections).map(|_| Connection::<Server>::new()).collect();
        for connection in &mut connections {
            input.copy_from_slice(&frames);
            while connection.receive(&mut input, &mut resources).next().is_some() {}
        }
        assert_eq!(resources.held_bytes(), connections.len() * bytes);
        connections.iter_mut().for_each(|connection| connection.abandon(&mut resources));
        assert_eq!(resources.held_bytes(), 0);
    });
    info.bytes_current
}

#[test]
fn many_bursts_at_once_leave_a_bounded_pool() {
    let short = kept_after_bursts(1000, 8000);
    assert!(short <= 256 * (16 << 10) + 8192, "{short}");
    let long = kept_after_bursts(40, 600_000);
    assert!(long <= 8 * 1088 * 1024 + 65536, "{long}");
}

#[test]
fn a_gathered_message_taken_away_is_no_longer_counted() {
    let mut input = wire::stream(&fragments(2, &[5; 40_000], 1000), true);
    let (mut connection, mut resources) = (Connection::<Server>::new(), resources());
    let mut masking = Masking::new([0; 32]);
    let mut receiving = connection.receive(&mut input, &mut resources);
    let Some(Event::Message(message)) = receiving.next() else { panic!("no message") };
    assert!(message.is_gathered());
    let Ok(Framed::Owned { bytes, start }) = message.frame_in_place::<Server>(&mut masking) else {
        panic!("gathered messages always fit")
    };
    assert!(receiving.next().is_none());
    assert_eq!(receiving.parts().1.held_bytes(), 0);
    assert_eq!(bytes.len() - start, 4 + 40_000);
}
