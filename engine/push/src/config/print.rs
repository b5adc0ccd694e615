//! The effective configuration as TOML: it can be given back as a file, and says behind each value who
//! set it. Secrets are not shown.

use super::fault::Place;
use super::keys::{RULE_KEYS, RULES};
use super::resolve::{Resolved, Setting};
use std::fmt::Write;

/// Where the comments begin, if the value is not longer.
const COMMENT_COLUMN: usize = 44;

impl Resolved {
    /// The text of `--print-config`.
    pub(crate) fn print(&self) -> String {
        let mut out = String::from("# The configuration in effect; behind each value who set it.\n");
        let mut section = "";
        for setting in &self.settings {
            if setting.key.section != section {
                section = setting.key.section;
                let _ = writeln!(out, "\n[{section}]");
            }
            line(&mut out, &entry(setting), &setting.place);
            if setting.key.section == "topics" && setting.key.name == "behind" {
                self.print_rules(&mut out);
            }
        }
        out
    }

    fn print_rules(&self, out: &mut String) {
        for rule in &self.rules {
            let _ = writeln!(out, "\n[[{RULES}]]");
            for key in RULE_KEYS {
                if let Some(value) = rule.get(key.name) {
                    line(out, &format!("{} = {value}", key.name), &self.rules_place);
                }
            }
        }
    }
}

fn entry(setting: &Setting) -> String {
    let name = setting.key.name;
    match &setting.given {
        // As a comment: given back it would be taken for the secret.
        Some(_) if setting.key.secret => format!("# {name} = \"<set>\""),
        Some(toml::Value::String(text)) if !text_prints(setting) => {
            // From the environment a number, a switch or a list came as text.
            setting
                .value
                .as_ref()
                .map_or_else(|| format!("{name} = {text}"), |value| format!("{name} = {value}"))
        }
        Some(given) => format!("{name} = {given}"),
        None => format!("# {name} is not set"),
    }
}

/// Whether the text as given is also how the file writes it.
fn text_prints(setting: &Setting) -> bool {
    use super::kind::Kind;
    matches!(setting.key.kind, Kind::Text | Kind::Choice(_) | Kind::Size { .. } | Kind::Time { .. })
}

fn line(out: &mut String, entry: &str, place: &Place) {
    let _ = writeln!(out, "{entry:<COMMENT_COLUMN$} # {}", one_line(&place.to_string()));
}

/// The name of a file may hold anything.
fn one_line(text: &str) -> String {
    text.escape_debug().to_string()
}
