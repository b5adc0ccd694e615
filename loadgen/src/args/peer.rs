//! How one server is asked, one connection at a time.

use crate::units::{header, time};
use clap::Args;
use std::time::Duration;

/// What `conform` and `inspect` have in common.
#[derive(Debug, Args)]
pub(crate) struct PeerOptions {
    /// A header for every opening handshake, as 'Cookie: session=1'; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// The longest wait for anything that the server is to do.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) timeout: Duration,
}
