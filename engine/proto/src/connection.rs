//! A connection after its opening handshake: frames in, events out.
//!
//! ```text
//!              +--------+  header complete   +---------+
//!    input --> | Header | -----------------> | Payload | --> whole frame in this input: borrowed
//!              +--------+ <----------------- +---------+ --> otherwise: gathered in an Assembly
//!                           payload complete
//! ```
//!
//! A message that one frame carries and one receive delivers whole is never copied: the event
//! borrows the input, unmasked in place. Everything else is gathered in an assembly that exists only
//! while something is unfinished.

mod receiving;

pub use receiving::Receiving;

use crate::assembly::Assembly;
use crate::close::CloseReason;
use crate::deflate::{ContextId, Deflate};
use crate::extension::Extension;
use crate::frame::{self, Header, Opcode};
use crate::limits::{self, HEADER_BYTES_MAX};
use crate::role::Role;
use crate::{Kind, Masking, Resources, Violation};
use std::marker::PhantomData;

/// The protocol state of one connection: some fifty bytes, and an assembly while a message or
/// control frame has arrived in part.
///
/// Hand received bytes to [`receive`](Self::receive) and act on every event in order; write with
/// [`message`](Self::message), [`frame`](Self::frame) and [`close`](Self::close) (or, for the fast
/// path, [`Message::frame_in_place`](crate::Message::frame_in_place) and [`frame::append`]); call
/// [`abandon`](Self::abandon) when the transport is gone.
#[derive(Debug)]
pub struct Connection<R: Role> {
    stage: Stage,
    assembly: Option<Box<Assembly>>,
    state: State,
    extension: Extension,
    /// The window of what was received, if the peer refers to its earlier messages.
    context: Option<ContextId>,
    role: PhantomData<R>,
}

/// Where in a frame the input stands.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Before a frame or within its header, of which `have` bytes came with earlier input.
    Header { bytes: [u8; HEADER_BYTES_MAX], have: u8 },
    /// Within the payload.
    Payload(Payload),
}

/// The frame under way. The opcode of a failed connection's frame may be any.
#[derive(Clone, Copy, Debug)]
struct Payload {
    remaining: u64,
    key: Option<[u8; 4]>,
    fin: bool,
    control: Option<Opcode>,
}

const BETWEEN_FRAMES: Stage = Stage::Header { bytes: [0; HEADER_BYTES_MAX], have: 0 };

/// How far the closing handshake has come (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// We have sent a Close and wait for the peer's.
    Closing,
    /// The peer's Close has arrived: what follows it is ignored (section 5.5.1).
    Closed,
    /// The peer broke a rule; frames are stepped over until its Close.
    Failed,
    /// The peer broke a rule in its Close itself.
    FailedInClose,
}

impl<R: Role> Default for Connection<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Role> Connection<R> {
    /// A connection whose opening handshake is done.
    pub fn new() -> Self {
        Self {
            stage: BETWEEN_FRAMES,
            assembly: None,
            state: State::Open,
            extension: Extension::None,
            context: None,
            role: PhantomData,
        }
    }

    /// A connection whose opening handshake agreed on permessage-deflate. If the peer refers to its earlier
    /// messages, `resources` hold a window for it from now on, and [`abandon`](Self::abandon) must be called
    /// when the connection ends.
    pub fn with_deflate(agreed: Deflate, resources: &mut Resources) -> Self {
        let window_bits = agreed.receive_window_bits::<R>();
        let context = agreed.receives_with_takeover::<R>().then(|| resources.contexts_mut().add(window_bits));
        Self { extension: Extension::Deflate(agreed), context, ..Self::new() }
    }

    /// What was agreed on about compression.
    pub fn deflate(&self) -> Option<Deflate> {
        match self.extension {
            Extension::Deflate(agreed) => Some(agreed),
            Extension::None => None,
        }
    }

    /// Takes bytes as they came from the transport, in any pieces; they are unmasked in place. Call
    /// [`Receiving::next`] until it returns `None`.
    pub fn receive<'a>(&'a mut self, input: &'a mut [u8], resources: &'a mut Resources) -> Receiving<'a, R> {
        Receiving::new(self, input, resources)
    }

    /// Whether data may still be sent: no Close was sent or received and no rule was broken.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether part of a message or frame has arrived and the rest has not.
    pub fn is_within_message(&self) -> bool {
        self.assembly.is_some() || matches!(self.stage, Stage::Payload(_) | Stage::Header { have: 1.., .. })
    }

    /// Appends a message to `out` as one frame; `false` and nothing when the connection is not open.
    pub fn message(&self, out: &mut Vec<u8>, kind: Kind, payload: &[u8], masking: &mut Masking) -> bool {
        self.frame(out, kind.opcode(), true, payload, masking)
    }

    /// Appends one frame to `out`, for messages sent in fragments: the first with the kind's opcode,
    /// the others with [`Opcode::Continuation`], the last with `fin`. The order is the caller's duty.
    /// `false` and nothing when the connection is not open.
    pub fn frame(
        &self,
        out: &mut Vec<u8>,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        masking: &mut Masking,
    ) -> bool {
        if self.is_open() {
            frame::append::<R>(out, opcode, fin, payload, masking);
        }
        self.is_open()
    }

    /// Begins the closing handshake, or answers [`Event::Close`](crate::Event::Close) and
    /// [`Event::Failed`](crate::Event::Failed): appends a Close. Once per connection; the caller keeps
    /// that (section 5.5.1).
    pub fn close(&mut self, out: &mut Vec<u8>, reason: CloseReason<'_>, masking: &mut Masking) {
        frame::append_close::<R>(out, reason, masking);
        self.sent_close();
    }

    /// Notes that a Close was sent by other means than [`close`](Self::close).
    pub fn sent_close(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    /// Whether a Ping is still to be answered: until the peer's Close has arrived (section 5.5.2).
    pub fn may_pong(&self) -> bool {
        matches!(self.state, State::Open | State::Closing)
    }

    /// Gives back what the connection holds when it ends: an unfinished message, and the window of what it
    /// received.
    pub fn abandon(&mut self, resources: &mut Resources) {
        if let Some(context) = self.context.take() {
            resources.contexts_mut().remove(context);
        }
        if let Some(assembly) = self.assembly.take() {
            resources.recycle(assembly);
        }
    }

    fn fail(&mut self, in_close: bool, resources: &mut Resources) {
        self.state = if in_close { State::FailedInClose } else { State::Failed };
        self.abandon(resources);
    }

    /// Rules that a header alone can break on this connection (sections 5.1, 5.2, 5.4).
    fn check(&self, header: &Header, resources: &Resources) -> Result<(), Violation> {
        if header.reserved != 0 {
            self.check_reserved(header)?;
        }
        match (R::MASKS, header.mask) {
            (false, None) => return Err(Violation::NotMasked),
            (true, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        if header.opcode.is_control() { Ok(()) } else { self.check_data(header, resources) }
    }

    /// RFC 7692 section 6.1: RSV1 stands in the first frame of a message, not in others and not in control
    /// frames.
    fn check_reserved(&self, header: &Header) -> Result<(), Violation> {
        let begins = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let defined = if begins { self.extension.reserved_bits() } else { 0 };
        match header.reserved & !defined {
            0 => Ok(()),
            _ => Err(Violation::ReservedBits { bits: header.reserved }),
        }
    }

    fn check_data(&self, header: &Header, resources: &Resources) -> Result<(), Violation> {
        let under_way = self.assembly.as_ref().filter(|assembly| assembly.kind.is_some());
        match (header.opcode == Opcode::Continuation, under_way.is_some()) {
            (true, false) => return Err(Violation::NothingToContinue),
            (false, true) => return Err(Violation::MessageUnfinished),
            _ => {}
        }
        let limits = resources.limits();
        let before = under_way.map_or(0, |assembly| assembly.wire_bytes() as u64);
        let (frame, message) = (header.length, before.saturating_add(header.length));
        let (frame_max, message_max) = (limits.frame_bytes_max, limits.message_bytes_max as u64);
        if frame <= frame_max && message <= message_max {
            return Ok(());
        }
        let compressed = header.reserved != 0 || under_way.is_some_and(|assembly| assembly.is_compressed());
        let exceeds = |length, max| length > if compressed { limits::compressed(max) } else { max };
        if exceeds(frame, frame_max) {
            return Err(Violation::FrameTooLong { length: frame, max: frame_max });
        }
        if exceeds(message, message_max) {
            return Err(Violation::MessageTooLong { length: message, max: limits.message_bytes_max });
        }
        Ok(())
    }
}
