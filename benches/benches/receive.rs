//! Messages through [`Connection::receive`], each made a frame to send back by
//! [`Message::frame_in_place`](wsring_proto::Message::frame_in_place): what the protocol core adds to an echo.
//!
//! `one` has one message in each input, as from a client that waits for its answer; `sixteen` has as many
//! in each, as from one that does not. Each round first copies the frames into the receive buffer, as the
//! kernel does, because receiving unmasks them in place; `copy` is that alone, to be taken off.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wsring_proto::frame::{self, Opcode};
use wsring_proto::{Client, Connection, Event, Framed, Limits, Masking, Resources, Server};

const PAYLOAD_BYTES: [usize; 4] = [20, 125, 1024, 16 << 10];
const PIPELINED: [(&str, usize); 2] = [("one", 1), ("sixteen", 16)];

/// A server's end of a connection, and its receive buffer.
struct Echo {
    connection: Connection<Server>,
    resources: Resources,
    masking: Masking,
    input: Vec<u8>,
}

impl Echo {
    fn new(frames: &[u8]) -> Self {
        Self {
            connection: Connection::new(),
            resources: Resources::new(Limits::default()),
            masking: Masking::new([0; 32]),
            input: frames.to_vec(),
        }
    }

    /// Receives `frames`, hands each frame to send back to `send` as a range of the input, and says how
    /// many there were.
    #[inline]
    fn round(&mut self, frames: &[u8], mut send: impl FnMut(std::ops::Range<usize>)) -> usize {
        self.input.copy_from_slice(frames);
        let mut receiving = self.connection.receive(&mut self.input, &mut self.resources);
        let mut messages = 0;
        while let Some(event) = receiving.next() {
            let Event::Message(message) = event else { continue };
            if let Ok(Framed::Input(range)) = message.frame_in_place::<Server>(&mut self.masking) {
                send(range);
                messages += 1;
            }
        }
        messages
    }
}

/// `count` messages of `bytes` as a client sends them, and as a server answers.
fn frames(opcode: Opcode, bytes: usize, count: usize) -> (Vec<u8>, Vec<u8>) {
    let payload = vec![b'x'; bytes];
    let mut masking = Masking::new([7; 32]);
    let (mut received, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..count {
        frame::append::<Client>(&mut received, opcode, true, &payload, &mut masking);
        frame::append::<Server>(&mut answered, opcode, true, &payload, &mut masking);
    }
    (received, answered)
}

/// The answer is checked before it is timed.
fn check(received: &[u8], answered: &[u8], count: usize) {
    let mut echo = Echo::new(received);
    let mut ranges = Vec::new();
    assert_eq!(echo.round(received, |range| ranges.push(range)), count);
    let sent: Vec<u8> = ranges.into_iter().flat_map(|range| echo.input[range].to_vec()).collect();
    assert_eq!(sent, answered);
}

fn echoed(criterion: &mut Criterion) {
    for (name, count) in PIPELINED {
        for (kind, opcode) in [("text", Opcode::Text), ("binary", Opcode::Binary)] {
            let mut group = criterion.benchmark_group(format!("receive_{name}"));
            group.throughput(Throughput::Elements(count as u64));
            for bytes in PAYLOAD_BYTES {
                let (received, answered) = frames(opcode, bytes, count);
                check(&received, &answered, count);
                let mut echo = Echo::new(&received);
                group.bench_function(BenchmarkId::new(kind, bytes), |bencher| {
                    bencher.iter(|| {
                        echo.round(black_box(&received), |range| {
                            black_box(range);
                        })
                    });
                });
            }
        }
    }
}

fn copied(criterion: &mut Criterion) {
    for (name, count) in PIPELINED {
        let mut group = criterion.benchmark_group(format!("receive_{name}"));
        group.throughput(Throughput::Elements(count as u64));
        for bytes in PAYLOAD_BYTES {
            let (received, _) = frames(Opcode::Binary, bytes, count);
            let mut input = received.clone();
            group.bench_function(BenchmarkId::new("copy", bytes), |bencher| {
                bencher.iter(|| black_box(&mut input).copy_from_slice(black_box(&received)));
            });
        }
    }
}

criterion_group!(benches, echoed, copied);
criterion_main!(benches);
