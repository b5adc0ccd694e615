//! The protocol `wsring.v1`: JSON commands in, answers and deliveries out. Nothing here knows of
//! connections; `docs/wire.md` shows every message. Read [`Command`] and [`Parser`] first.

mod code;

pub(crate) use code::Code;
