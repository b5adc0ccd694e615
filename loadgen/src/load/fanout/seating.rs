//! Which subscribers there are, and where.

use super::rounds::Place;
use crate::fleet::Fleet;
use crate::load::slow;
use wsring::Remote;

/// The subscribers that do not read slowly, by the shard that they are on.
pub(super) struct Seating {
    pub(super) places: Vec<Place>,
    pub(super) homes: Vec<Remote>,
    pub(super) home_of: Vec<u32>,
}

impl Seating {
    pub(super) fn of(fleet: &Fleet<'_>, slow: &slow::Plan) -> Self {
        let shards = fleet.shards();
        let mut members = fleet.remotes();
        members.retain(|(number, _)| !slow.is_slow(*number));
        members.sort_unstable_by_key(|(number, _)| *number);
        let mut places = vec![Place::default(); shards];
        let (mut homes, mut home_of) = (Vec::new(), Vec::with_capacity(members.len()));
        for (position, (number, remote)) in (0..).zip(members) {
            let place = &mut places[number as usize % shards];
            if place.members.is_empty() {
                place.home = homes.len() as u32;
                homes.push(remote);
            }
            place.members.push((number, position));
            home_of.push(place.home);
        }
        Self { places, homes, home_of }
    }

    pub(super) fn members(&self) -> u32 {
        self.home_of.len() as u32
    }

    /// The shards that have some, with their numbers.
    pub(super) fn busy(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.places.iter().enumerate().filter(|(_, place)| !place.members.is_empty())
    }
}
