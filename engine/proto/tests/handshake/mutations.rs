//! Ten thousand damaged handshakes: no panic, and what is accepted satisfies a second opinion.

use super::{EXAMPLE, check_head, example, naive};
use wsring_proto::http::head_end;

/// A generator that replays from its seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What an attacker would put in.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "=",
    "\"",
    "\u{e9}",
    "\r\n\r\n",
    "\r\n ",
    "0",
    "13",
    "8",
    "/",
    "#",
    "?",
    "HTTP/1.0",
    "HTTP/1.1",
    "GET ",
    "POST ",
    "http://h",
    "*",
    "Host: b\r\n",
    "Upgrade: websocket\r\n",
    "Connection: close\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    "Sec-WebSocket-Protocol: chat\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; a=\"b\"\r\n",
    "Cookie: a=b\r\n",
];

fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len());
    match random.below(9) {
        0 if at < input.len() => input[at] = random.next() as u8,
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 if at < input.len() => input[at] ^= 0x20,
        3 if at < input.len() => drop(input.remove(at)),
        4 => drop(input.splice(at..at, random.pick(PIECES).bytes())),
        5 => {
            let end = (at + random.below(12)).min(input.len());
            drop(input.splice(at..end, random.pick(PIECES).bytes()));
        }
        6 => drop(input.splice(line_start(input, at)..line_start(input, at), random.pick(PIECES).bytes())),
        7 => {
            let line = format!("{}\r\n", random.pick(EXAMPLE));
            drop(input.splice(line_start(input, at)..line_start(input, at), line.into_bytes()));
        }
        _ => {
            let start = line_start(input, at);
            let end = input[start..]
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(input.len(), |end| start + end + 1);
            let line: Vec<u8> = input.drain(start..end).collect();
            // Half of the lines come back elsewhere.
            if random.below(2) == 0 {
                let there = random.below(input.len());
                let there = line_start(input, there);
                drop(input.splice(there..there, line));
            }
        }
    }
}

fn line_start(input: &[u8], at: usize) -> usize {
    input[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |before| before + 1)
}

#[test]
fn ten_thousand_mutated_handshakes() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..10_000 {
        let mut random = Random(seed);
        let mut input = example();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &mut random);
        }
        let end = head_end(&input, 0);
        let cut = random.below(input.len());
        assert_eq!(
            head_end(&input[..cut], 0).or_else(|| head_end(&input, cut)),
            end,
            "seed {seed} cut at {cut}"
        );
        let head = &input[..end.unwrap_or(input.len())];
        let verdict = naive::check(head);
        match check_head(head) {
            Ok(offer) => {
                accepted += 1;
                assert_eq!(verdict, Ok(()), "seed {seed} was accepted: {}", input.escape_ascii());
                assert!(offer.accept_key().is_ascii());
            }
            Err(refusal) => {
                refused += 1;
                assert!((400..=505).contains(&refusal.status()), "seed {seed}: {refusal}");
                assert!(
                    !refusal.reason().is_empty() && refusal.reason().len() < 300,
                    "seed {seed}: {refusal}"
                );
                assert!(!refusal.reason().contains(['\r', '\n', '\0']), "seed {seed}: {refusal}");
            }
        }
    }
    // Both sides of the rule were really tried.
    assert!(accepted > 1000 && refused > 4000, "{accepted} accepted, {refused} refused");
}

#[test]
fn the_second_opinion_agrees_on_the_example() {
    assert_eq!(naive::check(&example()), Ok(()));
    assert_eq!(naive::check(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Err("Upgrade"));
}
