//! The walk over one piece of input: frames are found, unmasked in place, and become events.

use super::{BETWEEN_FRAMES, Connection, Payload, Stage, State};
use crate::assembly::{Assembly, kind_of};
use crate::close::CloseReason;
use crate::frame::{self, Header, Opcode, Parsed};
use crate::limits::HEADER_BYTES_MAX;
use crate::role::Role;
use crate::simd;
use crate::utf8;
use crate::{Event, Kind, Message, Resources, Violation};
use std::ops::Range;

/// A walk over the events in one piece of input. Bytes not walked over when it is dropped are lost.
pub struct Receiving<'a, R: Role> {
    connection: &'a mut Connection<R>,
    input: &'a mut [u8],
    at: usize,
    resources: &'a mut Resources,
    delivered: Option<Delivered>,
}

/// What was found, without borrowing it yet.
enum Found {
    Message { kind: Kind, frame: Range<usize>, payload: usize },
    Gathered(Kind),
    Control { opcode: Opcode, payload: Range<usize> },
    GatheredControl(Opcode),
}

/// What the last event borrowed from the assembly, to be forgotten before the next.
#[derive(Clone, Copy)]
enum Delivered {
    Message,
    Control,
}

impl<'a, R: Role> Receiving<'a, R> {
    pub(super) fn new(
        connection: &'a mut Connection<R>,
        input: &'a mut [u8],
        resources: &'a mut Resources,
    ) -> Self {
        Self { connection, input, at: 0, resources, delivered: None }
    }

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
            Some(kind) if header.fin && header.reserved == 0 => {
                if kind == Kind::Text && !utf8::is_valid(&self.input[payload..end]) {
                    return Err(Violation::InvalidUtf8);
                }
                Ok(Some(Found::Message { kind, frame: from..end, payload }))
            }
            kind => {
                let rest = header.fin.then_some(0);
                if let Some(kind) = kind {
                    self.begin_message(kind, header.reserved);
                }
                self.gather(payload..end, None, rest)?;
                if header.fin { self.gathered().map(Some) } else { Ok(None) }
            }
        }
    }

    /// A frame whose payload goes on after this input.
    fn begin(&mut self, header: &Header) -> Result<Option<Found>, Violation> {
        let control = header.opcode.is_control().then_some(header.opcode);
        if let Some(kind) = kind_of(header.opcode) {
            self.begin_message(kind, header.reserved);
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
        let key = payload.key;
        if let Some(key) = &mut payload.key {
            key.rotate_left((taken % 4) as usize);
        }
        let done = payload.remaining == 0;
        self.connection.stage = if done { BETWEEN_FRAMES } else { Stage::Payload(payload) };
        if let Some(opcode) = payload.control {
            self.gather_control(bytes, key);
            return Ok(done.then_some(Found::GatheredControl(opcode)));
        }
        self.gather(bytes, key, payload.fin.then_some(payload.remaining))?;
        if done && payload.fin { self.gathered().map(Some) } else { Ok(None) }
    }

    fn assembly(&mut self) -> &mut Box<Assembly> {
        self.connection.assembly.get_or_insert_with(|| self.resources.assembly())
    }

    /// A message begins that has to be gathered; a reserved bit says that it is compressed.
    fn begin_message(&mut self, kind: Kind, reserved: u8) {
        let context = self.connection.context;
        let assembly = self.connection.assembly.get_or_insert_with(|| self.resources.assembly());
        assembly.kind = Some(kind);
        if reserved != 0 {
            assembly.begin_inflating(context, self.resources);
        }
    }

    /// Moves payload into the assembly, unmasked with `key` if it is not yet.
    fn gather(
        &mut self,
        bytes: Range<usize>,
        mut key: Option<[u8; 4]>,
        rest: Option<u64>,
    ) -> Result<(), Violation> {
        let assembly = self.connection.assembly.get_or_insert_with(|| self.resources.assembly());
        if assembly.is_compressed()
            && let Some(key) = key.take()
        {
            simd::unmask(self.resources.level(), &mut self.input[bytes.clone()], key);
        }
        assembly.push(&self.input[bytes], key, rest, self.resources)
    }

    fn gather_control(&mut self, bytes: Range<usize>, key: Option<[u8; 4]>) {
        if let Some(key) = key {
            simd::unmask(self.resources.level(), &mut self.input[bytes.clone()], key);
        }
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
            self.give_up_message();
        }
        let payload = self.connection.assembly.as_ref().map_or(&[][..], |assembly| &assembly.control);
        plain_control_event(opcode, payload)
    }

    /// The peer has closed within a message: the rest is not coming, only the Close is still lent out.
    fn give_up_message(&mut self) {
        if let Some(assembly) = &mut self.connection.assembly {
            assembly.clear_message(self.resources);
        }
    }

    /// Forgets what the last event borrowed from the assembly.
    #[inline]
    fn forget(&mut self) {
        let Some(delivered) = self.delivered.take() else { return };
        let Some(mut assembly) = self.connection.assembly.take() else { return };
        match delivered {
            Delivered::Message => {
                assembly.clear_message(self.resources);
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
    /// peer's Close. Nothing may come after that, so what the input has is looked at to the end.
    fn step_over(&mut self) -> Option<Event<'static>> {
        loop {
            match &mut self.connection.stage {
                Stage::Payload(payload) => {
                    let taken = payload.remaining.min((self.input.len() - self.at) as u64);
                    self.at += taken as usize;
                    payload.remaining -= taken;
                    if payload.remaining > 0 {
                        return None;
                    }
                    if payload.control == Some(Opcode::Close) {
                        self.connection.state = State::Closed;
                        return Some(Event::Finished);
                    }
                    self.connection.stage = BETWEEN_FRAMES;
                }
                Stage::Header { bytes, have } => {
                    if let Some((opcode, remaining)) = frame::parse_leniently(&bytes[..usize::from(*have)]) {
                        let control = (opcode == Opcode::Close as u8).then_some(Opcode::Close);
                        self.connection.stage =
                            Stage::Payload(Payload { remaining, key: None, fin: true, control });
                        continue;
                    }
                    bytes[usize::from(*have)] = *self.input.get(self.at)?;
                    *have += 1;
                    self.at += 1;
                }
            }
        }
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
