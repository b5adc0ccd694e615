//! Structured logs on standard error.

use crate::config::LogForm;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; the level comes from RUST_LOG, `info` when that is not set.
pub(crate) fn start(form: LogForm) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match form {
        LogForm::Text => logs.init(),
        LogForm::Json => logs.json().flatten_event(true).init(),
    }
}
