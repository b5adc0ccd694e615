//! Compressed messages (RFC 7692) through the protocol core: what one costs a server to make and to receive.
//!
//! The payload is JSON of quotes, about a fifth to a third of it when compressed. `make` is one frame of
//! [`Compressors`](wsring_proto::deflate::Compressors) at each level, alone (`no_takeover`: the compressor is
//! reset for each) or behind others (`takeover`); `shared` the frame that a fan-out makes once for all.
//! `receive` is one frame through [`Connection::receive`](wsring_proto::Connection::receive), unmasked and
//! inflated into an assembly, without takeover and with it, where the window is put back each time.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wsring_proto::deflate::{Compressor, Compressors, Deflate, DeflateOptions, Sending, append_shared};
use wsring_proto::frame::Opcode;
use wsring_proto::handshake::{Offer, Opening};
use wsring_proto::http::{HeadLimits, Request};
use wsring_proto::{Client, Connection, Event, Limits, Masking, Resources, Server};

const PAYLOAD_BYTES: [usize; 2] = [1024, 16 << 10];
const LEVELS: [u8; 5] = [1, 2, 3, 6, 9];
/// How many different messages take turns, so that with takeover none is only a reference to the last.
const MESSAGES: u64 = 32;

/// Quotes as JSON, of exactly `bytes`.
fn json(bytes: usize, mut seed: u64) -> Vec<u8> {
    let mut below = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    let mut out = Vec::new();
    while out.len() < bytes {
        let (id, symbol, price, cents) = (below(100_000), below(500), below(1000), below(100));
        let (volume, venue) = (below(100_000), below(8));
        let quote = format!(
            "{{\"id\":{id},\"symbol\":\"SYM{symbol}\",\"price\":{price}.{cents:02},\"volume\":{volume},\"venue\":\"exchange-{venue}\"}},"
        );
        out.extend_from_slice(quote.as_bytes());
    }
    out.truncate(bytes);
    out
}

fn messages(bytes: usize) -> Vec<Vec<u8>> {
    (0..MESSAGES).map(|seed| json(bytes, seed)).collect()
}

/// What a server and a client of ours agree on.
fn agreed(takeover: bool) -> Deflate {
    let options =
        DeflateOptions { server_takeover: takeover, client_takeover: takeover, ..DeflateOptions::default() };
    let mut head = Vec::new();
    Opening::new([0; 16]).host("h").deflate(options).write(&mut head).expect("valid");
    let request = Request::parse(&head, &HeadLimits::default()).expect("a request");
    let offer = Offer::check(&request).expect("an opening");
    options.accept(offer.extensions(), true).expect("acceptable").0
}

fn sending(agreed: Deflate, level: u8) -> Sending {
    Sending { slot: 0, agreed, level, bytes_min: 0, fresh: false }
}

/// A client's end that receives and says how many bytes of messages there were.
struct Receiver {
    connection: Connection<Client>,
    resources: Resources,
}

impl Receiver {
    fn new(agreed: Deflate) -> Self {
        let mut resources = Resources::new(Limits::default());
        Self { connection: Connection::with_deflate(agreed, &mut resources), resources }
    }

    fn receive(&mut self, input: &mut [u8]) -> usize {
        let mut receiving = self.connection.receive(input, &mut self.resources);
        let mut bytes = 0;
        while let Some(event) = receiving.next() {
            if let Event::Message(message) = event {
                bytes += message.payload().len();
            }
        }
        bytes
    }
}

fn make(criterion: &mut Criterion) {
    for bytes in PAYLOAD_BYTES {
        let messages = messages(bytes);
        let mut group = criterion.benchmark_group(format!("deflate_make_{bytes}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        for level in LEVELS {
            for (name, takeover) in [("no_takeover", false), ("takeover", true)] {
                let (mut compressors, mut masking) = (Compressors::new(1 << 20), Masking::new([0; 32]));
                let (agreed, mut out, mut turn) = (agreed(takeover), Vec::new(), messages.iter().cycle());
                let mut receiver = Receiver::new(agreed);
                group.bench_function(BenchmarkId::new(name, level), |bencher| {
                    bencher.iter(|| {
                        out.clear();
                        let payload = turn.next().expect("endless");
                        compressors.append_frame::<Server>(
                            sending(agreed, level),
                            Opcode::Text,
                            true,
                            black_box(payload),
                            &mut out,
                            &mut masking,
                        );
                        out.len()
                    });
                });
                // The answer is checked: by itself it can be inflated only without takeover.
                if !takeover {
                    assert_eq!(receiver.receive(&mut out), bytes);
                }
            }
        }
        let (mut compressor, mut out, mut turn) =
            (Compressor::new(12, 6), Vec::new(), messages.iter().cycle());
        group.bench_function("shared", |bencher| {
            bencher.iter(|| {
                out.clear();
                let made =
                    append_shared(&mut compressor, Opcode::Text, turn.next().expect("endless"), &mut out);
                assert!(made);
            });
        });
        assert_eq!(Receiver::new(agreed(false)).receive(&mut out), bytes);
        group.finish();
    }
}

fn receive(criterion: &mut Criterion) {
    for bytes in PAYLOAD_BYTES {
        let mut group = criterion.benchmark_group(format!("deflate_receive_{bytes}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        for (name, takeover) in [("no_takeover", false), ("takeover", true)] {
            let agreed = agreed(takeover);
            // Made without takeover, so that any can be received behind any other.
            let (mut compressor, mut frame) = (Compressor::new(15, 6), Vec::new());
            assert!(append_shared(&mut compressor, Opcode::Text, &json(bytes, 1), &mut frame));
            let (mut receiver, mut input) = (Receiver::new(agreed), frame.clone());
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    input.copy_from_slice(&frame);
                    assert_eq!(receiver.receive(black_box(&mut input)), bytes);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, make, receive);
criterion_main!(benches);
