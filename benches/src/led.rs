//! A process that is led by lines: a command on its standard input, an answer of one line on its standard
//! output. The first line comes unasked, when it is ready.

use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Such a process; ended when dropped.
#[derive(Debug)]
pub struct Led {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Led {
    /// Starts a program that lies beside this one.
    ///
    /// # Errors
    /// It is not there; the text says how to build it.
    pub fn start(name: &str, arguments: &[String]) -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let program = own.parent().unwrap_or_else(|| Path::new(".")).join(name);
        let mut process = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let build = format!("cargo build --release -p wsring-benches --bin {name}");
                io::Error::other(format!("{}: {error}; build it: {build}", program.display()))
            })?;
        let ends = process.stdin.take().zip(process.stdout.take());
        let (input, output) = ends.ok_or_else(|| io::Error::other("no standard input and output"))?;
        Ok(Self { process, input, output: BufReader::new(output) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a command and returns what it is answered.
    ///
    /// # Errors
    /// The process has ended; the answer is not of this kind.
    pub fn ask<T: DeserializeOwned>(&mut self, command: &str) -> io::Result<T> {
        writeln!(self.input, "{command}")?;
        self.answer()
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn answer<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line)
            .map_err(|error| io::Error::other(format!("{error} in what it answered: {line:?}")))
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
