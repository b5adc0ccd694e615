//! One socket: at most one read and one write under way, and a deadline that shuts it down.

use crate::limits::LINGER_BYTES_MAX;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_uring::buf::{BoundedBuf, Slice};
use tokio_uring::net::TcpStream;
use tokio_uring::{BufResult, InFlightOneshot, WriteData, WriteTransform};

/// The most bytes that one write is given: its length has to fit 32 bits.
const WRITE_BYTES_MAX: usize = 1 << 30;

/// The operations under way are kept here and not in the futures that wait for them, because dropping
/// such a future would lose what the operation brings: the operation itself goes on.
pub(super) struct Transport {
    stream: Rc<TcpStream>,
    reading: Reading,
    writing: Writing,
    deadline: Option<Pin<Box<Sleep>>>,
    expired: bool,
    buffer_bytes: usize,
}

type Read = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>>>>;
type Write = InFlightOneshot<WriteData<Slice<Vec<u8>>>, WriteTransform<Slice<Vec<u8>>>>;

enum Reading {
    /// The buffer has what the last read brought.
    Idle(Vec<u8>),
    Busy(Read),
}

enum Writing {
    /// An empty vector for the next output.
    Idle(Vec<u8>),
    Busy {
        write: Write,
        bytes: usize,
    },
    /// Nothing more can be written.
    Failed(io::ErrorKind),
}

/// How far the end of a connection has come; see [`Transport::poll_finish`].
#[derive(Default)]
pub(super) struct Finish {
    written: bool,
    discarded: usize,
}

impl Transport {
    /// The deadline holds from now on until it is replaced.
    pub(super) fn new(stream: TcpStream, buffer_bytes: usize, deadline: Instant) -> Self {
        // Answers would wait for the acknowledgement of those before, up to 40 ms; where the option
        // cannot be set the connection is as good as lost, and the first read says so.
        let _ = stream.set_nodelay(true);
        Self {
            stream: Rc::new(stream),
            reading: Reading::Idle(Vec::new()),
            writing: Writing::Idle(Vec::new()),
            deadline: Some(Box::pin(sleep_until(deadline))),
            expired: false,
            buffer_bytes: buffer_bytes.max(1),
        }
    }

    /// From now on the socket is shut down after `timeout`, unless this or
    /// [`clear_deadline`](Self::clear_deadline) is called before.
    pub(super) fn set_deadline(&mut self, timeout: Duration) {
        self.deadline = Some(Box::pin(sleep_until(Instant::now() + timeout)));
    }

    pub(super) fn clear_deadline(&mut self) {
        self.deadline = None;
    }

    /// Whether a deadline has shut the socket down.
    pub(super) fn is_expired(&self) -> bool {
        self.expired
    }

    /// What the last read brought, to be unmasked in place.
    pub(super) fn input(&mut self) -> &mut [u8] {
        match &mut self.reading {
            Reading::Idle(buffer) => buffer,
            Reading::Busy(_) => &mut [],
        }
    }

    /// Reads once; the bytes are [`input`](Self::input) until the next read. Zero is the end of the
    /// stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_deadline(cx);
        loop {
            if let Reading::Idle(buffer) = &mut self.reading {
                let buffer = std::mem::take(buffer);
                self.reading = Reading::Busy(self.read_into(buffer));
            }
            let Reading::Busy(read) = &mut self.reading else { continue };
            let (result, buffer) = ready!(read.as_mut().poll(cx));
            self.reading = Reading::Idle(buffer);
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Writes what is in `output` and what was taken from it before; ready when all is out.
    pub(super) fn poll_write(&mut self, output: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_deadline(cx);
        loop {
            match &mut self.writing {
                Writing::Failed(kind) => {
                    output.clear();
                    return Poll::Ready(Err((*kind).into()));
                }
                Writing::Idle(_) if output.is_empty() => return Poll::Ready(Ok(())),
                Writing::Idle(spare) => {
                    let bytes = std::mem::replace(output, std::mem::take(spare));
                    self.writing = self.write_from(bytes, 0);
                }
                Writing::Busy { write, .. } => {
                    let (result, slice) = ready!(Pin::new(write).poll(cx));
                    self.writing = self.written(result, slice);
                }
            }
        }
    }

    /// Bytes of a write under way.
    pub(super) fn unsent_bytes(&self) -> usize {
        match self.writing {
            Writing::Busy { bytes, .. } => bytes,
            Writing::Idle(_) | Writing::Failed(_) => 0,
        }
    }

    /// Ends the connection in order: writes what is left; then, where `linger` is given, ends our
    /// direction of the stream and gives the peer that long for the rest; then throws input away until the
    /// peer has ended its own direction, since closing a socket with unread input resets the connection
    /// and may take what we sent last with it. The deadline bounds all of it.
    pub(super) fn poll_finish(
        &mut self,
        finish: &mut Finish,
        output: &mut Vec<u8>,
        linger: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !finish.written {
            // A failure to write leaves only the reading to be done.
            let _ = ready!(self.poll_write(output, cx));
            finish.written = true;
            if let Some(linger) = linger {
                self.shut_down(Shutdown::Write);
                self.set_deadline(linger);
            }
        }
        while finish.discarded <= LINGER_BYTES_MAX as usize {
            match ready!(self.poll_read(cx)) {
                Ok(bytes @ 1..) => finish.discarded += bytes,
                Ok(0) | Err(_) => break,
            }
        }
        self.shut_down(Shutdown::Both);
        Poll::Ready(())
    }

    /// Shutting down is how reads and writes under way are ended: nothing else ends them.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) {
        let Some(deadline) = &mut self.deadline else { return };
        if deadline.as_mut().poll(cx).is_ready() {
            self.deadline = None;
            self.expired = true;
            self.shut_down(Shutdown::Both);
        }
    }

    /// Fails only where the connection is gone already, which a read or write tells better.
    fn shut_down(&self, how: Shutdown) {
        let _ = self.stream.shutdown(how);
    }

    fn read_into(&self, mut buffer: Vec<u8>) -> Read {
        buffer.clear();
        buffer.reserve_exact(self.buffer_bytes);
        let stream = Rc::clone(&self.stream);
        Box::pin(async move { stream.read(buffer).await })
    }

    fn write_from(&self, bytes: Vec<u8>, start: usize) -> Writing {
        let end = bytes.len().min(start + WRITE_BYTES_MAX);
        let write = self.stream.write(bytes.slice(start..end)).submit();
        Writing::Busy { write, bytes: end - start }
    }

    /// After a write: goes on with what it left, or keeps its vector for the next output.
    fn written(&self, result: io::Result<usize>, slice: Slice<Vec<u8>>) -> Writing {
        let start = slice.begin();
        let mut bytes = slice.into_inner();
        let next = match result {
            Ok(0) => return Writing::Failed(io::ErrorKind::WriteZero),
            Ok(written) => start + written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => start,
            Err(error) => return Writing::Failed(error.kind()),
        };
        if next < bytes.len() {
            return self.write_from(bytes, next);
        }
        bytes.clear();
        if bytes.capacity() > self.buffer_bytes {
            bytes = Vec::new();
        }
        Writing::Idle(bytes)
    }
}

impl Drop for Transport {
    /// An operation under way holds its buffer and the descriptor until it is done; a read from a silent
    /// peer would never be.
    fn drop(&mut self) {
        self.shut_down(Shutdown::Both);
    }
}
