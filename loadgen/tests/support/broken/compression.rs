//! permessage-deflate of the broken server.

use super::Fault;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The streams of a connection.
pub(super) struct Agreed {
    compress: Compress,
    decompress: Decompress,
    /// Whether each message is compressed by itself.
    alone: bool,
    fault: Fault,
}

/// The answer to an offer, and what it means; nothing when it is declined.
pub(super) fn negotiate(offer: &str, fault: Fault) -> (Option<String>, Option<Agreed>) {
    let params: Vec<&str> = offer.split(';').skip(1).map(str::trim).collect();
    let twice = params.iter().enumerate().any(|(at, param)| params[..at].contains(param));
    if fault != Fault::OffersUnchecked && (twice || !params.iter().all(|param| is_valid(param))) {
        return (None, None);
    }
    let mut answer = String::from("permessage-deflate");
    let alone = params.contains(&"server_no_context_takeover");
    if alone {
        answer += "; server_no_context_takeover";
    }
    if params.contains(&"client_no_context_takeover") {
        answer += "; client_no_context_takeover";
    }
    let bits = |param: &&str| param.strip_prefix("server_max_window_bits=")?.parse().ok();
    let bits = params.iter().find_map(bits).filter(|bits| (9..=15).contains(bits));
    if let Some(bits) = bits {
        answer += &format!("; server_max_window_bits={bits}");
    }
    if fault == Fault::WindowUnasked
        && !params.iter().any(|param| param.starts_with("client_max_window_bits"))
    {
        answer += "; client_max_window_bits=15";
    }
    let bits = if fault == Fault::OwnWindowIgnored { 15 } else { bits.unwrap_or(15) };
    let agreed = Agreed {
        compress: Compress::new_with_window_bits(Compression::default(), false, bits),
        decompress: Decompress::new(false),
        alone: alone && fault != Fault::OwnTakeoverKept,
        fault,
    };
    (Some(answer), Some(agreed))
}

fn is_valid(param: &str) -> bool {
    let bits = |value: &str| (8..=15).any(|bits: u8| bits.to_string() == value);
    match param.split_once('=') {
        None => ["server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"]
            .contains(&param),
        Some(("server_max_window_bits" | "client_max_window_bits", value)) => bits(value),
        Some(_) => false,
    }
}

impl Agreed {
    pub(super) fn deflate(&mut self, payload: &[u8]) -> Vec<u8> {
        if self.alone {
            self.compress.reset();
        }
        if payload.is_empty() {
            return vec![0];
        }
        let mut out = Vec::with_capacity(payload.len() * 2 + 64);
        self.compress.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - TAIL.len());
        out
    }

    /// `None`: it is no DEFLATE.
    pub(super) fn inflate(&mut self, compressed: &[u8]) -> Option<Vec<u8>> {
        if self.fault == Fault::ContextLost {
            self.decompress.reset(false);
        }
        let mut out = Vec::with_capacity(1 << 20);
        let input = [compressed, &TAIL].concat();
        let mut taken = 0;
        while taken < input.len() {
            let before = self.decompress.total_in();
            let status =
                self.decompress.decompress_vec(&input[taken..], &mut out, FlushDecompress::Sync).ok()?;
            taken += (self.decompress.total_in() - before) as usize;
            match status {
                Status::StreamEnd if self.fault == Fault::FinalBlockRefused => return None,
                Status::StreamEnd => self.decompress.reset(false),
                Status::BufError => return None,
                Status::Ok => {}
            }
        }
        Some(out)
    }
}
