//! The output of one turn: what every connection has to send, gathered until the turn ends.

use crate::limits::{COALESCE_BYTES_MAX, LOG_JOIN_BYTES_MAX};
use std::ops::Range;
use wsring_io::{Io, Outgoing, Received, Socket};

/// An [`Outputs`] of up to this many is never made shorter.
const OUTPUTS_KEPT_MIN: usize = 256;

/// How many small turns in a row make it shorter by half.
const SMALL_TURNS_MAX: u32 = 256;

/// What one connection sends this turn. The parts go out in this order: `input`, or `log`; then
/// `pieces`; then `bytes`.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Frames that lie in a receive buffer, side by side.
    input: Option<(Received, Range<usize>)>,
    /// Messages in a log, as long as they are alone.
    log: Option<Outgoing>,
    /// Finished parts that are too long to be copied together.
    pieces: Vec<Outgoing>,
    /// Frames composed here.
    bytes: Vec<u8>,
    /// All of the above.
    length: usize,
}

/// What an [`Output`] comes to.
pub(crate) enum Shape {
    Nothing,
    One(Outgoing),
    /// Several parts, which go out one after the other.
    Many(Output),
}

impl Output {
    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether frames may stay in the receive buffer under way: nothing else is waiting before them.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Sets the frames that stay in their receive buffer; nothing but composed output may follow.
    pub(crate) fn set_input(&mut self, buffer: Received, range: Range<usize>) {
        self.length += range.len();
        self.input = Some((buffer, range));
    }

    /// Composes further output.
    pub(crate) fn compose<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.settle();
        let before = self.bytes.len();
        let result = write(&mut self.bytes);
        self.length += self.bytes.len() - before;
        result
    }

    /// Adds messages that lie in a log. False when they have to wait for another turn: there is other output,
    /// and together they are too long to be copied.
    pub(crate) fn push_log(&mut self, messages: Outgoing) -> bool {
        if self.is_empty() {
            self.length = messages.len();
            self.log = Some(messages);
            return true;
        }
        if self.length + messages.len() > LOG_JOIN_BYTES_MAX {
            return false;
        }
        if let Outgoing::Segment { segment, range, .. } = &messages {
            self.compose(|bytes| {
                bytes.extend_from_slice(segment.bytes(range.start as usize..range.end as usize))
            });
        }
        true
    }

    /// Adds a long part as it is.
    pub(crate) fn push(&mut self, piece: Outgoing) {
        self.settle();
        self.length += piece.len();
        self.seal();
        self.pieces.push(piece);
    }

    /// What there is to send; leaves an empty output.
    pub(crate) fn take<I: Io>(&mut self, io: &mut I) -> Shape {
        let length = std::mem::take(&mut self.length);
        let alone = self.pieces.is_empty();
        match (&self.input, &self.log, self.bytes.is_empty()) {
            (None, None, true) if alone => Shape::Nothing,
            (Some(_), None, true) if alone => match self.input.take() {
                Some((buffer, range)) => Shape::One(Outgoing::Received { buffer, range }),
                None => Shape::Nothing,
            },
            (None, Some(_), true) if alone => self.log.take().map_or(Shape::Nothing, Shape::One),
            (None, None, false) if alone => {
                Shape::One(Outgoing::Buffer { bytes: std::mem::take(&mut self.bytes), start: 0 })
            }
            _ if length <= COALESCE_BYTES_MAX => Shape::One(self.join(io, length)),
            _ => Shape::Many(std::mem::take(self)),
        }
    }

    /// All parts in one vector: up to some length the copy costs less than another send.
    fn join<I: Io>(&mut self, io: &mut I, length: usize) -> Outgoing {
        let mut all = io.spare();
        all.reserve(length);
        if let Some((buffer, range)) = self.input.take() {
            append(io, &mut all, Outgoing::Received { buffer, range });
        }
        if let Some(log) = self.log.take() {
            append(io, &mut all, log);
        }
        self.pieces.drain(..).for_each(|piece| append(io, &mut all, piece));
        all.append(&mut self.bytes);
        Outgoing::Buffer { bytes: all, start: 0 }
    }

    /// The parts as owned sends, in order; a receive buffer is copied out and given back, since it
    /// must not wait for a slow peer.
    pub(crate) fn into_pieces<I: Io>(mut self, io: &mut I, mut each: impl FnMut(Outgoing)) {
        if let Some((buffer, range)) = self.input.take() {
            each(copy_out(io, buffer, range));
        }
        self.settle();
        self.seal();
        self.pieces.drain(..).for_each(each);
    }

    /// Gives everything back unsent.
    pub(crate) fn discard<I: Io>(&mut self, io: &mut I) {
        self.length = 0;
        if let Some((buffer, _)) = self.input.take() {
            io.release(buffer);
        }
        self.log = None;
        self.pieces.clear();
        self.bytes.clear();
    }

    /// Takes a vector for [`compose`](Self::compose) when the last one was sent.
    pub(crate) fn prepare<I: Io>(&mut self, io: &mut I) {
        if self.bytes.capacity() == 0 {
            self.bytes = io.spare();
        }
    }

    /// Gives back a vector that was not needed, so that what all connections keep for the next turn is
    /// bounded in one place.
    pub(crate) fn relax<I: Io>(&mut self, io: &mut I) {
        if self.bytes.capacity() > 0 {
            io.restore(std::mem::take(&mut self.bytes));
        }
    }

    /// Messages in a log are not alone any more: they are copied, so that they need not be looked after
    /// should a part of them be left.
    pub(crate) fn settle(&mut self) {
        if let Some(Outgoing::Segment { segment, range, .. }) = self.log.take() {
            self.bytes.extend_from_slice(segment.bytes(range.start as usize..range.end as usize));
        }
    }

    fn seal(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            self.pieces.push(Outgoing::Buffer { bytes, start: 0 });
        }
    }
}

/// Moves part of a receive buffer to a vector and gives the buffer back.
pub(crate) fn copy_out<I: Io>(io: &mut I, buffer: Received, range: Range<usize>) -> Outgoing {
    let mut bytes = io.spare();
    bytes.extend_from_slice(&io.bytes(&buffer)[range]);
    io.release(buffer);
    Outgoing::Buffer { bytes, start: 0 }
}

/// Copies a piece to the end of a vector and gives it back.
pub(super) fn append<I: Io>(io: &mut I, bytes: &mut Vec<u8>, piece: Outgoing) {
    match piece {
        Outgoing::Received { buffer, range } => {
            bytes.extend_from_slice(&io.bytes(&buffer)[range]);
            io.release(buffer);
        }
        Outgoing::Buffer { bytes: piece, start } => {
            bytes.extend_from_slice(&piece[start..]);
            io.restore(piece);
        }
        Outgoing::Shared(piece) => bytes.extend_from_slice(&piece),
        Outgoing::Segment { segment, range, .. } => {
            bytes.extend_from_slice(segment.bytes(range.start as usize..range.end as usize));
        }
    }
}

/// The outputs of a turn, in the order in which their connections first had something to send.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    list: Vec<(Socket, Output)>,
    used: usize,
    /// Turns in a row that used less than a quarter of the list.
    small_turns: u32,
}

impl Outputs {
    /// How many connections have an output this turn.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Opens an output; its number stays valid until [`reset`](Self::reset).
    pub(crate) fn open(&mut self, socket: Socket) -> usize {
        match self.list.get_mut(self.used) {
            Some(entry) => entry.0 = socket,
            None => self.list.push((socket, Output::default())),
        }
        self.used += 1;
        self.used - 1
    }

    /// The output with this number.
    pub(crate) fn at(&mut self, number: usize) -> &mut Output {
        &mut self.list[number].1
    }

    /// Whose output has this number.
    pub(crate) fn socket(&self, number: usize) -> Socket {
        self.list[number].0
    }

    /// All outputs have been taken. After a burst the list becomes short again, in time: it shall not
    /// keep a place for every connection that ever had output in the same turn.
    pub(crate) fn reset(&mut self) {
        let small = self.used < self.list.len() / 4 && self.list.len() > OUTPUTS_KEPT_MIN;
        self.small_turns = if small { self.small_turns + 1 } else { 0 };
        if self.small_turns >= SMALL_TURNS_MAX {
            self.small_turns = 0;
            self.list.truncate(self.list.len() / 2);
            self.list.shrink_to_fit();
        }
        self.used = 0;
    }
}
