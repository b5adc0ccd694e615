//! The protocol `wsring.v1`: JSON commands in, answers and deliveries out. Nothing here knows of
//! connections; `docs/wire.md` shows every message. Read [`Command`] and [`Parser`] first.

mod batch;
mod code;
mod command;
mod deliver;
pub(crate) mod raw;
pub(crate) mod write;

#[cfg(test)]
mod tests;

pub(crate) use code::Code;
pub(crate) use command::{Begin, Command, CommandFault, MAX_NUMBER, Parser};
pub(crate) use deliver::{base64, delivery};
pub(crate) use write::{GapNotice, GapReason};

impl From<CommandFault> for crate::auth::Denied {
    fn from(fault: CommandFault) -> Self {
        Self { code: fault.code, message: fault.message.into_owned() }
    }
}
