//! Where the sessions of a shard live.

use super::session::{Phase, Session};
use super::wheel::Tick;
use crate::limits::TABLE_CHUNK;
use wsring_io::Socket;

/// Sessions by the place of their socket. It grows in chunks, so that no session ever moves, to the
/// highest place in use so far.
#[derive(Default)]
pub(crate) struct Table {
    chunks: Vec<Box<[Session]>>,
    count: usize,
}

impl Table {
    /// Open sessions.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Puts a session at its socket's place.
    ///
    /// # Panics
    /// When the place is taken: the driver reports a socket as new only after it reported the old one
    /// as closed.
    pub(crate) fn insert(&mut self, session: Session) {
        let slot = session.socket.slot() as usize;
        while self.chunks.len() <= slot / TABLE_CHUNK {
            let free = (0..TABLE_CHUNK).map(|_| Session::new(Socket::new(0, 0), Phase::Free, Tick(0)));
            self.chunks.push(free.collect());
        }
        let place = &mut self.chunks[slot / TABLE_CHUNK][slot % TABLE_CHUNK];
        assert!(matches!(place.phase, Phase::Free), "place {slot} is taken");
        *place = session;
        self.count += 1;
    }

    /// The session of exactly this socket.
    #[inline]
    pub(crate) fn get(&mut self, socket: Socket) -> Option<&mut Session> {
        self.at(socket.slot()).filter(|session| session.socket == socket)
    }

    /// The session at a place, whichever it is.
    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Session> {
        let slot = slot as usize;
        let session = self.chunks.get_mut(slot / TABLE_CHUNK)?.get_mut(slot % TABLE_CHUNK)?;
        (!matches!(session.phase, Phase::Free)).then_some(session)
    }

    /// Takes a session out.
    pub(crate) fn remove(&mut self, socket: Socket) -> Option<Session> {
        let free = Session::new(socket, Phase::Free, Tick(0));
        let session = std::mem::replace(self.get(socket)?, free);
        self.count -= 1;
        Some(session)
    }

    /// All sockets that are in use.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        let all = self.chunks.iter().flatten();
        all.filter(|session| !matches!(session.phase, Phase::Free)).map(|session| session.socket).collect()
    }
}
