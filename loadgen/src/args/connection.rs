//! Where connections come from, and what each of them says of itself.

use super::CompressionOptions;
use crate::sources::{Ports, Range};
use crate::units::{header, size};
use clap::Args;
use std::path::PathBuf;

/// How each connection is made. Values, paths and queries may have placeholders: {n} is the number of the
/// connection, {random} 16 hexadecimal digits, {NAME} a column of the file given with --data, and {{ a brace.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionOptions {
    /// Source addresses: one, a range such as 10.0.0.5-10.0.0.20, or a network such as 10.0.0.0/28; may be given
    /// again. Not needed for many connections to 127.0.0.0/8, which spread over that network by themselves.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) source: Vec<Range>,
    /// How many of the source addresses to use; as many as the connections need when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_777_214))]
    pub(crate) sources: Option<u32>,
    /// Ports of each source address, as 1024-65535; those of net.ipv4.ip_local_port_range when not given.
    #[arg(long, value_name = "FIRST-LAST")]
    pub(crate) source_ports: Option<Ports>,
    /// Receive buffer of each connection (SO_RCVBUF); adapted by the kernel when not given.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) receive_buffer: Option<usize>,
    /// A header of the opening handshake, as 'X-User: {user}'; may be given again.
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<(String, String)>,
    /// A cookie, as 'session={random}'; may be given again.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) cookie: Vec<String>,
    /// The Origin header.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// A subprotocol to offer; may be given again, the preferred one first.
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// A token, sent as 'Authorization: Bearer TOKEN'.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) bearer: Option<String>,
    /// A CSV file (RFC 4180) with values for placeholders, its first line being their names. Each connection takes
    /// a line, and the first follows the last.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compression: CompressionOptions,
}
