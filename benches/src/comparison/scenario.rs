//! `scenarios.toml`: the servers by name, and the settings of a comparison.

use crate::wire;
use serde::Deserialize;
use std::path::Path;

/// The file as it is in the repository.
const BUILT_IN: &str = include_str!("../../scenarios.toml");

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// What is not said on the command line.
    pub settings: Settings,
    /// All servers.
    #[serde(rename = "server")]
    pub servers: Vec<Server>,
}

/// How a comparison is run.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Connections, one message on its way on each.
    pub connections: u32,
    /// Bytes of a message; one comparison for each.
    pub payloads: Vec<usize>,
    /// How often each server is started and measured.
    pub rounds: usize,
    /// Seconds for which each server runs before a round is measured.
    pub warmup_seconds: f64,
    /// Seconds for which each server is measured in a round.
    pub measure_seconds: f64,
    /// Seconds of one slice of that; the servers take turns.
    pub slice_seconds: f64,
    /// Core of the server.
    pub server_core: usize,
    /// Core of the client.
    pub client_core: usize,
}

/// One server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// By which it is asked for.
    pub name: String,
    /// Program and arguments, with placeholders.
    command: Vec<String>,
    /// Path of the opening handshake.
    #[serde(default = "root")]
    pub path: String,
    /// Spoken to without WebSocket.
    #[serde(default)]
    pub raw: bool,
    /// The command that builds the program.
    pub build: String,
}

fn root() -> String {
    "/".to_owned()
}

/// What the placeholders of a command stand for in one run.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Folder of the built programs.
    pub bin: &'a Path,
    /// Port to listen on.
    pub port: u16,
    /// Core of the server.
    pub core: usize,
    /// Bytes of a message.
    pub payload: usize,
}

impl Scenarios {
    /// Reads a file, or the one that this program was built with.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file.
    pub fn read(file: Option<&Path>) -> Result<Self, String> {
        let text = match file {
            None => BUILT_IN.to_owned(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    /// The server of that name.
    ///
    /// # Errors
    /// A sentence that lists the names there are.
    pub fn server(&self, name: &str) -> Result<&Server, String> {
        self.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let names: Vec<_> = self.servers.iter().map(|server| server.name.as_str()).collect();
            format!("there is no server {name:?}; known are: {}", names.join(", "))
        })
    }
}

impl Server {
    /// Program and arguments of one run.
    ///
    /// # Errors
    /// A sentence with the command that builds the program, when it is not there.
    pub fn command(&self, place: Place<'_>) -> Result<Vec<String>, String> {
        let request = wire::request_bytes(place.payload).to_string();
        let fill = |word: &String| {
            word.replace("{bin}", &place.bin.to_string_lossy())
                .replace("{port}", &place.port.to_string())
                .replace("{core}", &place.core.to_string())
                .replace("{request}", &request)
        };
        let words: Vec<String> = self.command.iter().map(fill).collect();
        match words.first() {
            Some(program) if Path::new(program).exists() => Ok(words),
            Some(program) => Err(format!("{program} is not there; build it with\n\n    {}\n", self.build)),
            None => Err(format!("server {:?} has no command", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_sound() {
        let scenarios = Scenarios::read(None).unwrap();
        for server in &scenarios.servers {
            assert!(std::ptr::eq(scenarios.server(&server.name).unwrap(), server), "{} twice", server.name);
            assert!(server.build.starts_with("cargo build --release"), "{}", server.build);
        }
        assert_ne!(scenarios.settings.server_core, scenarios.settings.client_core);
    }

    #[test]
    fn placeholders_are_filled_in() {
        let scenarios = Scenarios::read(None).unwrap();
        let bin = std::env::temp_dir();
        let place = Place { bin: &bin, port: 7001, core: 3, payload: 20 };
        let missing = scenarios.server("floor").unwrap().command(place).unwrap_err();
        assert!(missing.contains("--bin floor"), "{missing}");
        let server = Server {
            command: vec!["/".into(), "{port}/{core}/{request}".into()],
            ..scenarios.servers[0].clone()
        };
        assert_eq!(server.command(place).unwrap()[1], "7001/3/26");
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let message = Scenarios::read(None).unwrap().server("none").unwrap_err();
        assert!(message.contains("floor") && message.contains("tokio-uring"), "{message}");
    }
}
