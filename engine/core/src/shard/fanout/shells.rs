//! What a shard wraps segments in, and the memory in which batches are joined, kept for another time: a warm
//! shard asks the heap for nothing when a log goes on in its next segment.

use std::rc::Rc;
use std::sync::Arc;
use wsring_io::{Appender, LocalSegment, Segment};

/// Of each kind kept, at most.
const KEPT_MAX: usize = 16;

/// The least that memory for joining has, so that it fits again.
const JOINT_BYTES_MIN: usize = 32 * 1024;

/// See the [module](self). A shell is given back while sends still need what is in it, and vacant once they
/// are done.
#[derive(Debug, Default)]
pub(super) struct Shells {
    vacant: Vec<LocalSegment>,
    /// Given back, with whether they hold a joint.
    retired: Vec<(LocalSegment, bool)>,
    joints: Vec<Arc<Segment>>,
    /// Put where a segment was.
    nothing: Option<Arc<Segment>>,
}

impl Shells {
    /// Wraps a segment.
    pub(super) fn wrap(&mut self, segment: Arc<Segment>) -> LocalSegment {
        if let Some(mut shell) = self.vacant.pop()
            && let Some(place) = Rc::get_mut(&mut shell)
        {
            *place = segment;
            return shell;
        }
        Rc::new(segment)
    }

    /// Gives a wrapped segment back.
    pub(super) fn retire(&mut self, shell: LocalSegment) {
        self.keep(shell, false);
    }

    /// Gives back what was made with [`joint`](Self::joint).
    pub(super) fn retire_joint(&mut self, shell: LocalSegment) {
        self.keep(shell, true);
    }

    fn keep(&mut self, shell: LocalSegment, is_joint: bool) {
        // One that is given back twice would never be vacant.
        let is_known = self.retired.iter().any(|(known, _)| Rc::ptr_eq(known, &shell));
        if !is_known && self.retired.len() < KEPT_MAX {
            self.retired.push((shell, is_joint));
        }
    }

    /// Memory to join a batch in.
    pub(super) fn joint(&mut self, bytes: usize) -> Appender {
        let fits = |joint: &Arc<Segment>| joint.capacity() >= bytes;
        let kept = self.joints.pop().filter(fits).and_then(Appender::reuse);
        kept.unwrap_or_else(|| Appender::new(bytes.next_power_of_two().max(JOINT_BYTES_MIN)))
    }

    /// Empties those that nothing needs any more: a log waits to use its segment again.
    #[inline]
    pub(super) fn collect(&mut self) {
        if !self.retired.is_empty() {
            self.empty();
        }
    }

    fn empty(&mut self) {
        let Self { vacant, retired, joints, nothing } = self;
        let nothing = nothing.get_or_insert_with(|| Arc::clone(Appender::new(0).segment()));
        for at in (0..retired.len()).rev() {
            let (shell, is_joint) = &mut retired[at];
            let (Some(place), is_joint) = (Rc::get_mut(shell), *is_joint) else { continue };
            let segment = std::mem::replace(place, Arc::clone(nothing));
            if is_joint && joints.len() < KEPT_MAX {
                joints.push(segment);
            }
            let (shell, _) = retired.swap_remove(at);
            if vacant.len() < KEPT_MAX {
                vacant.push(shell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Arc<Segment> {
        Arc::clone(Appender::new(64).segment())
    }

    #[test]
    fn a_shell_is_vacant_when_nobody_needs_it() {
        let mut shells = Shells::default();
        let one = shells.wrap(segment());
        let (address, sending) = (Rc::as_ptr(&one), Rc::clone(&one));
        let held = Arc::clone(&one);
        shells.retire(one);
        shells.retire(Rc::clone(&sending));
        shells.collect();
        assert_eq!((shells.vacant.len(), shells.retired.len()), (0, 1), "it is still being sent");
        drop(sending);
        shells.collect();
        assert_eq!((shells.vacant.len(), shells.retired.len()), (1, 0));
        assert_eq!(Arc::strong_count(&held), 1, "the segment is let go of");
        assert_eq!(Rc::as_ptr(&shells.wrap(segment())), address);
    }

    #[test]
    fn joints_are_used_again() {
        let mut shells = Shells::default();
        let joint = shells.joint(100);
        let memory = Arc::as_ptr(joint.segment());
        let shell = shells.wrap(Arc::clone(joint.segment()));
        drop(joint);
        shells.retire_joint(shell);
        shells.collect();
        let again = shells.joint(JOINT_BYTES_MIN);
        assert_eq!(Arc::as_ptr(again.segment()), memory);
        assert_eq!(again.room(), JOINT_BYTES_MIN);
    }
}
