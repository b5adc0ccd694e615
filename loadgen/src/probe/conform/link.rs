//! One connection of a probe: nothing on it waits longer than the patience.

use super::outcome::Outcome;
use crate::probe::answer::{Answer, HEAD_BYTES_MAX, head_end, shown};
use crate::probe::deflate::Inflater;
use crate::probe::frame::{BINARY, CLOSE, CONTINUATION, Frame, LengthForm, PING, PONG, RSV1, TEXT};
use crate::probe::meaning::{CloseBody, opcode_name};
use crate::probe::target::Target;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A TCP connection and what has arrived on it. Each [`send`](Self::send) begins the patience anew, so a
/// probe of so many sends ends after as many times the patience, whatever the server does.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    patience: Duration,
    deadline: Instant,
    /// Set where compression was agreed on.
    pub(super) inflater: Option<Inflater>,
    /// Frames of the server that had a mask.
    pub(super) masked: u32,
    /// The first length of the server that was not in its shortest form.
    pub(super) long: Option<(u64, LengthForm)>,
}

/// What came next from the server.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    Frame(Frame),
    End(End),
    /// Nothing until the patience was over.
    Silence,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In order.
    Fin,
    /// By a reset, which also is what closing with unread bytes causes.
    Reset,
    /// It announced a frame too long to wait for: so many bytes.
    TooLong(u64),
}

impl Link {
    pub(super) fn connect(target: &Target) -> Result<Self, Outcome> {
        let stream = target.connect().map_err(|error| Outcome::fail(format!("cannot connect: {error}")))?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            patience: target.patience,
            deadline: Instant::now() + target.patience,
            inflater: None,
            masked: 0,
            long: None,
        })
    }

    /// Sends, as far as the server takes it within the patience: what it does not take, it will not answer.
    pub(super) fn send(&mut self, mut bytes: &[u8]) {
        self.wait_anew();
        while !bytes.is_empty() && Instant::now() < self.deadline {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.wait_anew();
    }

    /// Sends frames in one piece.
    pub(super) fn send_frames(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        self.send(&bytes);
    }

    /// Says that nothing more is sent.
    pub(super) fn finish_writing(&self) {
        // A connection that is gone already has nothing left to finish.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn wait_anew(&mut self) {
        self.deadline = Instant::now() + self.patience;
    }

    /// The head of the server's answer.
    pub(super) fn answer(&mut self) -> Result<Answer, Outcome> {
        loop {
            if let Some(end) = head_end(&self.buffer) {
                let head: Vec<u8> = self.buffer.drain(..end).collect();
                let not_http =
                    |start| Outcome::fail(format!("answered with something that is no HTTP: {start}"));
                return Answer::parse(&head).map_err(not_http);
            }
            let text = match self.fill() {
                None if self.buffer.len() <= HEAD_BYTES_MAX => continue,
                None => "an answer without an end".into(),
                Some(Arrival::End(end)) => format!("{} and no answer", end.text()),
                Some(_) => format!("no answer within {:?}", self.patience),
            };
            let came = if self.buffer.is_empty() {
                String::new()
            } else {
                format!(", after {}", shown(&self.buffer))
            };
            return Err(Outcome::fail(text + &came));
        }
    }

    /// The next frame, or why there is none.
    pub(super) fn arrival(&mut self) -> Arrival {
        loop {
            // First, so that a flood of frames ends too.
            if Instant::now() >= self.deadline {
                return Arrival::Silence;
            }
            match Frame::decode(&self.buffer) {
                Err(frame) => return Arrival::End(End::TooLong(frame.length)),
                Ok(Some((frame, taken))) => {
                    self.buffer.drain(..taken);
                    self.masked += u32::from(frame.key.is_some());
                    if frame.form != LengthForm::shortest(frame.length) {
                        self.long.get_or_insert((frame.length, frame.form));
                    }
                    return Arrival::Frame(frame);
                }
                Ok(None) => {}
            }
            if let Some(nothing) = self.fill() {
                return nothing;
            }
        }
    }

    /// Reads once; what there is instead of bytes.
    fn fill(&mut self) -> Option<Arrival> {
        const CHUNK_BYTES: usize = 64 << 10;
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() || self.stream.set_read_timeout(Some(remaining)).is_err() {
            return Some(Arrival::Silence);
        }
        let mut chunk = [0; CHUNK_BYTES];
        match self.stream.read(&mut chunk) {
            Ok(0) => Some(Arrival::End(End::Fin)),
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                None
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => None,
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Some(Arrival::Silence),
                _ => Some(Arrival::End(End::Reset)),
            },
        }
    }

    /// The next message, put together and inflated; control frames before it are passed over.
    pub(super) fn message(&mut self) -> Result<(u8, Vec<u8>), Outcome> {
        let mut begun: Option<(u8, bool, Vec<u8>)> = None;
        loop {
            let frame = match self.arrival() {
                Arrival::Frame(frame) => frame,
                nothing => return Err(Outcome::fail(self.text(&nothing))),
            };
            match (frame.opcode, &mut begun) {
                (PING | PONG, _) => continue,
                (TEXT | BINARY, None) => {
                    begun = Some((frame.opcode, frame.reserved & RSV1 != 0, frame.payload));
                }
                (CONTINUATION, Some((_, _, payload))) => frame.append_to(payload).map_err(|length| {
                    Outcome::fail(format!("answered with a message of {length} bytes and more"))
                })?,
                _ => return Err(Outcome::fail(self.text(&Arrival::Frame(frame)))),
            }
            if let Some((opcode, compressed, payload)) = begun.take_if(|_| frame.fin) {
                return Ok((opcode, if compressed { self.inflate(&payload)? } else { payload }));
            }
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, Outcome> {
        match &mut self.inflater {
            Some(inflater) => {
                inflater.message(payload).map_err(|why| Outcome::fail(format!("answered, but {why}")))
            }
            None => Err(Outcome::fail("answered with RSV1, which nothing defines here")),
        }
    }

    /// Waits for the echo of a message; others are passed over, as a greeting may be, and told of when it does not
    /// come.
    pub(super) fn expect_message(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Outcome> {
        let mut other = None;
        loop {
            match self.message() {
                Ok((found, echo)) if found == opcode && echo == payload => return Ok(()),
                Ok((found, echo)) => {
                    other.get_or_insert_with(|| described(found, &echo));
                }
                Err(outcome) => {
                    let after = other.map_or_else(String::new, |other| format!(", after {other}"));
                    return Err(Outcome::fail(outcome.found + &after));
                }
            }
        }
    }

    /// Waits for the Pong with this payload; other frames are passed over.
    pub(super) fn expect_pong(&mut self, payload: &[u8]) -> Result<(), Outcome> {
        let mut other = None;
        loop {
            match self.arrival() {
                Arrival::Frame(frame) if frame.opcode == PONG && frame.payload == payload => return Ok(()),
                Arrival::Frame(frame) if frame.opcode == PONG => {
                    other.get_or_insert_with(|| format!("answered {}", described(PONG, &frame.payload)));
                }
                Arrival::Frame(frame) if frame.opcode != CLOSE => {}
                nothing => {
                    let text = self.text(&nothing);
                    return Err(Outcome::fail(other.unwrap_or(text)));
                }
            }
        }
    }

    /// What happened, in words.
    pub(super) fn text(&self, arrival: &Arrival) -> String {
        match arrival {
            Arrival::Silence => format!("no answer within {:?}", self.patience),
            Arrival::End(end) => end.text(),
            Arrival::Frame(frame) if frame.opcode == CLOSE => close_text(&frame.payload),
            Arrival::Frame(frame) => format!("answered {}", described(frame.opcode, &frame.payload)),
        }
    }
}

impl End {
    pub(super) fn text(self) -> String {
        match self {
            Self::Fin => "ended the connection without a Close".into(),
            Self::Reset => "reset the connection without a Close".into(),
            Self::TooLong(length) => format!("announced a frame of {length} bytes"),
        }
    }
}

/// A Close frame in words.
pub(super) fn close_text(payload: &[u8]) -> String {
    match CloseBody::parse(payload) {
        CloseBody::Empty => "closed without a code".into(),
        CloseBody::Code(code, reason) if reason.is_empty() => format!("closed with {code}"),
        CloseBody::Code(code, reason) => format!("closed with {code} {reason:?}"),
        CloseBody::Wrong(why) => format!("sent a Close that {why}"),
    }
}

/// A frame or message in words.
pub(super) fn described(opcode: u8, payload: &[u8]) -> String {
    format!("{} {} of {} bytes", opcode_name(opcode), shown(payload), payload.len())
}
