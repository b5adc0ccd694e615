//! Masking (RFC 6455 section 5.3) at every level of this processor.
//!
//! The payload lies at the odd offset at which a client's frame header leaves it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wsring_proto::simd::{Level, unmask, unmask_append, unmask_copy};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// A word, an echo, the longest short header, a page of JSON, a TLS record, a large message.
const PAYLOAD_BYTES: [usize; 6] = [5, 20, 125, 1024, 16 << 10, 1 << 20];
/// Length of a client's header with a 7-bit payload length (RFC 6455 section 5.2).
const HEADER_BYTES: usize = 6;

fn payload(bytes: usize) -> Vec<u8> {
    (0..HEADER_BYTES + bytes).map(|index| (index % 251) as u8).collect()
}

/// The answer is checked before it is timed: what is masked twice is unchanged, once is not.
fn check(level: Level, bytes: usize) {
    let original = payload(bytes);
    let mut data = original.clone();
    unmask(level, &mut data[HEADER_BYTES..], KEY);
    assert_eq!(data[HEADER_BYTES + bytes - 1], original[HEADER_BYTES + bytes - 1] ^ KEY[(bytes - 1) % 4]);
    let mut copied = vec![0; bytes];
    unmask_copy(level, &data[HEADER_BYTES..], &mut copied, KEY);
    let mut appended = Vec::new();
    unmask_append(level, &data[HEADER_BYTES..], &mut appended, KEY);
    assert!(copied == original[HEADER_BYTES..] && appended == copied, "level {level}, {bytes} bytes");
}

fn in_place(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unmask");
    for (level, bytes) in cases() {
        check(level, bytes);
        let mut burst = Burst::of(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new(level.name(), bytes), |bencher| {
            bencher.iter(|| unmask(black_box(level), burst.next_payload(), black_box(KEY)));
        });
    }
}

fn copy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unmask_copy");
    for (level, bytes) in cases() {
        let (mut burst, mut to) = (Burst::of(bytes), vec![0; bytes]);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new(level.name(), bytes), |bencher| {
            bencher.iter(|| {
                unmask_copy(black_box(level), burst.next_payload(), black_box(&mut to), black_box(KEY))
            });
        });
    }
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unmask_append");
    for (level, bytes) in cases() {
        let (mut burst, mut to) = (Burst::of(bytes), Vec::with_capacity(bytes));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new(level.name(), bytes), |bencher| {
            bencher.iter(|| {
                to.clear();
                unmask_append(black_box(level), burst.next_payload(), black_box(&mut to), black_box(KEY))
            });
        });
    }
}

/// A receive buffer of frames, walked over again and again. Unmasking the same few bytes in every
/// round would time the processor waiting for its own last store.
struct Burst {
    buffer: Vec<u8>,
    bytes: usize,
    at: usize,
}

impl Burst {
    const BUFFER_BYTES: usize = 16 << 10;

    fn of(bytes: usize) -> Self {
        let frames = (Self::BUFFER_BYTES / (HEADER_BYTES + bytes)).max(1);
        Self { buffer: payload(frames * (HEADER_BYTES + bytes) - HEADER_BYTES), bytes, at: 0 }
    }

    fn next_payload(&mut self) -> &mut [u8] {
        let start = self.at + HEADER_BYTES;
        let end = start + self.bytes;
        self.at = if end == self.buffer.len() { 0 } else { end };
        black_box(&mut self.buffer[start..end])
    }
}

fn cases() -> impl Iterator<Item = (Level, usize)> {
    Level::available().flat_map(|level| PAYLOAD_BYTES.map(|bytes| (level, bytes)))
}

criterion_group!(benches, in_place, copy, append);
criterion_main!(benches);
