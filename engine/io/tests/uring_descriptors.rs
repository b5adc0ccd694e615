//! The ring in a process that has no descriptors left; a program of its own, since it takes them all.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod uring_support;

use std::fs::File;
use uring_support::{Shard, config};
use wsring_io::{CloseHow, Completion, Io, Op, Socket};

/// More than that would take long to fill.
const DESCRIPTORS_MAX: usize = 100_000;

fn address(shard: &mut Shard, socket: Socket) -> Option<String> {
    shard.io.submit(Op::PeerAddress(socket));
    shard.await_one(|completion| match completion {
        Completion::PeerAddress { socket: of, address } if *of == socket => {
            Some(address.map(|address| address.to_string()))
        }
        _ => None,
    })
}

#[test]
fn an_address_takes_a_descriptor_for_a_moment() {
    let mut shard = Shard::accepting(&config());
    let pairs: Vec<_> = (0..3).map(|_| shard.pair()).collect();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
        if files.len() == DESCRIPTORS_MAX {
            println!("not tested: this process may have too many descriptors to use them all");
            return;
        }
    }
    let ask = |shard: &mut Shard| pairs.iter().map(|pair| address(shard, pair.1)).collect::<Vec<_>>();
    assert_eq!(ask(&mut shard), [None, None, None]);
    // One is enough for any number of questions, for it comes back each time.
    files.pop();
    let loopback = || Some("127.0.0.1".to_owned());
    assert_eq!(ask(&mut shard), [loopback(), loopback(), loopback()]);
    for (_, socket) in &pairs {
        shard.io.submit(Op::PeerAddress(*socket));
        shard.io.submit(Op::Close { socket: *socket, how: CloseHow::Fin });
        shard.closed(*socket);
    }
    assert!(File::open("/dev/null").is_ok(), "the descriptor of a closed socket's came back as well");
}
