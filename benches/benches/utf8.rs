//! Validation of text (RFC 6455 section 8.1): whole payloads, and the resumable validator, beside the
//! standard library and simdutf8 called directly.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wsring_proto::utf8::{Validator, is_valid};

const PAYLOAD_BYTES: [usize; 6] = [5, 20, 125, 1024, 16 << 10, 1 << 20];
/// What a text is made of, over and over: one octet per code point, and a mixture of one to four.
const TEXTS: [(&str, &str); 2] = [("ascii", "{\"price\": 17.25} "), ("mixed", "κόσμε, naïve 世界 𐍈 ")];

/// About `bytes` of `pattern`, cut between two code points.
fn text(pattern: &str, bytes: usize) -> Vec<u8> {
    let mut text = pattern.repeat(bytes / pattern.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    text.into_bytes()
}

/// A way to judge a text: its name and what it answers.
type Judge = (&'static str, fn(&[u8]) -> bool);

const JUDGES: [Judge; 4] = [
    ("is_valid", is_valid),
    ("validator", |bytes| {
        let mut validator = Validator::new();
        validator.push(bytes).is_ok() && validator.finish().is_ok()
    }),
    ("std", |bytes| std::str::from_utf8(bytes).is_ok()),
    ("simdutf8", |bytes| simdutf8::basic::from_utf8(bytes).is_ok()),
];

/// The answer is checked before it is timed.
fn check(judge: fn(&[u8]) -> bool, text: &[u8]) {
    assert!(judge(text));
    let mut damaged = text.to_vec();
    damaged[text.len() / 2] = 0xFF;
    assert!(!judge(&damaged));
}

fn whole(criterion: &mut Criterion) {
    for (alphabet, pattern) in TEXTS {
        let mut group = criterion.benchmark_group(format!("utf8_{alphabet}"));
        for (name, judge) in JUDGES {
            for bytes in PAYLOAD_BYTES {
                let text = text(pattern, bytes);
                check(judge, &text);
                group.throughput(Throughput::Bytes(text.len() as u64));
                group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                    bencher.iter(|| judge(black_box(&text)));
                });
            }
        }
    }
}

criterion_group!(benches, whole);
criterion_main!(benches);
