//! What connections offer to do about compression.

use crate::units::size;
use clap::Args;
use wsring::DeflateOptions;

/// What connections offer to do about compression (permessage-deflate, RFC 7692).
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Compression")]
pub(crate) struct CompressionOptions {
    /// Offer permessage-deflate, as browsers do, and compress messages where the server agrees. What was agreed on and
    /// what it saved are in the report. Without this nothing is offered.
    #[arg(long)]
    pub(crate) deflate: bool,
    /// Ask the server not to refer to its earlier messages (server_no_context_takeover).
    #[arg(long, requires = "deflate")]
    pub(crate) deflate_server_no_takeover: bool,
    /// Never refer to earlier messages, and say so (client_no_context_takeover).
    #[arg(long, requires = "deflate")]
    pub(crate) deflate_client_no_takeover: bool,
    /// The largest window of the server, 8 to 15: the exponent of its bytes (server_max_window_bits). 15 when not given.
    #[arg(long, value_name = "N", requires = "deflate", value_parser = clap::value_parser!(u8).range(8..=15))]
    pub(crate) deflate_server_bits: Option<u8>,
    /// The largest window of this side, 8 to 15 (client_max_window_bits); the server may want a smaller one. 15 when
    /// not given.
    #[arg(long, value_name = "N", requires = "deflate", value_parser = clap::value_parser!(u8).range(8..=15))]
    pub(crate) deflate_client_bits: Option<u8>,
    /// How hard to compress what is sent, 1 (fast) to 9 (small); 2 when not given.
    #[arg(long, value_name = "N", requires = "deflate", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) deflate_level: Option<u8>,
    /// Messages shorter than this are sent as they are; 128 B when not given.
    #[arg(long, value_name = "SIZE", requires = "deflate", value_parser = size)]
    pub(crate) deflate_min: Option<usize>,
}

impl CompressionOptions {
    /// What is offered, if anything.
    pub(crate) fn offer(&self) -> Option<DeflateOptions> {
        let defaults = DeflateOptions::default();
        self.deflate.then(|| DeflateOptions {
            server_takeover: !self.deflate_server_no_takeover,
            client_takeover: !self.deflate_client_no_takeover,
            server_window_bits: self.deflate_server_bits.unwrap_or(defaults.server_window_bits),
            client_window_bits: self.deflate_client_bits.unwrap_or(defaults.client_window_bits),
            level: self.deflate_level.unwrap_or(defaults.level),
            bytes_min: self.deflate_min.unwrap_or(defaults.bytes_min),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Arguments, Command};
    use clap::Parser;

    /// What an echo with these flags offers, as it stands in the request, with the level and the shortest message.
    fn offered(flags: &str) -> Result<Option<(String, u8, usize)>, String> {
        let line = format!("wsload echo ws://localhost {flags}");
        let arguments =
            Arguments::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        let Command::Echo(echo) = arguments.command else { return Err("another command".into()) };
        let offer = echo.common.connection.compression.offer();
        Ok(offer.map(|offer| {
            assert_eq!(offer.check(), Ok(()), "{flags}");
            (offer.offer(), offer.level, offer.bytes_min)
        }))
    }

    #[test]
    fn flags_make_an_offer() {
        let both = "server_no_context_takeover; client_no_context_takeover";
        let table = [
            ("--deflate", "client_max_window_bits", 2, 128),
            ("--deflate --deflate-level 9 --deflate-min 1KiB", "client_max_window_bits", 9, 1024),
            (
                "--deflate --deflate-server-no-takeover --deflate-client-no-takeover",
                &format!("{both}; client_max_window_bits"),
                2,
                128,
            ),
            (
                "--deflate --deflate-server-bits 8 --deflate-client-bits 12 --deflate-min 0",
                "server_max_window_bits=8; client_max_window_bits=12",
                2,
                0,
            ),
        ];
        for (flags, parameters, level, bytes_min) in table {
            let expected = (format!("permessage-deflate; {parameters}"), level, bytes_min);
            assert_eq!(offered(flags), Ok(Some(expected)), "{flags}");
        }
        assert_eq!(offered(""), Ok(None));
    }

    #[test]
    fn mistakes_are_refused_and_named() {
        let table = [
            ("--deflate --deflate-server-bits 16", "16 is not in 8..=15"),
            ("--deflate --deflate-client-bits 7", "7 is not in 8..=15"),
            ("--deflate --deflate-level 0", "0 is not in 1..=9"),
            ("--deflate --deflate-min many", "is no size"),
            ("--deflate-server-no-takeover", "--deflate"),
            ("--deflate-client-no-takeover", "--deflate"),
            ("--deflate-server-bits 9", "--deflate"),
            ("--deflate-client-bits 9", "--deflate"),
            ("--deflate-level 9", "--deflate"),
            ("--deflate-min 9", "--deflate"),
        ];
        for (flags, text) in table {
            let refusal = offered(flags).expect_err(flags);
            assert!(refusal.contains(text), "{flags}: {refusal}");
        }
    }
}
