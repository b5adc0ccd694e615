//! What `wsload` costs against a client that measures nothing: echoes per second of the client's CPU time.
//!
//! Both drive the same server, one after the other, in as many rounds as are asked for; server and client have a
//! core each. The first of a round takes turns, so that what changes on the machine falls on both alike, and what
//! counts is the ratio of a round. `wsload` keeps its histograms and verifies each echo, as it always does.

use clap::Parser;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wsring::{Conn, Message, Server, Settings};

/// Compares wsload with epoll-load.
#[derive(Parser)]
struct Arguments {
    /// Core of the server
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the clients
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Connections, one message on its way on each
    #[arg(long, default_value_t = 200)]
    connections: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 20)]
    payload: u32,
    /// Rounds
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds that each measures in a round
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Folder of the programs; that of this one when not given
    #[arg(long)]
    programs: Option<PathBuf>,
}

fn echo(conn: &mut Conn<'_>, message: Message<'_>) {
    let _ = conn.send(message);
}

/// Echoes a second, and a second of CPU time.
#[derive(Clone, Copy)]
struct Cost {
    per_second: f64,
    per_cpu_second: f64,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let own = std::env::current_exe()?;
    let folder = arguments.programs.clone().unwrap_or_else(|| own.with_file_name(""));
    let settings = Settings { shards: Some(1), pin: Some(arguments.server_core), ..Settings::default() };
    let server = Server::new().listen("127.0.0.1:0").settings(settings);
    let server =
        server.websocket("/echo", |upgrade| upgrade.accept(echo)).start().map_err(io::Error::other)?;
    let port = server.addresses()[0].port();
    let mut ratios = Vec::new();
    println!("round     wsload/s  per CPU s  epoll-load/s  per CPU s   ratio");
    for round in 0..arguments.rounds {
        let (ours, plain) = if round % 2 == 0 {
            let ours = wsload(&folder, &arguments, port)?;
            (ours, epoll_load(&folder, &arguments, port)?)
        } else {
            let plain = epoll_load(&folder, &arguments, port)?;
            (wsload(&folder, &arguments, port)?, plain)
        };
        let ratio = ours.per_cpu_second / plain.per_cpu_second;
        println!(
            "{round:>5} {:>12.0} {:>10.0} {:>13.0} {:>10.0} {ratio:>7.3}",
            ours.per_second, ours.per_cpu_second, plain.per_second, plain.per_cpu_second
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median {:.3}, {:.3} to {:.3}", ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
    Ok(())
}

fn wsload(folder: &Path, arguments: &Arguments, port: u16) -> io::Result<Cost> {
    let Arguments { connections, payload, client_core, seconds, .. } = arguments;
    let line = format!(
        "echo ws://127.0.0.1:{port}/echo --connections {connections} --size {payload} --shards 1 --pin {client_core} \
         --warm-up 500ms --duration {:.0}ms --allow-limited --no-progress --json -",
        seconds * 1e3
    );
    let report = run(folder, "wsload", &line)?;
    let (answered, cores) = (number(&report, "/rates/answered")?, number(&report, "/health/cores")?);
    Ok(Cost { per_second: answered, per_cpu_second: answered / cores })
}

fn epoll_load(folder: &Path, arguments: &Arguments, port: u16) -> io::Result<Cost> {
    let Arguments { connections, payload, client_core, seconds, .. } = arguments;
    let line = format!(
        "--port {port} --path /echo --connections {connections} --payload {payload} --core {client_core} \
         --seconds {seconds}"
    );
    let report = run(folder, "epoll-load", &line)?;
    let (per_second, per_cpu) = ("/messages_per_second", "/messages_per_cpu_second");
    Ok(Cost { per_second: number(&report, per_second)?, per_cpu_second: number(&report, per_cpu)? })
}

/// Runs a program to its end; what it prints is JSON.
fn run(folder: &Path, name: &str, line: &str) -> io::Result<serde_json::Value> {
    let path = folder.join(name);
    let mut command = Command::new(&path);
    let output = command.args(line.split_whitespace()).stderr(Stdio::piped()).output().map_err(|cause| {
        io::Error::other(format!(
            "{}: {cause} (cargo build --release -p wsload -p wsring-benches)",
            path.display()
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{name} {line}: {}\n{said}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(io::Error::other)
}

fn number(report: &serde_json::Value, path: &str) -> io::Result<f64> {
    let found = report.pointer(path).and_then(serde_json::Value::as_f64);
    found.ok_or_else(|| io::Error::other(format!("the report has no {path}: {report}")))
}
