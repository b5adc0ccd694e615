//! Questions to a server, one connection at a time: does it keep to the protocol (`conform`), and what
//! exactly passes between it and a client (`inspect`).
//!
//! Blocking sockets with deadlines, and nothing of the engine but its reader of URLs and its random keys:
//! what is judged here is often the engine itself. Frames, compression, heads, proofs and close codes are
//! therefore read and written anew, and leniently: they hold what is wrong as well as what is right.

mod answer;
pub(crate) mod conform;
mod deflate;
mod frame;
mod inflate;
pub(crate) mod inspect;
mod meaning;
mod paint;
mod request;
mod target;
