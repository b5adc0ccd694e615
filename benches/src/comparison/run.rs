//! One run: start a server on its core, drive it with the client on another, end it.

use super::Window;
use super::scenario::{Place, Server, Settings};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(10);
/// Pause after a server ended, for the kernel to forget its connections.
const SETTLE: Duration = Duration::from_millis(200);

/// What all runs of a comparison have in common.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Connections, times and cores.
    pub settings: Settings,
    /// Of the messages, by its name on the client's command line.
    pub opcode: &'a str,
    /// Whether the client compares echoes byte for byte.
    pub verify: bool,
    /// Folder of the built programs.
    pub bin: &'a Path,
}

/// Runs one server once and returns what the client reports.
///
/// # Errors
/// A sentence: the program is missing, the server did not start, the client failed or saw wrong echoes.
pub fn run(server: &Server, payload: usize, plan: &Plan<'_>) -> Result<Window, String> {
    let core = plan.settings.server_core;
    let place = Place { bin: plan.bin, port: free_port()?, core, payload };
    let mut running = Running::start(&server.command(place)?, core)?;
    running.wait_until_listening(place.port, &server.name)?;
    let window = drive(server, plan, place, running.0.id());
    drop(running);
    std::thread::sleep(SETTLE);
    let window = window?;
    if window.errors > 0 {
        return Err(format!("{}: {} of {} echoes were wrong", server.name, window.errors, window.messages));
    }
    Ok(window)
}

/// Runs the client and reads its report.
fn drive(server: &Server, plan: &Plan<'_>, place: Place<'_>, pid: u32) -> Result<Window, String> {
    let settings = &plan.settings;
    let core = settings.client_core.to_string();
    let mut client = Command::new("taskset");
    client.args(["-c", &core]).arg(place.bin.join("load")).args(["--core", &core, "--path", &server.path]);
    let arguments = [
        ("--port", place.port.to_string()),
        ("--payload", place.payload.to_string()),
        ("--opcode", plan.opcode.to_owned()),
        ("--connections", settings.connections.to_string()),
        ("--warmup", settings.warmup_seconds.to_string()),
        ("--seconds", settings.measure_seconds.to_string()),
        ("--pid", pid.to_string()),
        ("--watch-core", settings.server_core.to_string()),
    ];
    for (name, value) in arguments {
        client.arg(name).arg(value);
    }
    for (flag, wanted) in [("--raw", server.raw), ("--verify", plan.verify)] {
        client.args(wanted.then_some(flag));
    }
    let output = client.output().map_err(|error| format!("the client did not start: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: the client failed: {}", server.name, said.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the client's report: {error}"))
}

/// A server process, ended when dropped.
struct Running(Child);

impl Running {
    fn start(command: &[String], core: usize) -> Result<Self, String> {
        // taskset replaces itself by the server, so that the process id is the server's own.
        Command::new("taskset")
            .args(["-c", &core.to_string()])
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|error| format!("taskset (util-linux) did not start: {error}"))
    }

    fn wait_until_listening(&mut self, port: u16, name: &str) -> Result<(), String> {
        let start = Instant::now();
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("{name} ended before it listened: {status}"));
            }
            if start.elapsed() > START_MAX {
                return Err(format!("{name} did not listen on port {port} within {START_MAX:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
