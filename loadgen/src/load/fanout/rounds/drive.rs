//! Calls a shard's part in each of its turns.

use super::{Part, Place, Rounds};
use crate::load::fanout::subscriber::{Desk, Shared};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wsring::{Again, Driver, Turn};

/// Drives the part that lies in this shard's lane.
pub(crate) struct PartDriver {
    lane: Shared,
}

impl PartDriver {
    /// Puts a part into the lane of the shard on whose thread this is called.
    pub(crate) fn new(rounds: Arc<Rounds>, desk: Desk, place: &Place) -> Self {
        let lane = Shared::here();
        {
            let lane = &mut *lane.borrow();
            lane.part = Some(Part::new(Arc::clone(&rounds), desk, place, &lane.seats));
            rounds.ready.fetch_add(1, Ordering::Release);
        }
        Self { lane }
    }
}

impl Driver for PartDriver {
    fn turn(&mut self, turn: &mut Turn<'_>) -> Again {
        let lane = &mut *self.lane.borrow();
        match &mut lane.part {
            Some(part) => part.turn(turn, &mut lane.counts),
            None => Again::Never,
        }
    }
}
