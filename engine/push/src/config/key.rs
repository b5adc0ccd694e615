//! What is known of one setting.

use super::kind::Kind;

/// What the names of all variables begin with.
pub(crate) const VARIABLE_PREFIX: &str = "WSRING_";

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// The table of the file that it stands in; empty: before all tables.
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As text; `None`: not set, which `help` explains.
    pub(crate) default: Option<&'static str>,
    /// Its flag without the dashes and what stands for the value in the help. Secrets have none: command
    /// lines are visible to every user of the machine.
    pub(crate) flag: Option<(&'static str, &'static str)>,
    pub(crate) help: &'static str,
    pub(crate) secret: bool,
}

impl Key {
    pub(super) const fn new(
        section: &'static str,
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        help: &'static str,
    ) -> Self {
        Self { section, name, kind, default, flag: None, help, secret: false }
    }

    pub(super) const fn flag(mut self, flag: &'static str, value_name: &'static str) -> Self {
        self.flag = Some((flag, value_name));
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// As in `limits.connections`.
    pub(crate) fn path(&self) -> String {
        match self.section {
            "" => self.name.into(),
            section => format!("{section}.{}", self.name),
        }
    }

    /// As in `WSRING_LIMITS_CONNECTIONS`.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path().replace('.', "_").to_ascii_uppercase())
    }
}
