//! `scenarios.toml`: what can be measured, the servers by name, and the settings of a comparison.

use crate::wire;
use serde::Deserialize;
use std::path::Path;

/// The file as it is in the repository.
const BUILT_IN: &str = include_str!("../../scenarios.toml");
/// Where servers that are no program of this workspace stand.
const RIVALS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals");

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// What is not said on the command line.
    pub settings: Settings,
    /// What can be measured.
    #[serde(rename = "scenario")]
    pub scenarios: Vec<Scenario>,
    /// All servers.
    #[serde(rename = "server")]
    pub servers: Vec<Server>,
}

/// How a comparison is run.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
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

/// One kind of load.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// By which it is asked for.
    pub name: String,
    /// What happens in it, for people.
    pub about: String,
    /// Program of the client, and arguments that it always has.
    pub client: Vec<String>,
    /// Connections that receive; one comparison for each number.
    pub connections: Vec<u32>,
    /// Bytes of a message; one comparison for each.
    pub payloads: Vec<usize>,
}

impl Scenario {
    /// What is compared one after the other.
    pub fn cases(&self) -> Vec<Case> {
        let of = |&connections: &u32| self.payloads.iter().map(move |&payload| Case { connections, payload });
        self.connections.iter().flat_map(of).collect()
    }
}

/// One comparison of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Connections that receive.
    pub connections: u32,
    /// Bytes of a message.
    pub payload: usize,
}

/// One server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// By which it is asked for; another scenario may have a server of the same name.
    pub name: String,
    /// In which scenario.
    #[serde(default = "echo")]
    pub scenario: String,
    /// Program and arguments, with placeholders.
    command: Vec<String>,
    /// Path of the opening handshake.
    #[serde(default = "root")]
    pub path: String,
    /// Spoken to without WebSocket.
    #[serde(default)]
    pub raw: bool,
    /// Further arguments of its client.
    #[serde(default)]
    pub client: Vec<String>,
    /// The command that builds the program.
    pub build: String,
}

fn echo() -> String {
    "echo".to_owned()
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
    /// How much is asked of it.
    pub case: Case,
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

    /// The scenario of that name, or the first that has a server of the other name.
    ///
    /// # Errors
    /// A sentence that lists the names there are.
    pub fn scenario(&self, name: Option<&str>, server: &str) -> Result<&Scenario, String> {
        let of_server = || {
            let known = self.servers.iter().find(|known| known.name == server);
            known.map(|known| known.scenario.as_str())
        };
        let Some(name) = name.or_else(of_server) else {
            return Err(format!("there is no server {server:?}; known are: {}", self.names()));
        };
        self.scenarios.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
            let names: Vec<_> = self.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
            format!("there is no scenario {name:?}; known are: {}", names.join(", "))
        })
    }

    /// The server of that name in a scenario.
    ///
    /// # Errors
    /// A sentence that lists the names there are.
    pub fn server(&self, scenario: &Scenario, name: &str) -> Result<&Server, String> {
        let wanted = |server: &&Server| server.name == name && server.scenario == scenario.name;
        self.servers
            .iter()
            .find(wanted)
            .ok_or_else(|| format!("{} has no server {name:?}; known are: {}", scenario.name, self.names()))
    }

    /// All servers by scenario.
    fn names(&self) -> String {
        let of = |scenario: &Scenario| {
            let own = self.servers.iter().filter(|server| server.scenario == scenario.name);
            let names: Vec<_> = own.map(|server| server.name.as_str()).collect();
            format!("{} ({})", names.join(", "), scenario.name)
        };
        self.scenarios.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}

impl Server {
    /// Program and arguments of one run.
    ///
    /// # Errors
    /// A sentence with the command that builds the program, when it is not there.
    pub fn command(&self, place: Place<'_>) -> Result<Vec<String>, String> {
        let request = wire::request_bytes(place.case.payload).to_string();
        let fill = |word: &String| {
            word.replace("{bin}", &place.bin.to_string_lossy())
                .replace("{port}", &place.port.to_string())
                .replace("{core}", &place.core.to_string())
                .replace("{request}", &request)
                .replace("{connections}", &place.case.connections.to_string())
                .replace("{rivals}", RIVALS)
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

    const CASE: Case = Case { connections: 7, payload: 20 };

    #[test]
    fn the_built_in_file_is_sound() {
        let scenarios = Scenarios::read(None).unwrap();
        for server in &scenarios.servers {
            let scenario = scenarios.scenario(Some(&server.scenario), &server.name).unwrap();
            let found = scenarios.server(scenario, &server.name).unwrap();
            assert!(std::ptr::eq(found, server), "{} twice in {}", server.name, scenario.name);
            assert!(
                ["cargo build --release", "npm ci"].iter().any(|start| server.build.starts_with(start)),
                "{}",
                server.build
            );
        }
        for scenario in &scenarios.scenarios {
            assert!(!scenario.cases().is_empty() && !scenario.client.is_empty(), "{}", scenario.name);
        }
        assert_ne!(scenarios.settings.server_core, scenarios.settings.client_core);
    }

    #[test]
    fn placeholders_are_filled_in() {
        let scenarios = Scenarios::read(None).unwrap();
        let bin = std::env::temp_dir();
        let place = Place { bin: &bin, port: 7001, core: 3, case: CASE };
        let echo = scenarios.scenario(Some("echo"), "").unwrap();
        let missing = scenarios.server(echo, "floor").unwrap().command(place).unwrap_err();
        assert!(missing.contains("--bin floor"), "{missing}");
        let server = Server {
            command: vec!["/".into(), "{port}/{core}/{request}/{connections}".into()],
            ..scenarios.servers[0].clone()
        };
        assert_eq!(server.command(place).unwrap()[1], "7001/3/26/7");
    }

    #[test]
    fn a_scenario_is_named_or_told_by_the_first_server() {
        let scenarios = Scenarios::read(None).unwrap();
        let cases = [
            (None, "floor", "echo"),
            (None, "wsring", "echo"),
            (Some("broadcast"), "wsring", "broadcast"),
            (None, "fanout-floor", "fanout"),
            (None, "bun", "broadcast"),
        ];
        for (name, server, expected) in cases {
            let scenario = scenarios.scenario(name, server).unwrap();
            assert_eq!(scenario.name, expected, "{name:?}, {server}");
            assert_eq!(scenarios.server(scenario, server).unwrap().scenario, expected);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let scenarios = Scenarios::read(None).unwrap();
        let echo = scenarios.scenario(None, "floor").unwrap();
        let messages =
            [scenarios.scenario(None, "none").unwrap_err(), scenarios.server(echo, "bun").unwrap_err()];
        for message in messages {
            assert!(message.contains("floor") && message.contains("tokio-uring (echo)"), "{message}");
        }
        let message = scenarios.scenario(Some("none"), "floor").unwrap_err();
        assert!(message.contains("echo, broadcast, fanout"), "{message}");
    }
}
