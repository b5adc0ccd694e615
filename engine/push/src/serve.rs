//! From the command line to a served port, and to an orderly end.

use crate::auth::Access;
use crate::config::Config;
use crate::routes;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::ToSocketAddrs;
use wsring::{Server, SimdLevel};

/// Serves until a signal, then drains. A second signal ends the process at once.
///
/// # Errors
/// As [`Server::start`]; the caller prints it.
pub(crate) fn serve(options: &Config, access: Access) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let server = options.listen.iter().fold(Server::new().settings(options.settings()), Server::listen);
    let (server, app) = routes::add(server, options, access)?;
    let running = server.start()?;
    for address in running.addresses() {
        let shards = running.connections().len();
        let simd = SimdLevel::detect();
        tracing::info!(%address, shards, io = "io_uring", %simd, "serving: http://{address}/");
    }
    let (stopper, drain) = (running.stopper(), options.drain());
    std::thread::spawn(move || {
        let mut received = signals.forever();
        // Not within the macro, which evaluates nothing when RUST_LOG leaves this level out.
        let signal = received.next();
        tracing::info!(signal, "stopping");
        app.begin_drain();
        stopper.begin_stop(drain);
        received.next();
        eprintln!("wsring: second signal, stopping at once");
        std::process::exit(1);
    });
    let report = running.join()?;
    tracing::info!(report.connections, report.closed, report.cut_off, "stopped");
    Ok(())
}

/// Nothing listens beyond loopback by accident.
///
/// # Errors
/// The caller's fault: an address that can be reached, and nothing that tells who may.
pub(crate) fn refuse_to_be_open(options: &Config, access: &Access) -> Result<(), String> {
    if options.insecure_open || access.is_configured() {
        return Ok(());
    }
    for text in &options.listen {
        // What is no address is the engine's to name.
        let addresses = text.to_socket_addrs().into_iter().flatten();
        if let Some(address) = addresses.into_iter().find(|address| !address.ip().is_loopback()) {
            return Err(format!(
                "{address} can be reached from other machines, and no authentication is configured: listen on \
                 127.0.0.1, set a key for tokens or for the API (auth.jwt_hs256_secret, auth.api_keys and others: \
                 docs/operating.md), or give --insecure-open if anybody may do anything"
            ));
        }
    }
    Ok(())
}
