//! The diagnosis for people.

use super::check::{Check, State};
use super::{Asked, Diagnosis};
use std::fmt::{Display, Formatter, Result};

/// Characters of a name, in front of the values, and of a line behind them.
const NAME: usize = 30;
const INDENT: usize = 8;
const LINE: usize = 110;

impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Asked { connections, to, .. } = &self.asked;
        let ends = if self.asked.is_local() { ", both ends on this machine" } else { "" };
        writeln!(f, "wsload doctor: {connections} connections to {to}{ends}\n")?;
        self.checks.iter().try_for_each(|check| write!(f, "{check}"))?;
        let count = |state| self.checks.iter().filter(|check| check.state == state).count();
        let (fail, warn) = (count(State::Fail), count(State::Warn));
        let all = self.checks.len();
        match (fail, warn) {
            (0, 0) => writeln!(f, "\nall {all} are enough"),
            (0, warn) => writeln!(f, "\nenough; {warn} of {all} with a warning"),
            (fail, warn) => writeln!(f, "\nNOT ENOUGH: {fail} of {all} too low, {warn} with a warning"),
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Unknown => "?",
            State::Warn => "warn",
            State::Fail => "FAIL",
        };
        writeln!(f, "{state:<5} {:<NAME$} {}", self.name, self.value)?;
        for line in wrapped(&format!("needs {}: {}", self.needed, self.why)) {
            writeln!(f, "{:INDENT$}{line}", "")?;
        }
        self.mend.iter().try_for_each(|line| writeln!(f, "{:INDENT$}mend: {line}", ""))
    }
}

/// A text in lines that fit behind the names.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= LINE {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
