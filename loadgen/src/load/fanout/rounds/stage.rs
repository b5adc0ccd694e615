//! Which round it is, and how many shards still wait in it: one word, which shards share.

use std::sync::atomic::{AtomicU64, Ordering};

/// Changes with one exchange of a word each, so that a round ends once, whoever ends it.
#[derive(Debug, Default)]
pub(crate) struct Stage(AtomicU64);

/// What a stage is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    /// From 1 on; 0 before the first.
    pub(crate) round: u32,
    /// Shards that have not everything of it. 0 before the first round and behind the last one.
    pub(crate) waiting: u32,
}

impl Stage {
    #[inline]
    pub(crate) fn scene(&self) -> Scene {
        Scene::of(self.0.load(Ordering::Acquire))
    }

    /// The first round begins, if there is to be one; says whether it had not yet.
    pub(crate) fn begin(&self, shards: u32, goes_on: bool) -> bool {
        self.change(|scene| (scene.round == 0).then_some(Scene::after(0, shards, goes_on))).is_some()
    }

    /// A shard has everything of a round. When it was the last of so many, the next one begins, if there is to be
    /// one; says whether it was.
    pub(crate) fn complete(&self, round: u32, shards: u32, goes_on: bool) -> bool {
        let next = |scene: Scene| match scene {
            Scene { round: now, waiting } if now != round || waiting == 0 => None,
            Scene { waiting: 1, .. } => Some(Scene::after(round, shards, goes_on)),
            Scene { waiting, .. } => Some(Scene { round, waiting: waiting - 1 }),
        };
        self.change(next).is_some_and(|before| before.waiting == 1)
    }

    /// A round has taken too long, and the next one begins, if there is to be one; says whether it was not over.
    pub(crate) fn give_up(&self, round: u32, shards: u32, goes_on: bool) -> bool {
        let is_on = |scene: Scene| scene.round == round && scene.waiting > 0;
        self.change(|scene| is_on(scene).then_some(Scene::after(round, shards, goes_on))).is_some()
    }

    /// What it was before the change, if there was one.
    fn change(&self, next: impl Fn(Scene) -> Option<Scene>) -> Option<Scene> {
        let next = |word| next(Scene::of(word)).map(Scene::word);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok().map(Scene::of)
    }
}

impl Scene {
    /// Whether there are no more rounds.
    pub(crate) fn is_over(self) -> bool {
        self.round > 0 && self.waiting == 0
    }

    fn after(round: u32, shards: u32, goes_on: bool) -> Self {
        Self { round: round + 1, waiting: if goes_on { shards } else { 0 } }
    }

    fn of(word: u64) -> Self {
        Self { round: (word >> 32) as u32, waiting: word as u32 }
    }

    fn word(self) -> u64 {
        u64::from(self.round) << 32 | u64::from(self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::thread;

    #[test]
    fn a_round_ends_when_the_last_shard_has_everything() {
        let stage = Stage::default();
        let scene = |round, waiting| Scene { round, waiting };
        assert!(!stage.scene().is_over() && !stage.complete(0, 2, true));
        assert!(stage.begin(2, true) && !stage.begin(2, true));
        assert!(!stage.complete(1, 2, true) && stage.scene() == scene(1, 1));
        assert!(stage.complete(1, 2, true) && stage.scene() == scene(2, 2));
        // Who comes too late changes nothing.
        assert!(!stage.complete(1, 2, true) && !stage.give_up(1, 2, true));
        assert!(stage.give_up(2, 2, true) && stage.scene() == scene(3, 2));
        assert!(!stage.complete(3, 2, false) && stage.complete(3, 2, false));
        assert!(stage.scene().is_over() && !stage.complete(4, 2, true) && !stage.give_up(4, 2, true));
    }

    #[test]
    fn without_a_first_round_it_is_over() {
        let stage = Stage::default();
        assert!(stage.begin(2, false) && !stage.begin(2, true));
        assert!(stage.scene().is_over() && !stage.complete(1, 2, true));
    }

    #[test]
    fn among_many_shards_each_round_ends_once() {
        const SHARDS: u32 = 4;
        const ROUNDS: u32 = 2000;
        let (stage, ended, given_up) = (Stage::default(), AtomicU32::new(0), AtomicU32::new(0));
        stage.begin(SHARDS, true);
        thread::scope(|scope| {
            for shard in 0..SHARDS {
                let (stage, ended, given_up) = (&stage, &ended, &given_up);
                scope.spawn(move || {
                    let mut done = 0;
                    while !stage.scene().is_over() {
                        let round = stage.scene().round;
                        if round == done {
                            thread::yield_now();
                            continue;
                        }
                        done = round;
                        // Now and then one has no patience.
                        let is_given_up = shard == 0 && round % 7 == 0 && stage.give_up(round, SHARDS, true);
                        given_up.fetch_add(u32::from(is_given_up), Ordering::Relaxed);
                        let is_ended = stage.complete(round, SHARDS, round < ROUNDS);
                        ended.fetch_add(u32::from(is_ended), Ordering::Relaxed);
                    }
                });
            }
        });
        let (ended, given_up) = (ended.into_inner(), given_up.into_inner());
        assert_eq!(ended + given_up, stage.scene().round - 1);
        assert!(given_up > 0 && ended > given_up, "{ended} {given_up}");
    }
}
