//! A bare io_uring for sockets: the ring settings, operations and buffer rules of the engine's driver
//! and nothing else. The floor and the load client stand on it.
//!
//! It owns the ring, the table of direct descriptors and the provided buffers. It never looks at a
//! byte it carries and keeps no state of connections. One ring is made by the thread that uses it and
//! lives as long as the process. Read [`Event`] and [`Ring::turn`] first.
//!
//! How a send works: `MSG_DONTWAIT | MSG_WAITALL` makes the kernel carry it out, in whole or in part,
//! inside the enter that submits it, so its buffer is free when that enter returns; `CQE_SKIP_SUCCESS`
//! keeps a whole send silent, and a partial one comes back with the count of bytes that went out.

#![expect(
    unsafe_code,
    reason = "the crate io-uring asks for it: a submission names memory that the kernel will use"
)]

mod blocks;
mod buffers;
mod complete;
mod event;

pub use event::{Buffer, Event};

use blocks::Blocks;
use buffers::Buffers;
use event::Kind;
use io_uring::squeue::Flags;
use io_uring::types::{Fd, Fixed, SubmitArgs, TimeoutFlags, Timespec};
use io_uring::{CompletionQueue, EnterFlags, IoUring, SubmissionQueue, Submitter, opcode, squeue};
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// Entries of the submission queue.
pub const SQ_ENTRIES: u32 = 2048;
/// Entries of the completion queue.
pub const CQ_ENTRIES: u32 = 16_384;
/// How many receive buffers the engine gives to a ring.
pub const BUFFERS: u16 = 512;
/// Bytes of each of them.
pub const BUFFER_BYTES: usize = 16_384;
/// Deferred completions that the kernel hands over in one enter at most, when one is waited for.
const HAND_OVER_MAX: usize = 20;
/// The only group of provided buffers.
const GROUP: u16 = 0;
/// How often [`Event::Tick`] comes once asked for. A static, because the kernel reads it by address.
static TICK: Timespec = Timespec::new().nsec(50_000_000);

/// How large a ring to make.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Direct descriptors; at most the process's limit of open files.
    pub slots: u32,
    /// Provided buffers; a power of two.
    pub buffers: u16,
    /// Bytes of each.
    pub buffer_bytes: usize,
    /// What becomes of received bytes.
    pub receive: Receive,
}

/// What a receive does with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// Copies them into the buffer.
    Copy,
    /// Counts them and leaves the buffer as it was (`MSG_TRUNC`, tcp(7)): for who wants to know how many
    /// came, at the price of the system call alone.
    Count,
}

/// See the [module](self).
pub struct Ring {
    submitter: Submitter<'static>,
    sq: SubmissionQueue<'static>,
    cq: CompletionQueue<'static>,
    buffers: Buffers,
    /// What part of each buffer its send covers, by buffer id.
    ranges: Vec<Range<usize>>,
    /// Buffers of sends that no enter has taken up yet.
    queued: Vec<u16>,
    /// Buffers of sends that the last enter carried out; free once its completions have been read.
    entered: Vec<u16>,
    /// Bytes of owned sends until their completion, by index.
    owned: Vec<Vec<u8>>,
    owned_free: Vec<u32>,
    /// Bytes that many sends of one turn share.
    blocks: Blocks,
    receive: Receive,
    /// Slots whose receive ended because no buffer was left.
    starved: Vec<u32>,
    released: bool,
    /// Completions that came with the last enter.
    handed_over: usize,
    listener: Option<RawFd>,
    /// Accepting ended because the table was full; it goes on when a slot is freed.
    table_full: bool,
}

impl Ring {
    /// Makes the ring of this thread: `SINGLE_ISSUER` and `DEFER_TASKRUN` (`io_uring_setup(2)`) tie it
    /// to the thread that makes it.
    ///
    /// # Errors
    /// What the kernel refused; io_uring older than 6.6, blocked or out of locked memory.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_no_sqarray()
            .setup_cqsize(CQ_ENTRIES)
            .build(SQ_ENTRIES)?;
        // Leaked, because the registered ring descriptor belongs to one `Submitter` that must be kept.
        let (mut submitter, sq, cq) = Box::leak(Box::new(ring)).split();
        submitter.register_ring_fd()?;
        submitter.register_files_sparse(settings.slots)?;
        let buffers = Buffers::register(&submitter, settings.buffers, settings.buffer_bytes)?;
        Ok(Self {
            submitter,
            sq,
            cq,
            buffers,
            ranges: vec![0..0; usize::from(settings.buffers)],
            queued: Vec::with_capacity(usize::from(settings.buffers)),
            entered: Vec::with_capacity(usize::from(settings.buffers)),
            owned: Vec::new(),
            owned_free: Vec::new(),
            blocks: Blocks::default(),
            receive: settings.receive,
            starved: Vec::new(),
            released: false,
            handed_over: 0,
            listener: None,
            table_full: false,
        })
    }

    /// Accepts connections from now on; the listener must stay open. Options such as `TCP_NODELAY` are
    /// inherited from it.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        self.listener = Some(listener.as_raw_fd());
        self.accept_arm()
    }

    /// Puts a connected socket into the table under `slot`; the caller may close its own descriptor.
    ///
    /// # Errors
    /// What the kernel said; `slot` may lie outside the table.
    pub fn adopt(&mut self, slot: u32, socket: &impl AsRawFd) -> io::Result<()> {
        self.submitter.register_files_update(slot, &[socket.as_raw_fd()]).map(drop)
    }

    /// Receives from `slot` until it ends.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn receive(&mut self, slot: u32) -> io::Result<()> {
        let flags = if self.receive == Receive::Count { libc::MSG_TRUNC } else { 0 };
        let entry = opcode::RecvMulti::new(Fixed(slot), GROUP).flags(flags).build();
        self.push(&entry.user_data(Kind::Receive.token(slot, 0)))
    }

    /// The whole of a buffer, the bytes received at its front.
    pub fn bytes(&mut self, buffer: &Buffer) -> &mut [u8] {
        self.buffers.bytes_mut(buffer)
    }

    /// Gives a buffer back to be filled again.
    pub fn release(&mut self, buffer: Buffer) {
        self.released = true;
        self.buffers.give_back(buffer.id);
    }

    /// Sends a range of a buffer in the next [`turn`](Self::turn), and gives the buffer back after it.
    /// Nothing comes back when all went out.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn send(&mut self, slot: u32, buffer: Buffer, range: Range<usize>) -> io::Result<()> {
        assert!(range.start <= range.end && range.end <= self.buffers.buffer_bytes(), "inside the buffer");
        // SAFETY: the offset was just found to lie inside the buffer.
        let address = unsafe { self.buffers.address(buffer.id).add(range.start) };
        let entry = opcode::Send::new(Fixed(slot), address.as_ptr(), range.len() as u32)
            .flags(libc::MSG_DONTWAIT | libc::MSG_WAITALL)
            .build()
            .flags(Flags::SKIP_SUCCESS)
            .user_data(Kind::Send.token(slot, u32::from(buffer.id)));
        self.ranges[usize::from(buffer.id)] = range;
        self.push(&entry)?;
        self.queued.push(buffer.id);
        Ok(())
    }

    /// Sends bytes however long the peer takes; answered by [`Event::SendDone`] or
    /// [`Event::SendFailed`]. Until then nothing else may be sent to `slot`: two pending sends of one
    /// socket would mix their bytes.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn send_owned(&mut self, slot: u32, bytes: Vec<u8>) -> io::Result<()> {
        let index = self.owned_free.pop().unwrap_or(self.owned.len() as u32);
        let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32)
            .flags(libc::MSG_WAITALL)
            .build()
            .user_data(Kind::SendOwned.token(slot, index));
        // Moving a vector leaves its bytes where they are.
        match self.owned.get_mut(index as usize) {
            Some(place) => *place = bytes,
            None => self.owned.push(bytes),
        }
        self.push(&entry)
    }

    /// Sends the same bytes to every slot in the next [`turn`](Self::turn), from one place. Nothing comes
    /// back of those that went out whole, as with [`send`](Self::send).
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn send_all(&mut self, bytes: Vec<u8>, slots: impl IntoIterator<Item = u32>) -> io::Result<()> {
        let part_bytes = bytes.len();
        let place = self.blocks.add(bytes, part_bytes, 0);
        self.send_parts(place, slots)
    }

    /// Cuts `bytes` into pieces and sends one to each slot, in order, as [`send_all`](Self::send_all).
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    ///
    /// # Panics
    /// When there are more slots than pieces.
    pub fn send_pieces(
        &mut self,
        bytes: Vec<u8>,
        piece_bytes: usize,
        slots: impl IntoIterator<Item = u32>,
    ) -> io::Result<()> {
        let place = self.blocks.add(bytes, piece_bytes, piece_bytes);
        self.send_parts(place, slots)
    }

    fn send_parts(&mut self, place: u32, slots: impl IntoIterator<Item = u32>) -> io::Result<()> {
        for (part, slot) in slots.into_iter().enumerate() {
            let index = Blocks::index(place, part);
            let bytes = self.blocks.part(index);
            let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32)
                .flags(libc::MSG_DONTWAIT | libc::MSG_WAITALL)
                .build()
                .flags(Flags::SKIP_SUCCESS)
                .user_data(Kind::SendPart.token(slot, index));
            self.push(&entry)?;
        }
        Ok(())
    }

    /// Closes a slot whose [`Event::Ended`] has come and on which no owned send is pending; then it may
    /// be filled again. Nothing of the old connection can still complete, so that slots carry no generation.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn close(&mut self, slot: u32) -> io::Result<()> {
        let entry = opcode::Close::new(Fixed(slot)).build();
        self.push(&entry.flags(Flags::SKIP_SUCCESS).user_data(Kind::Close.token(slot, 0)))?;
        if std::mem::take(&mut self.table_full) { self.accept_arm() } else { Ok(()) }
    }

    /// Starts the clock of [`Event::Tick`].
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn tick_start(&mut self) -> io::Result<()> {
        let entry = opcode::Timeout::new(&raw const TICK).flags(TimeoutFlags::MULTISHOT).build();
        self.push(&entry.user_data(Kind::Tick.token(0, 0)))
    }

    /// Submits everything noted since the last turn and waits until something has happened; then read
    /// it with [`next`](Self::next), all of it, before the next turn.
    ///
    /// # Errors
    /// Only when the kernel refuses an enter for a reason that no repetition mends.
    pub fn turn(&mut self) -> io::Result<()> {
        self.turn_with(1, None)
    }

    /// A [`turn`](Self::turn) that waits for `want` completions, but no longer than `patience`.
    ///
    /// A server wakes a waiting client only with the last of them, and so does its work undisturbed.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn turn_for(&mut self, want: u32, patience: Duration) -> io::Result<()> {
        self.turn_with(want, Some(Timespec::from(patience)))
    }

    /// A [`turn`](Self::turn) that never sleeps: nobody pays for waking this thread, and its core does not
    /// halt. Returns how long there was nothing to do.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn turn_awake(&mut self, patience: Duration) -> io::Result<Duration> {
        self.before_enter()?;
        self.enter(0)?;
        let start = Instant::now();
        let mut idle = Duration::ZERO;
        while self.cq.is_empty() && idle < patience {
            if self.sq.taskrun() {
                self.fetch()?;
            } else {
                std::hint::spin_loop();
            }
            self.cq.sync();
            idle = start.elapsed();
        }
        self.after_enter();
        Ok(idle)
    }

    fn turn_with(&mut self, want: u32, patience: Option<Timespec>) -> io::Result<()> {
        self.before_enter()?;
        match patience {
            None => self.enter(want)?,
            Some(patience) => self.enter_for(want, patience)?,
        }
        self.after_enter();
        Ok(())
    }

    fn before_enter(&mut self) -> io::Result<()> {
        assert!(self.cq.is_empty(), "every event is read before the next turn");
        self.give_back_entered();
        if std::mem::take(&mut self.released) {
            self.buffers.publish();
            for slot in std::mem::take(&mut self.starved) {
                self.receive(slot)?;
            }
        }
        Ok(())
    }

    fn after_enter(&mut self) {
        self.handed_over = self.cq.len();
        if self.sq.is_empty() {
            std::mem::swap(&mut self.queued, &mut self.entered);
            self.blocks.enter();
        }
    }

    /// Fetches, without waiting and without submitting, what the kernel held back from the last enter;
    /// `false` when there was nothing.
    ///
    /// The kernel's flag alone does not tell: it can be raised just after the work it announces was
    /// done, and then stays up with nothing behind it until new work comes. So the last enter must also
    /// have handed over as much as one enter can.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn collect(&mut self) -> io::Result<bool> {
        if self.handed_over < HAND_OVER_MAX || !self.sq.taskrun() {
            return Ok(false);
        }
        if self.released {
            // Or a crowd of receives would find none left, though most have long been read.
            self.buffers.publish();
        }
        self.fetch()?;
        self.handed_over = self.cq.len();
        Ok(true)
    }

    /// Has the kernel hand over what it holds back.
    fn fetch(&mut self) -> io::Result<()> {
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: nothing is submitted and no argument is passed.
        let entered = unsafe { self.submitter.enter::<libc::sigset_t>(0, 0, flags, None) };
        forgive(entered)?;
        self.cq.sync();
        Ok(())
    }

    fn accept_arm(&mut self) -> io::Result<()> {
        let Some(listener) = self.listener else { return Ok(()) };
        let entry = opcode::AcceptMulti::new(Fd(listener)).allocate_file_index(true).build();
        self.push(&entry.user_data(Kind::Accept.token(0, 0)))
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        while self.sq.is_full() {
            self.enter(0)?;
        }
        // SAFETY: what an entry names must stay valid until its operation is over. Provided buffers are
        // never freed, and one with a send is given back only after the enter that carried the send
        // out; a block is dropped only then; bytes of an owned send stay in `owned` until its
        // completion; the tick is a static.
        unsafe { self.sq.push(entry) }.map_err(io::Error::other)
    }

    /// One enter: submits what is queued, waits for `want` completions.
    fn enter(&mut self, want: u32) -> io::Result<()> {
        self.sq.sync();
        let count = self.sq.len() as u32;
        let flags = if want > 0 { EnterFlags::GETEVENTS } else { EnterFlags::empty() };
        // SAFETY: `count` entries are in the queue, each sound by what `push` says; no argument is passed.
        let entered = unsafe { self.submitter.enter::<libc::sigset_t>(count, want, flags.bits(), None) };
        forgive(entered)?;
        self.sq.sync();
        self.cq.sync();
        Ok(())
    }

    /// As [`enter`](Self::enter), with an end to the waiting.
    fn enter_for(&mut self, want: u32, patience: Timespec) -> io::Result<()> {
        self.sq.sync();
        let arguments = SubmitArgs::new().timespec(&patience);
        forgive(self.submitter.submit_with_args(want as usize, &arguments))?;
        self.sq.sync();
        self.cq.sync();
        Ok(())
    }

    /// The sends that read from these buffers were over when their enter returned, and the completions
    /// of those that failed have been read since.
    fn give_back_entered(&mut self) {
        self.released |= !self.entered.is_empty();
        for id in self.entered.drain(..) {
            self.buffers.give_back(id);
        }
        self.blocks.drop_entered();
    }
}

/// An enter that was interrupted or waited long enough is no error: what it did not do, the next does.
fn forgive(entered: io::Result<usize>) -> io::Result<()> {
    match entered {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ETIME)
            ) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}
