//! `wsload calibrate`: what this generator can do at most, and on what share of it a run has drawn.
//!
//! ```text
//!   null      the server that does nothing but echo
//!   ceiling   what was found with a load, and what share of it a report has used
//!   store     where it is kept
//! ```

mod ceiling;
mod null;
mod store;

pub(crate) use ceiling::{Ceiling, apply};
pub(crate) use null::serve;
pub(crate) use store::CeilingChoice;

use crate::args::{CalibrateOptions, Command, EchoOptions};
use crate::failure::Failure;
use crate::limits::host::Host;
use crate::model::{Report, Verdict};
use null::NullServer;
use std::path::PathBuf;
use store::{Store, usual_path};

/// Runs the load of the options against the null server and keeps what came of it.
///
/// # Errors
/// The caller's fault: the options are not those of `echo`. The environment's: the server does not start, the run
/// says nothing, or the file cannot be written.
pub(crate) fn run(
    options: &CalibrateOptions,
    echo: impl Fn(&EchoOptions) -> Result<Report, Failure>,
) -> Result<Verdict, Failure> {
    let host = Host::this();
    let path = options.out.clone().or_else(|| usual(&host)).ok_or_else(no_path)?;
    let cores = host.processors().len().max(1);
    // Read once before there is a server, so that a mistake costs no time.
    let place = Place::of(&parse("ws://127.0.0.1:1/", &options.echo)?, cores);
    let server = NullServer::start(place.shards, place.pin)?;
    let report = echo(&parse(&server.url(), &options.echo)?)?;
    let wrong = |cause: String| Failure::NullServer { cause };
    if report.verdict == Verdict::NotMet {
        return Err(wrong(report.reasons.join(", ")));
    }
    let ceiling = Ceiling::of(&report, null::DESCRIPTION, cores).map_err(wrong)?;
    print(&ceiling, &place, &path);
    let mut store = Store::read(&path)?;
    store.add(ceiling);
    store.write(&path)?;
    Ok(Verdict::Met)
}

/// What is known about this generator.
///
/// # Errors
/// The caller's fault: the file that was given is not there, or not what `wsload calibrate` writes.
pub(crate) fn ceilings(choice: &CeilingChoice) -> Result<Vec<Ceiling>, Failure> {
    let path = match choice {
        CeilingChoice::Auto => usual(&Host::this()),
        CeilingChoice::File(path) if path.exists() => Some(path.clone()),
        CeilingChoice::File(path) => {
            return Err(Failure::Usage(format!("--ceiling {}: there is no such file", path.display())));
        }
    };
    path.map_or_else(|| Ok(Vec::new()), |path| Ok(Store::read(&path)?.ceilings))
}

fn usual(host: &Host) -> Option<PathBuf> {
    let name = host.word("proc/sys/kernel/hostname").unwrap_or_default();
    usual_path(|name| std::env::var(name).ok(), &name)
}

fn no_path() -> Failure {
    Failure::Usage("neither XDG_CACHE_HOME nor HOME is set: give --out FILE".into())
}

/// The options of `echo` as they would be read there, but for those that mean nothing here.
fn parse(url: &str, words: &[String]) -> Result<EchoOptions, Failure> {
    let line = ["echo", url].into_iter().map(str::to_owned).chain(words.iter().cloned());
    let Command::Echo(options) = Command::of_words(line)? else {
        return Err(Failure::Usage("only a load of echo can be calibrated with".into()));
    };
    let (common, server) = (&options.common, &options.common.server);
    let table = [
        (
            common.output.ask_for_a_report(),
            "a calibration has no report: outputs and --threshold are for a run",
        ),
        (
            server.pid.is_some() || server.cgroup.is_some(),
            "a calibration has a server of its own: --pid and --cgroup are for a run",
        ),
        (
            options.ceiling != CeilingChoice::Auto,
            "what a calibration finds is kept in --out FILE, not --ceiling",
        ),
        (
            common.connection.compression.offer().is_some(),
            "the ceiling is that of messages that are not compressed: --deflate is for a run",
        ),
    ];
    match table.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, why)) => Err(Failure::Usage(why.into())),
        None => Ok(options),
    }
}

/// Where the null server runs.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    shards: usize,
    pin: Option<usize>,
    /// Whether it has cores that the generator does not use.
    is_apart: bool,
}

impl Place {
    /// On the cores that a pinned generator leaves; else wherever the kernel puts it.
    fn of(options: &EchoOptions, cores: usize) -> Self {
        let shards = options.common.shards.unwrap_or(cores);
        let first = options.common.pin.map(|pin| (pin, pin + shards));
        match first {
            Some((_, next)) if next < cores => Self { shards: cores - next, pin: Some(next), is_apart: true },
            Some((pin, _)) if pin > 0 => Self { shards: pin.min(cores), pin: Some(0), is_apart: true },
            _ => Self { shards: cores.saturating_sub(shards).max(1), pin: None, is_apart: shards < cores },
        }
    }
}

fn print(ceiling: &Ceiling, place: &Place, path: &std::path::Path) {
    let line = |name: &str, text: String| println!("{name:<12} {text}");
    line(
        "null server",
        format!(
            "{}, {} shards{}",
            ceiling.server,
            place.shards,
            match (place.pin, place.is_apart) {
                (Some(pin), _) => format!(" from core {pin} on"),
                (None, true) => String::new(),
                (None, false) => ", on the generator's cores".to_owned(),
            }
        ),
    );
    line(
        "measured",
        format!(
            "{:.0} messages per second with {:.2} cores",
            ceiling.measured_per_second, ceiling.measured_cores
        ),
    );
    line(
        "per CPU",
        format!("{:.0} messages for each second of the generator's CPU time", ceiling.per_cpu_second),
    );
    line(
        "ceiling",
        format!("{:.0} messages per second with {} shards", ceiling.per_second, ceiling.load.shards),
    );
    if ceiling.measured_per_second < 0.95 * ceiling.per_second {
        line(
            "note",
            "the generator was not busy all the time: the ceiling is what it would do if it were".into(),
        );
    }
    line("kept in", path.display().to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_keeps_off_the_generators_cores() {
        let at = |shards, pin, is_apart| Place { shards, pin, is_apart };
        let table = [
            ("", 2, at(1, None, false)),
            ("--shards 1", 2, at(1, None, true)),
            ("--shards 1 --pin 0", 2, at(1, Some(1), true)),
            ("--shards 1 --pin 1", 2, at(1, Some(0), true)),
            ("--shards 2 --pin 2", 8, at(4, Some(4), true)),
            ("--shards 2 --pin 0", 2, at(1, None, false)),
            ("--shards 1 --pin 0", 1, at(1, None, false)),
        ];
        for (line, cores, place) in table {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let options = parse("ws://127.0.0.1:1/", &words).expect("they are options");
            assert_eq!(Place::of(&options, cores), place, "{line:?} on {cores}");
        }
    }

    #[test]
    fn only_options_of_echo() {
        for line in ["--hold 3s", "ws://127.0.0.1:9/", "--depth 0"] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let failure = parse("ws://127.0.0.1:1/", &words).expect_err(line);
            assert_eq!(failure.exit_code(), 2, "{failure}");
        }
    }
}
