//! What a run's connections agreed on about compression (permessage-deflate, RFC 7692), and what came of it.

use crate::model::{Report, Section};
use wsring::{Deflate, DeflateOptions, ShardFigures};

/// What was agreed on, and by how many connections. Servers answer alike, so that there is one entry, or few.
#[derive(Debug, Default)]
pub(super) struct Agreements(Vec<(Deflate, u32)>);

impl Agreements {
    /// A connection was opened with this.
    pub(super) fn note(&mut self, agreed: Deflate) {
        match self.0.iter_mut().find(|(each, _)| *each == agreed) {
            Some((_, count)) => *count += 1,
            None => self.0.push((agreed, 1)),
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

/// Writes down what was offered on the connections that were opened, what was agreed on, and how many bytes and how
/// much time that came to, all phases included.
pub(super) fn describe(
    offered: DeflateOptions,
    agreements: &Agreements,
    opened: u32,
    shards: &[ShardFigures],
    report: &mut Report,
) {
    let without = opened.saturating_sub(agreements.count());
    let mut section =
        Section::new("compression", "Compression, all phases").fact("offered", offered.offer(), "");
    for (agreed, count) in &agreements.0 {
        section =
            section.fact("agreed", format!("{}, by {count} of {opened} connections", words(*agreed)), "");
    }
    if without > 0 {
        section = section.fact("not agreed", format!("by {without} of {opened} connections"), "");
        report.warnings.push(format!(
            "the server did not agree to compress on {without} of {opened} connections: their messages are not compressed"
        ));
    }
    report.sections.push(traffic(section, shards));
}

/// Warns where messages were sent, and compression saved nothing.
pub(super) fn warn(
    offered: DeflateOptions,
    agreements: &Agreements,
    shards: &[ShardFigures],
    report: &mut Report,
) {
    let sum = |part: fn(&ShardFigures) -> u64| sum(shards, part);
    // Those that publish alone agree on it as well, and are in no account but that of what was tried.
    let is_agreed = agreements.count() > 0 || sum(|shard| shard.deflate_nanoseconds) > 0;
    let (plain, wire) = (sum(|shard| shard.deflated_bytes_in), sum(|shard| shard.deflated_bytes_out));
    if !is_agreed || wire < plain {
        return;
    }
    let what = match sum(|shard| shard.deflated_messages) {
        0 => "no message was sent compressed".to_owned(),
        _ => format!("compressed messages were not shorter than plain ones: {wire} B for {plain} B"),
    };
    report.warnings.push(format!(
        "{what} (messages shorter than --deflate-min, {} B, are sent as they are; content of --kind binary is random: \
         give --kind text or json, or messages of your own with --file)",
        offered.bytes_min
    ));
}

fn sum(shards: &[ShardFigures], part: fn(&ShardFigures) -> u64) -> u64 {
    shards.iter().map(part).sum()
}

/// Adds bytes and times, both ways. Bytes are those of payloads, of messages that were compressed, but where all are
/// meant.
fn traffic(section: Section, shards: &[ShardFigures]) -> Section {
    let sum = |part: fn(&ShardFigures) -> u64| sum(shards, part);
    section
        .fact("compressed messages sent", sum(|shard| shard.deflated_messages), "")
        .fact("sent, before deflation", sum(|shard| shard.deflated_bytes_in), "B")
        .fact("sent, on the wire", sum(|shard| shard.deflated_bytes_out), "B")
        .fact("sent, time to deflate", sum(|shard| shard.deflate_nanoseconds), "ns")
        .fact("sent, all with frames and handshakes", sum(|shard| shard.bytes_sent), "B")
        .fact("compressed messages received", sum(|shard| shard.inflated_messages), "")
        .fact("received, on the wire", sum(|shard| shard.inflated_bytes_in), "B")
        .fact("received, after inflation", sum(|shard| shard.inflated_bytes_out), "B")
        .fact("received, time to read and inflate", sum(|shard| shard.inflate_nanoseconds), "ns")
        .fact("received, all with frames and handshakes", sum(|shard| shard.bytes_received), "B")
}

/// The parameters of an agreement.
fn words(agreed: Deflate) -> String {
    let takeover = |has: bool| if has { "takeover" } else { "no takeover" };
    format!(
        "server: {} bits, {}; client: {} bits, {}",
        agreed.server_window_bits(),
        takeover(agreed.server_takeover()),
        agreed.client_window_bits(),
        takeover(agreed.client_takeover())
    )
}
