//! Connections: two pipes, two ends, and what TCP makes of closing one.

use super::pipe::{Pipe, Taken};
use super::state::{State, Target, Waiting};
use crate::CloseHow;
use std::net::{IpAddr, Ipv4Addr};

/// A connection.
pub(super) struct Link {
    /// What each side sends.
    pipes: [Pipe; 2],
    owners: [Owner; 2],
    /// Where each side is.
    addresses: [IpAddr; 2],
}

/// One side of a connection: 0 connected, 1 was connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    link: usize,
    side: usize,
}

impl End {
    fn other(self) -> Self {
        Self { link: self.link, side: 1 - self.side }
    }
}

/// Who holds an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A shard, at one of its slots.
    Slot { shard: usize, slot: u32 },
    /// A test, or a queue: looks by itself.
    Waiting,
    /// Closed.
    Nobody,
}

/// Where all listeners are, and shards connect from unless they say otherwise.
pub(super) const LISTENERS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a listener holds before it refuses (`net.core.somaxconn`).
const BACKLOG_MAX: usize = 4096;

impl State {
    /// Opens a connection to a listener. Says the near end and when the answer is there; an error
    /// is the answer, and the connection is then broken from the start.
    pub(super) fn connect(
        &mut self,
        listener: Option<usize>,
        owner: Owner,
        from: IpAddr,
    ) -> (End, u64, Result<(), i32>) {
        let open = listener.filter(|&listener| {
            let listener = &self.listeners[listener];
            listener.is_open && listener.backlog.len() < BACKLOG_MAX
        });
        let far = if open.is_some() { Owner::Waiting } else { Owner::Nobody };
        let near = self.open_link(owner, far, from);
        let due = self.later();
        self.trace.bytes(b"connect");
        let Some(listener) = open else {
            self.incoming(near).reset(0, due);
            self.post(due, Target::End(near));
            return (near, due, Err(libc::ECONNREFUSED));
        };
        // First in, first out: none arrives before the one that connected before it.
        let due = due.max(self.listeners[listener].backlog.back().map_or(0, |waiting| waiting.due));
        self.listeners[listener].backlog.push_back(Waiting { due, end: near.other() });
        self.post(due, Target::End(near));
        self.post(due, Target::Listener(listener));
        (near, due, Ok(()))
    }

    /// A near end that was never connected, for a connect that fails; and when the failure is known.
    pub(super) fn connect_in_vain(&mut self, owner: Owner) -> (End, u64) {
        let near = self.open_link(owner, Owner::Nobody, LISTENERS);
        let due = self.later();
        self.post(due, Target::End(near));
        (near, due)
    }

    /// Writes as much as there is room for and says how much.
    ///
    /// # Errors
    /// The errno when the connection is broken, or just broke.
    pub(super) fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, i32> {
        if self.random.chance(self.faults.reset) {
            self.break_off(end);
        }
        let now = self.now;
        if self.pipe(end.other()).is_reset(now) {
            return Err(libc::ECONNRESET);
        }
        if self.pipe(end).is_ended() {
            return Err(libc::EPIPE);
        }
        if self.owner(end.other()) == Some(Owner::Nobody) {
            // Nobody reads: the other side's kernel answers with RST.
            self.reset_towards(end);
            return Ok(bytes.len());
        }
        let count = bytes.len().min(self.pipe(end).room());
        if count > 0 {
            let due = self.later();
            let due = self.pipe(end).write(&bytes[..count], due);
            self.trace.bytes(&bytes[..count]);
            self.post(due, Target::End(end.other()));
        }
        Ok(count)
    }

    /// Reads what has arrived at `end`.
    pub(super) fn read(&mut self, end: End, into: &mut [u8]) -> Taken {
        let now = self.now;
        let taken = self.pipe(end.other()).take(now, into);
        if let Taken::Bytes(count) = taken {
            self.trace.word(count as u64);
            self.notify(Target::End(end.other()));
        }
        taken
    }

    /// Sends FIN and goes on reading.
    pub(super) fn finish(&mut self, end: End) {
        if !self.pipe(end).is_ended() {
            let due = self.later();
            let due = self.pipe(end).finish(due);
            self.trace.bytes(b"fin");
            self.post(due, Target::End(end.other()));
        }
    }

    /// Gives an end up. As in Linux, one that leaves input unread resets the connection, and one
    /// that is still being sent to does so when those bytes arrive.
    pub(super) fn close(&mut self, end: End, how: CloseHow) {
        let now = self.now;
        self.trace.bytes(b"close");
        let incoming = self.pipe(end.other());
        let (is_unread, is_written_to) = (incoming.readable(now) > 0, incoming.held() > 0);
        if how == CloseHow::Reset || is_unread {
            let due = self.later();
            let due = self.pipe(end).reset(now, due);
            self.post(due, Target::End(end.other()));
        } else {
            // Behind an earlier FIN nothing more is seen, but who waits for room to send has to learn
            // that nobody will make any.
            let due = self.later();
            self.post(due, Target::End(end.other()));
            self.finish(end);
            if is_written_to {
                self.reset_towards(end.other());
            }
        }
        self.set_owner(end, Owner::Nobody);
        if self.owner(end.other()) == Some(Owner::Nobody) {
            self.links[end.link] = None;
            self.links_free.push(end.link);
        }
    }

    /// Whether a read finds anything.
    pub(super) fn is_ready(&mut self, end: End) -> bool {
        let now = self.now;
        self.incoming(end).is_ready(now)
    }

    /// Whether the end of what `end` receives has arrived.
    pub(super) fn is_over(&mut self, end: End) -> bool {
        let now = self.now;
        self.incoming(end).is_over(now)
    }

    /// Whether bytes have arrived at `end`.
    pub(super) fn has_bytes(&mut self, end: End) -> bool {
        let now = self.now;
        self.incoming(end).readable(now) > 0
    }

    /// What `end` sends.
    fn pipe(&mut self, end: End) -> &mut Pipe {
        match &mut self.links[end.link] {
            Some(link) => &mut link.pipes[end.side],
            None => unreachable!("an end that somebody holds keeps its link"),
        }
    }

    /// What `end` receives.
    pub(super) fn incoming(&mut self, end: End) -> &mut Pipe {
        self.pipe(end.other())
    }

    /// Sets how much the other side may send ahead of `end`.
    pub(super) fn set_window(&mut self, end: End, bytes: usize) {
        self.pipe(end.other()).set_window(bytes);
        self.notify(Target::End(end.other()));
    }

    /// Who holds `end`; `None` when the whole connection is gone.
    pub(super) fn owner(&self, end: End) -> Option<Owner> {
        self.links.get(end.link)?.as_ref().map(|link| link.owners[end.side])
    }

    /// Where the other side of `end` is.
    pub(super) fn peer_address(&self, end: End) -> IpAddr {
        let link = self.links[end.link].as_ref();
        link.map_or(LISTENERS, |link| link.addresses[end.other().side])
    }

    /// Gives `end` to somebody else, who is told to look.
    pub(super) fn set_owner(&mut self, end: End, owner: Owner) {
        if let Some(link) = &mut self.links[end.link] {
            link.owners[end.side] = owner;
        }
        self.notify(Target::End(end));
    }

    fn open_link(&mut self, near: Owner, far: Owner, from: IpAddr) -> End {
        let window = self.faults.window_bytes;
        let pipe = || Pipe::new(window);
        let opened =
            Some(Link { pipes: [pipe(), pipe()], owners: [near, far], addresses: [from, LISTENERS] });
        let link = self.links_free.pop().unwrap_or(self.links.len());
        match self.links.get_mut(link) {
            Some(place) => *place = opened,
            None => self.links.push(opened),
        }
        End { link, side: 0 }
    }

    /// The connection breaks in between: both ends learn of it.
    fn break_off(&mut self, end: End) {
        let now = self.now;
        self.trace.bytes(b"break");
        for end in [end, end.other()] {
            let due = self.later();
            let due = self.pipe(end).reset(now, due);
            self.post(due, Target::End(end.other()));
        }
    }

    /// Lets a reset follow everything that is on its way to `end`.
    fn reset_towards(&mut self, end: End) {
        let due = self.later();
        if let Some(due) = self.pipe(end.other()).reset_after(due) {
            self.post(due, Target::End(end));
        }
    }
}
