//! A client's drivers: what its application does at times of its own.

use super::{Shard, earliest, input};
use crate::cluster::ConnectionId;
use crate::conn::Conn;
use crate::driver::{Again, Driver, Reach, Turn};
use wsring_io::{Io, Time};

/// The drivers of a shard, and when the first of them has to be called.
#[derive(Default)]
pub(super) struct Drivers {
    list: Vec<Box<dyn Driver>>,
    pub(super) next: Option<Time>,
}

impl Drivers {
    /// One more, which is called in this turn.
    pub(super) fn add(&mut self, make: Box<dyn FnOnce() -> Box<dyn Driver> + Send>) {
        self.list.extend(input::guarded(make));
    }
}

impl<I: Io> Shard<I> {
    /// Calls each driver once.
    pub(super) fn drive(&mut self) {
        if self.drivers.list.is_empty() {
            return;
        }
        let mut list = std::mem::take(&mut self.drivers.list);
        let (shard, now) = (self.local.shard, self.local.now);
        let mut next = None;
        list.retain_mut(|driver| {
            let mut turn = Turn { shard, now, reach: self };
            match input::guarded(|| driver.turn(&mut turn)) {
                Some(Again::At(time)) => next = earliest(next, Some(time)),
                Some(Again::NextTurn) => {}
                Some(Again::Never) => return false,
                None => {
                    tracing::error!(shard, "a driver panicked and is dropped");
                    return false;
                }
            }
            true
        });
        self.drivers = Drivers { list, next };
    }
}

impl<I: Io> Reach for Shard<I> {
    fn reach(&mut self, id: ConnectionId, act: &mut dyn FnMut(&mut Conn<'_>)) {
        if id.shard as usize == self.local.shard {
            self.with_handler(id.socket, |_, conn| act(conn));
        }
    }
}
