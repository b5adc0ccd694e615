//! The push server from outside: every route and every error, over real sockets.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod auth;
mod commands;
mod compression;
mod configuration;
mod events;
mod figures;
mod http;
mod limits;
mod page;
mod resume;
mod socket;
mod support;
