//! Every interleaving of a segment's appender and its readers; runs under `--cfg loom` alone
//! (`./ci.sh loom`).

#![cfg(loom)]

use loom::thread;
use wsring_io::{Appender, Segment, State};

const ALL: &[u8] = b"abcde";
/// Room for all of them, with where each ends.
const CAPACITY: usize = 5 + 2 * 4;
/// How many bytes so many messages are.
const ENDS: [u32; 3] = [0, 2, 5];

/// Looks once: everything told of is there, whole.
fn look(segment: &Segment) -> State {
    let state = segment.state();
    assert_eq!(state.bytes, ENDS[state.messages as usize], "messages and bytes belong together");
    assert!(!state.sealed || state.messages == 2, "the seal comes after the last message");
    let bytes = state.bytes as usize;
    assert_eq!(segment.bytes(0..bytes), &ALL[..bytes]);
    for number in 0..state.messages {
        let (start, end) = (ENDS[number as usize], ENDS[number as usize + 1]);
        assert_eq!(segment.message(number), &ALL[start as usize..end as usize]);
    }
    state
}

fn fill(appender: &mut Appender) {
    assert!(appender.append(&[b"a", b"b"]));
    assert!(appender.append(&[b"cde"]));
    appender.seal();
}

#[test]
fn a_reader_sees_what_it_was_told_of() {
    loom::model(|| {
        let mut appender = Appender::new(CAPACITY);
        let reader = thread::spawn({
            let segment = appender.segment().clone();
            move || {
                let first = look(&segment);
                let second = look(&segment);
                assert!(second.messages >= first.messages && second.sealed >= first.sealed);
            }
        });
        fill(&mut appender);
        reader.join().unwrap();
        let state = look(appender.segment());
        assert_eq!(state, State { messages: 2, bytes: 5, sealed: true });
    });
}

#[test]
fn two_readers_see_the_same() {
    loom::model(|| {
        let mut appender = Appender::new(CAPACITY);
        let readers = [(); 2].map(|()| {
            let segment = appender.segment().clone();
            thread::spawn(move || look(&segment))
        });
        // One message, since the interleavings of three threads are many.
        assert!(appender.append(&[b"a", b"b"]));
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn nobody_reads_what_is_used_again() {
    loom::model(|| {
        let mut appender = Appender::new(CAPACITY);
        fill(&mut appender);
        let segment = appender.segment().clone();
        drop(appender);
        let reader = thread::spawn({
            let segment = segment.clone();
            move || assert_eq!(look(&segment).messages, 2)
        });
        if let Some(mut again) = Appender::reuse(segment) {
            assert!(again.append(&[b"other"]));
            assert_eq!(again.segment().bytes(0..5), b"other");
        }
        reader.join().unwrap();
    });
}
