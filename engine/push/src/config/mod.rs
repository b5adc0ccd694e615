//! The configuration: what it consists of ([`keys`]), what is in effect ([`Resolved`], out of defaults,
//! file, environment and flags), and what the server makes of it ([`Config`]).

mod fault;
mod key;
mod keys;
mod kind;
mod print;
mod resolve;
mod typed;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, Place};
pub(crate) use key::Key;
pub(crate) use keys::KEYS;
pub(crate) use kind::Kind;
pub(crate) use resolve::{Resolved, Sources};
pub(crate) use typed::{Auth, Config, Limits, LogForm};

/// The variable that names the file when no flag does.
pub(crate) const FILE_VARIABLE: &str = "WSRING_CONFIG";

impl Resolved {
    /// What the server uses.
    ///
    /// # Errors
    /// Ours: a key whose form in the table is not the one in the type; the tests go over all of them.
    pub(crate) fn config(&self) -> Result<Config, toml::de::Error> {
        self.table().try_into()
    }
}

/// Reads the file, if one is named by the flag or the environment, and the environment.
///
/// # Errors
/// The caller's fault: a file that cannot be read, wrong keys and values.
pub(crate) fn load(
    file: Option<(String, Place)>,
    flags: Vec<(&'static Key, toml::Value)>,
) -> Result<Resolved, Vec<Fault>> {
    let mut variables = Vec::new();
    for (name, text) in std::env::vars_os() {
        let (name, text) = (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned());
        if name.starts_with(key::VARIABLE_PREFIX) {
            variables.push((name, text));
        }
    }
    let named = variables.iter().find(|(name, _)| name == FILE_VARIABLE);
    let file = file.or_else(|| Some((named?.1.clone(), Place::Variable(FILE_VARIABLE.into()))));
    let file = file.map(|(name, place)| match std::fs::read_to_string(&name) {
        Ok(text) => Ok((name, text)),
        Err(cause) => {
            Err(vec![Fault::Read { key: "config".into(), place, file: name, cause: cause.to_string() }])
        }
    });
    Sources { file: file.transpose()?, variables, flags }.resolve()
}
