//! One round: all servers started on one core, each with its own client on another, then driven in turn
//! by short slices, so that what the machine does over seconds falls on all of them alike.

use super::Window;
use super::scenario::{Case, Place, Server, Settings};
use crate::wire::Opcode;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

/// What all rounds of a comparison have in common.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Times and cores.
    pub settings: Settings,
    /// Program of the client, and arguments that it always has.
    pub client: &'a [String],
    /// Of the messages.
    pub opcode: Opcode,
    /// Whether the client looks at every byte.
    pub verify: bool,
    /// Folder of the built programs.
    pub bin: &'a Path,
}

/// Runs one round and returns what each server's client reports, in the order of `servers`.
///
/// The slices go forth and back through the servers: A B C, C B A, A B C, and so on.
///
/// # Errors
/// A sentence: a program is missing, a server did not start, a client failed or saw wrong messages.
pub fn round(servers: &[Server], case: Case, plan: &Plan<'_>) -> Result<Vec<Window>, String> {
    let mut pairs: Vec<Pair> =
        servers.iter().map(|server| Pair::start(server, case, plan)).collect::<Result<_, _>>()?;
    for pair in &mut pairs {
        pair.run(plan.settings.warmup_seconds)?;
        pair.report()?;
    }
    let slices = (plan.settings.measure_seconds / plan.settings.slice_seconds).ceil().max(1.0) as usize;
    for slice in 0..slices {
        let forth = 0..pairs.len();
        let order: Vec<usize> = if slice % 2 == 0 { forth.collect() } else { forth.rev().collect() };
        for place in order {
            pairs[place].run(plan.settings.slice_seconds)?;
        }
    }
    pairs.iter_mut().map(Pair::checked_report).collect()
}

/// A server with its client.
struct Pair {
    name: String,
    client: Client,
    /// Ended after its client: fields are dropped in this order.
    _server: Running,
}

impl Pair {
    fn start(server: &Server, case: Case, plan: &Plan<'_>) -> Result<Self, String> {
        let core = plan.settings.server_core;
        let place = Place { bin: plan.bin, port: free_port()?, core, case };
        let mut running = Running::start(&server.command(place)?, core)?;
        running.wait_until_listening(place.port, &server.name)?;
        let client = Client::start(server, plan, place, running.0.id())?;
        Ok(Self { name: server.name.clone(), client, _server: running })
    }

    fn run(&mut self, seconds: f64) -> Result<(), String> {
        match self.client.ask(&format!("run {seconds}")) {
            Ok(answer) if answer == "done" => Ok(()),
            Ok(_) => Err(format!("{}: the client failed; it says why above", self.name)),
            Err(error) => Err(format!("{}: the client: {error}", self.name)),
        }
    }

    fn report(&mut self) -> Result<Window, String> {
        let answer =
            self.client.ask("report").map_err(|error| format!("{}: the client: {error}", self.name))?;
        serde_json::from_str(&answer).map_err(|error| format!("{}: the client's report: {error}", self.name))
    }

    fn checked_report(&mut self) -> Result<Window, String> {
        let window = self.report()?;
        match window.errors {
            0 => Ok(window),
            errors => Err(format!("{}: {errors} of {} messages were wrong", self.name, window.messages)),
        }
    }
}

/// A client process, led by lines ([`crate::driven`]).
struct Client {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _process: Running,
}

impl Client {
    fn start(server: &Server, plan: &Plan<'_>, place: Place<'_>, pid: u32) -> Result<Self, String> {
        let core = plan.settings.client_core.to_string();
        let (program, always) = plan.client.split_first().ok_or("the scenario has no client")?;
        let mut command = Command::new("taskset");
        command.args(["-c", &core]).arg(place.bin.join(program)).args(always).args(&server.client);
        command.args(["--core", &core, "--path", &server.path]);
        let arguments = [
            ("--port", place.port.to_string()),
            ("--payload", place.case.payload.to_string()),
            ("--opcode", plan.opcode.name().to_owned()),
            ("--connections", place.case.connections.to_string()),
            ("--pid", pid.to_string()),
            ("--watch-core", place.core.to_string()),
        ];
        for (name, value) in arguments {
            command.arg(name).arg(value);
        }
        for (flag, wanted) in [("--commands", true), ("--raw", server.raw), ("--verify", plan.verify)] {
            command.args(wanted.then_some(flag));
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("taskset (util-linux) did not start: {error}"))?;
        let ends = process.stdin.take().zip(process.stdout.take());
        let (input, output) = ends.ok_or("the client has no standard input and output")?;
        Ok(Self { input, output: BufReader::new(output), _process: Running(process) })
    }

    /// Sends a command and returns the line that answers it; empty when the client has ended.
    fn ask(&mut self, command: &str) -> std::io::Result<String> {
        writeln!(self.input, "{command}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

/// A process, ended when dropped.
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
