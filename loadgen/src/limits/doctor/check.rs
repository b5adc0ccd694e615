//! One thing that was looked at.

use serde::Serialize;

/// A limit or setting: what it is, what it has to be and why, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) state: State,
    pub(crate) value: String,
    pub(crate) needed: String,
    /// Where the needed value comes from.
    pub(crate) why: String,
    /// Lines for a shell or a systemd unit; none where nothing has to be mended or no line does it.
    pub(crate) mend: Vec<String>,
}

/// Whether it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is.
    Ok,
    /// This machine does not say.
    Unknown,
    /// It works, but figures or some workloads suffer.
    Warn,
    /// It is too low.
    Fail,
}

impl Check {
    /// A check that is fine so far; `value` is what was found.
    pub(crate) fn new(name: &'static str, value: impl Into<String>) -> Self {
        let (needed, why) = (String::new(), String::new());
        Self { name, state: State::Ok, value: value.into(), needed, why, mend: Vec::new() }
    }

    /// A number that the kernel does not show here.
    pub(crate) fn or_unknown(name: &'static str, value: Option<u64>) -> Self {
        match value {
            Some(value) => Self::new(name, amount(value)),
            None => Self { state: State::Unknown, ..Self::new(name, "not shown by this kernel") },
        }
    }

    /// What it has to be, and why.
    pub(crate) fn needs(mut self, needed: impl Into<String>, why: impl Into<String>) -> Self {
        (self.needed, self.why) = (needed.into(), why.into());
        self
    }

    /// It is not enough where `applies`; these lines mend it. A value that is not known stays so.
    pub(crate) fn judge(
        mut self,
        applies: bool,
        state: State,
        mend: impl IntoIterator<Item = String>,
    ) -> Self {
        if applies && self.state != State::Unknown && self.state < state {
            self.state = state;
            self.mend = mend.into_iter().collect();
        }
        self
    }
}

/// A number, or that there is no bound.
pub(crate) fn amount(value: u64) -> String {
    match value {
        super::UNLIMITED => "unlimited".into(),
        value => value.to_string(),
    }
}

/// Bytes in a unit that suits them.
pub(crate) fn bytes(value: u64) -> String {
    let amount = value as f64;
    match value {
        super::UNLIMITED => "unlimited".into(),
        0..1024 => format!("{value} B"),
        1024..1_048_576 => format!("{:.0} KiB", amount / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.0} MiB", amount / 1_048_576.0),
        _ => format!("{:.1} GiB", amount / 1_073_741_824.0),
    }
}
