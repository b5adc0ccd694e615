//! A bare io_uring for sockets: the ring settings, operations and buffer rules of the engine's driver
//! and nothing else. The floor and the load client stand on it.
//!
//! It owns the ring, the table of direct descriptors and the provided buffers. It never looks at a
//! byte it carries and keeps no state of connections. One ring is made by the thread that uses it and
//! lives as long as the process. Read [`Event`] and [`Ring::turn`] (`turn.rs`) first.
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
mod links;
mod turn;

pub use event::{Buffer, Event};
pub use links::{Link, Links, listen};

use blocks::Blocks;
use buffers::Buffers;
use event::Kind;
use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fd, Fixed, TimeoutFlags, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, opcode, squeue};
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};

/// Entries of the submission queue.
pub const SQ_ENTRIES: u32 = 2048;
/// Entries of the completion queue.
pub const CQ_ENTRIES: u32 = 16_384;
/// How many receive buffers the engine gives to a ring.
pub const BUFFERS: u16 = 512;
/// Bytes of each of them.
pub const BUFFER_BYTES: usize = 16_384;
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

    /// Receives no more from `slot`; [`Event::Ended`] says when that is so. A slot that just then waits for a
    /// buffer is not found and goes on: who gets no answer asks again.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn receive_stop(&mut self, slot: u32) -> io::Result<()> {
        let receive = CancelBuilder::user_data(Kind::Receive.token(slot, 0));
        let entry = opcode::AsyncCancel2::new(receive).build();
        self.push(&entry.flags(Flags::SKIP_SUCCESS).user_data(Kind::Cancel.token(slot, 0)))
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
}
