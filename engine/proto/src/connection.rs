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

use crate::assembly::{Assembly, kind_of};
use crate::close::CloseReason;
use crate::extension::Extension;
use crate::frame::{self, Header, Opcode, Parsed};
use crate::limits::HEADER_BYTES_MAX;
use crate::role::Role;
use crate::simd;
use crate::utf8;
use crate::{Event, Kind, Masking, Message, Resources, Violation};
use std::marker::PhantomData;
use std::ops::Range;

/// The protocol state of one connection: some fifty bytes, and an assembly while a message or
/// control frame has arrived in part.
///
/// Hand received bytes to [`receive`](Self::receive) and act on every event in order; write with
/// [`message`](Self::message), [`frame`](Self::frame) and [`close`](Self::close) (or, for the fast
/// path, [`Message::frame_in_place`] and [`frame::append`]); call [`abandon`](Self::abandon) when the
/// transport is gone.
#[derive(Debug)]
pub struct Connection<R: Role> {
    stage: Stage,
    assembly: Option<Box<Assembly>>,
    state: State,
    extension: Extension,
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

/// What was found, without borrowing it yet.
enum Found {
    Message { kind: Kind, frame: Range<usize>, payload: usize },
    Gathered(Kind),
    Control { opcode: Opcode, payload: Range<usize> },
    GatheredControl(Opcode),
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
            role: PhantomData,
        }
    }

    /// Takes bytes as they came from the transport, in any pieces; they are unmasked in place. Call
    /// [`Receiving::next`] until it returns `None`.
    pub fn receive<'a>(&'a mut self, input: &'a mut [u8], resources: &'a mut Resources) -> Receiving<'a, R> {
        Receiving { connection: self, input, at: 0, resources, delivered: None }
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

    /// Begins the closing handshake, or answers [`Event::Close`] and [`Event::Failed`]: appends a
    /// Close. Once per connection; the caller keeps that (section 5.5.1).
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

    /// Gives back what an unfinished message holds, when the connection ends within one.
    pub fn abandon(&mut self, resources: &mut Resources) {
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
        let defined = if header.opcode.is_control() { 0 } else { self.extension.reserved_bits() };
        if header.reserved & !defined != 0 {
            return Err(Violation::ReservedBits { bits: header.reserved });
        }
        match (R::MASKS, header.mask) {
            (false, None) => return Err(Violation::NotMasked),
            (true, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        if header.opcode.is_control() { Ok(()) } else { self.check_data(header, resources) }
    }

    fn check_data(&self, header: &Header, resources: &Resources) -> Result<(), Violation> {
        let under_way = self.assembly.as_ref().filter(|assembly| assembly.kind.is_some());
        match (header.opcode == Opcode::Continuation, under_way.is_some()) {
            (true, false) => return Err(Violation::NothingToContinue),
            (false, true) => return Err(Violation::MessageUnfinished),
            _ => {}
        }
        let limits = resources.limits();
        if header.length > limits.frame_bytes_max {
            return Err(Violation::FrameTooLong { length: header.length, max: limits.frame_bytes_max });
        }
        let before = under_way.map_or(0, |assembly| assembly.message_bytes() as u64);
        let length = before.saturating_add(header.length);
        if length > limits.message_bytes_max as u64 {
            return Err(Violation::MessageTooLong { length, max: limits.message_bytes_max });
        }
        Ok(())
    }
}

/// A walk over the events in one piece of input. Bytes not walked over when it is dropped are lost.
pub struct Receiving<'a, R: Role> {
    connection: &'a mut Connection<R>,
    input: &'a mut [u8],
    at: usize,
    resources: &'a mut Resources,
    delivered: Option<Delivered>,
}

/// What the last event borrowed from the assembly, to be forgotten before the next.
#[derive(Clone, Copy)]
enum Delivered {
    Message,
    Control,
}

impl<R: Role> Receiving<'_, R> {
    /// The next event; `None` when the input is used up (a frame cut off by its end is remembered).
    #[expect(clippy::should_implement_trait, reason = "events borrow the walk, which Iterator cannot say")]
    #[inline]
    pub fn next(&mut self) -> Option<Event<'_>> {
        self.forget();
        match self.connection.state {
            State::Open | State::Closing => {}
            State::Closed => return None,
            State::Failed => return self.step_over(),
            State::FailedInClose => {
                self.connection.state = State::Closed;
                return Some(Event::Finished);
            }
        }
        match self.find() {
            Ok(found) => found.map(|found| self.event(found)),
            Err(violation) => {
                self.connection.fail(false, self.resources);
                Some(Event::Failed(violation))
            }
        }
    }

    /// For the caller's own use between events: the connection, and what all connections share.
    pub fn parts(&mut self) -> (&mut Connection<R>, &mut Resources) {
        (self.connection, self.resources)
    }

    #[inline]
    fn find(&mut self) -> Result<Option<Found>, Violation> {
        loop {
            let found = match self.connection.stage {
                Stage::Payload(payload) => self.resume(payload)?,
                Stage::Header { have, .. } => {
                    let from = self.at;
                    let Some(header) = self.header(have)? else { return Ok(None) };
                    if header.length <= (self.input.len() - self.at) as u64 {
                        self.whole(&header, from)?
                    } else {
                        self.begin(&header)?
                    }
                }
            };
            if found.is_some() || self.at == self.input.len() {
                return Ok(found);
            }
        }
    }

    /// Reads a header, from the input alone or completing one that earlier input began. When it
    /// returns an error the position stays before the header, for [`step_over`](Self::step_over).
    #[inline]
    fn header(&mut self, have: u8) -> Result<Option<Header>, Violation> {
        if have > 0 {
            return self.header_in_pieces();
        }
        let rest = &self.input[self.at..];
        match Header::parse(rest)? {
            Parsed::Header(header, length) => {
                self.connection.check(&header, self.resources)?;
                self.at += length;
                Ok(Some(header))
            }
            Parsed::Needs(_) => {
                let mut bytes = [0; HEADER_BYTES_MAX];
                bytes[..rest.len()].copy_from_slice(rest);
                self.connection.stage = Stage::Header { bytes, have: rest.len() as u8 };
                self.at = self.input.len();
                Ok(None)
            }
        }
    }

    /// Adds input to a header byte by byte, as it is rare and short.
    fn header_in_pieces(&mut self) -> Result<Option<Header>, Violation> {
        while let Stage::Header { bytes, have } = &mut self.connection.stage {
            if let Parsed::Header(header, _) = Header::parse(&bytes[..usize::from(*have)])? {
                self.connection.check(&header, self.resources)?;
                self.connection.stage = BETWEEN_FRAMES;
                return Ok(Some(header));
            }
            let Some(byte) = self.input.get(self.at) else { return Ok(None) };
            bytes[usize::from(*have)] = *byte;
            *have += 1;
            self.at += 1;
        }
        Ok(None)
    }

    /// A frame whose payload is in the input to its last byte; the stage stays between frames.
    #[inline]
    fn whole(&mut self, header: &Header, from: usize) -> Result<Option<Found>, Violation> {
        let payload = self.at;
        let end = payload + header.length as usize;
        self.at = end;
        if let Some(key) = header.mask {
            simd::unmask(self.resources.level(), &mut self.input[payload..end], key);
        }
        if header.opcode.is_control() {
            return Ok(Some(Found::Control { opcode: header.opcode, payload: payload..end }));
        }
        match kind_of(header.opcode) {
            Some(kind) if header.fin => {
                if kind == Kind::Text && !utf8::is_valid(&self.input[payload..end]) {
                    return Err(Violation::InvalidUtf8);
                }
                Ok(Some(Found::Message { kind, frame: from..end, payload }))
            }
            kind => {
                let rest = header.fin.then_some(0);
                self.gather(kind, payload..end, rest)?;
                if header.fin { self.gathered().map(Some) } else { Ok(None) }
            }
        }
    }

    /// A frame whose payload goes on after this input.
    fn begin(&mut self, header: &Header) -> Result<Option<Found>, Violation> {
        let control = header.opcode.is_control().then_some(header.opcode);
        if let Some(kind) = kind_of(header.opcode) {
            self.assembly().kind = Some(kind);
        }
        self.resume(Payload { remaining: header.length, key: header.mask, fin: header.fin, control })
    }

    /// Takes as much of the payload as the input has.
    fn resume(&mut self, mut payload: Payload) -> Result<Option<Found>, Violation> {
        let start = self.at;
        let taken = payload.remaining.min((self.input.len() - start) as u64);
        self.at += taken as usize;
        payload.remaining -= taken;
        let bytes = start..self.at;
        if let Some(key) = &mut payload.key {
            *key = simd::unmask(self.resources.level(), &mut self.input[bytes.clone()], *key);
        }
        let done = payload.remaining == 0;
        self.connection.stage = if done { BETWEEN_FRAMES } else { Stage::Payload(payload) };
        if let Some(opcode) = payload.control {
            self.gather_control(bytes);
            return Ok(done.then_some(Found::GatheredControl(opcode)));
        }
        self.gather(None, bytes, payload.fin.then_some(payload.remaining))?;
        if done && payload.fin { self.gathered().map(Some) } else { Ok(None) }
    }

    fn assembly(&mut self) -> &mut Box<Assembly> {
        self.connection.assembly.get_or_insert_with(|| self.resources.assembly())
    }

    /// Moves payload into the assembly; `begins` says which kind of message starts with it.
    fn gather(
        &mut self,
        begins: Option<Kind>,
        bytes: Range<usize>,
        rest: Option<u64>,
    ) -> Result<(), Violation> {
        let assembly = self.connection.assembly.get_or_insert_with(|| self.resources.assembly());
        if begins.is_some() {
            assembly.kind = begins;
        }
        assembly.push(&self.input[bytes], rest, self.resources)
    }

    fn gather_control(&mut self, bytes: Range<usize>) {
        let assembly = self.connection.assembly.get_or_insert_with(|| self.resources.assembly());
        assembly.push_control(&self.input[bytes]);
    }

    fn gathered(&mut self) -> Result<Found, Violation> {
        let assembly = self.assembly();
        assembly.finish()?;
        Ok(Found::Gathered(assembly.kind.unwrap_or(Kind::Binary)))
    }

    #[inline]
    fn event(&mut self, found: Found) -> Event<'_> {
        match found {
            Found::Message { kind, frame, payload } => {
                let (offset, payload) = (frame.start, payload - frame.start);
                Event::Message(Message::in_input(kind, &mut self.input[frame], payload, offset))
            }
            Found::Gathered(kind) => {
                self.delivered = Some(Delivered::Message);
                Event::Message(Message::gathered(kind, self.assembly().message_mut()))
            }
            Found::Control { opcode, payload } => {
                control_event(self.connection, opcode, &self.input[payload], self.resources)
            }
            Found::GatheredControl(opcode) => self.gathered_control(opcode),
        }
    }

    /// A control frame that came in pieces; its payload is judged before it is lent out, since failing
    /// frees the assembly that holds it.
    fn gathered_control(&mut self, opcode: Opcode) -> Event<'_> {
        self.delivered = Some(Delivered::Control);
        let violation = match (opcode, &self.connection.assembly) {
            (Opcode::Close, Some(assembly)) => CloseReason::parse(&assembly.control).err(),
            _ => None,
        };
        if let Some(violation) = violation {
            self.delivered = None;
            self.connection.fail(true, self.resources);
            return Event::Failed(violation);
        }
        if opcode == Opcode::Close {
            self.connection.state = State::Closed;
        }
        let payload = self.connection.assembly.as_ref().map_or(&[][..], |assembly| &assembly.control);
        plain_control_event(opcode, payload)
    }

    /// Forgets what the last event borrowed from the assembly.
    #[inline]
    fn forget(&mut self) {
        let Some(delivered) = self.delivered.take() else { return };
        let Some(mut assembly) = self.connection.assembly.take() else { return };
        match delivered {
            Delivered::Message => {
                self.resources.let_go(assembly.held_bytes());
                assembly.clear_message();
            }
            Delivered::Control => assembly.control.clear(),
        }
        if assembly.kind.is_some() || !assembly.control.is_empty() {
            self.connection.assembly = Some(assembly);
        } else {
            self.resources.recycle(assembly);
        }
    }

    /// On a failed connection: steps over frames, as far as their headers can be made out, to the
    /// peer's Close.
    fn step_over(&mut self) -> Option<Event<'_>> {
        while self.at < self.input.len() {
            match &mut self.connection.stage {
                Stage::Payload(payload) => {
                    let taken = payload.remaining.min((self.input.len() - self.at) as u64);
                    self.at += taken as usize;
                    payload.remaining -= taken;
                    if payload.remaining > 0 {
                        return None;
                    }
                    let closed = payload.control == Some(Opcode::Close);
                    self.connection.stage = BETWEEN_FRAMES;
                    if closed {
                        return self.finished();
                    }
                }
                Stage::Header { bytes, have } => {
                    if let Some((opcode, _, length)) = frame::parse_leniently(&bytes[..usize::from(*have)]) {
                        let control = (opcode == Opcode::Close as u8).then_some(Opcode::Close);
                        if length == 0 && control.is_some() {
                            return self.finished();
                        }
                        self.connection.stage =
                            Stage::Payload(Payload { remaining: length, key: None, fin: true, control });
                        continue;
                    }
                    bytes[usize::from(*have)] = self.input[self.at];
                    *have += 1;
                    self.at += 1;
                }
            }
        }
        None
    }

    fn finished(&mut self) -> Option<Event<'static>> {
        self.connection.state = State::Closed;
        Some(Event::Finished)
    }
}

impl<R: Role> Drop for Receiving<'_, R> {
    fn drop(&mut self) {
        self.forget();
    }
}

fn control_event<'a, R: Role>(
    connection: &mut Connection<R>,
    opcode: Opcode,
    payload: &'a [u8],
    resources: &mut Resources,
) -> Event<'a> {
    if opcode == Opcode::Close {
        if let Err(violation) = CloseReason::parse(payload) {
            connection.fail(true, resources);
            return Event::Failed(violation);
        }
        connection.state = State::Closed;
        connection.abandon(resources);
    }
    plain_control_event(opcode, payload)
}

/// The event of a control frame whose payload is known to be valid.
fn plain_control_event(opcode: Opcode, payload: &[u8]) -> Event<'_> {
    match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => Event::Close(CloseReason::parse(payload).unwrap_or(CloseReason { code: None, reason: "" })),
    }
}
