//! An open WebSocket of which every frame is shown: what is sent, what comes, and how it ends.

use super::feed::{Event, Feed};
use super::input::{self, Input};
use super::picture::{Direction, Style};
use super::receiving::Receiving;
use crate::args::{Action, Close, InspectOptions};
use crate::probe::answer::shown;
use crate::probe::deflate::Deflater;
use crate::probe::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, RSV1, TEXT};
use crate::probe::meaning::CloseBody;
use crate::probe::paint::Tone;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use wsring_proto::Masking;

/// One conversation. Its methods fail only when the output does.
pub(super) struct Conversation<'a> {
    pub(super) options: &'a InspectOptions,
    /// For sending; the feed has another handle for reading.
    pub(super) stream: TcpStream,
    pub(super) feed: Feed,
    pub(super) keys: Masking,
    pub(super) style: Style,
    pub(super) out: &'a mut dyn Write,
    pub(super) receiving: Receiving,
    pub(super) deflater: Option<Deflater>,
    pub(super) stage: Stage,
    pub(super) counts: Counts,
    /// What has arrived and is no whole frame yet.
    pub(super) buffer: Vec<u8>,
    /// Payloads of Pings that are not answered yet.
    pub(super) pings: Vec<Vec<u8>>,
}

/// How far the closing handshake has come (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// We have sent a Close, which the server must answer.
    Sent,
    /// We have sent a Close that must not be sent, to see what the server makes of it.
    SentWrong,
    /// Both have.
    Both,
    /// TCP has ended, with or without that.
    Ended,
}

/// What there was so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    frames_sent: u64,
    frames_received: u64,
    messages_sent: u64,
    faults: u64,
}

impl Conversation<'_> {
    /// Sends what was asked for, shows what comes, and closes; answers how many faults the server made.
    pub(super) fn hold(&mut self) -> io::Result<u64> {
        self.receive(&[])?;
        for action in &self.options.script.actions {
            if self.stage == Stage::Open {
                self.act(action, self.options.fragments)?;
            }
        }
        let interactive = self.options.script.actions.is_empty();
        if interactive {
            self.feed.read_input();
        }
        self.listen(interactive)?;
        self.finish()?;
        self.summary()?;
        Ok(self.counts.faults)
    }

    /// Until enough has come, or nothing more does, or one end closes.
    fn listen(&mut self, mut input_open: bool) -> io::Result<()> {
        while self.stage == Stage::Open && !self.has_enough(input_open) {
            match self.feed.next((!input_open).then_some(self.patience())) {
                Event::Bytes(bytes) => self.receive(&bytes)?,
                Event::Ended(error) => self.ended(error)?,
                Event::Line(line) => self.input(&line)?,
                Event::InputEnded => input_open = false,
                Event::Nothing => {
                    return self.note(Tone::Faint, &format!("nothing came for {:?}", self.patience()));
                }
            }
        }
        Ok(())
    }

    fn has_enough(&self, input_open: bool) -> bool {
        let messages = self.receiving.messages;
        match self.options.count {
            Some(count) => messages >= count,
            None => !input_open && messages >= self.counts.messages_sent && self.pings.is_empty(),
        }
    }

    /// The closing handshake, as far as it is not done.
    fn finish(&mut self) -> io::Result<()> {
        if self.stage == Stage::Open {
            self.close(&self.options.close)?;
        }
        let deadline = Instant::now() + self.patience();
        while self.stage != Stage::Ended {
            let remaining = deadline.saturating_duration_since(Instant::now());
            // Without a look at what waits, so that a flood of frames ends too.
            let event = if remaining.is_zero() { Event::Nothing } else { self.feed.next(Some(remaining)) };
            match event {
                Event::Bytes(bytes) => self.receive(&bytes)?,
                Event::Ended(error) => self.ended(error)?,
                Event::Line(_) | Event::InputEnded => {}
                Event::Nothing => {
                    let missing = if self.stage == Stage::Both { "the end of TCP" } else { "a Close" };
                    self.fault(&format!("{missing} did not come within {:?} (5.5.1)", self.patience()))?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.options.peer.timeout
    }

    fn input(&mut self, line: &str) -> io::Result<()> {
        match input::parse(line) {
            Ok(Input::Act(action, fragments)) => {
                self.act(&action, fragments.unwrap_or(self.options.fragments))
            }
            Ok(Input::Close(close)) => self.close(&close),
            Err(why) => self.note(Tone::Bad, &why),
        }
    }

    fn act(&mut self, action: &Action, fragments: u16) -> io::Result<()> {
        match action {
            Action::Text(text) => self.message(TEXT, text.as_bytes(), fragments),
            Action::Binary(bytes) => self.message(BINARY, bytes, fragments),
            Action::Ping(text) => {
                self.pings.push(text.as_bytes().to_vec());
                self.send(Frame::new(PING, text.as_bytes()))
            }
        }
    }

    fn message(&mut self, opcode: u8, payload: &[u8], fragments: u16) -> io::Result<()> {
        self.counts.messages_sent += 1;
        let compressed = self.deflater.as_mut().map(|deflater| deflater.message(payload));
        let reserved = if compressed.is_some() { RSV1 } else { 0 };
        let whole = compressed.as_deref().unwrap_or(payload);
        let count = usize::from(fragments);
        let part_bytes = whole.len().div_ceil(count);
        for number in 0..count {
            let (start, end) = (number * part_bytes, (number + 1) * part_bytes);
            let part = &whole[start.min(whole.len())..end.min(whole.len())];
            let frame = match number {
                0 => Frame::new(opcode, part).reserved(reserved),
                _ => Frame::new(CONTINUATION, part),
            };
            self.send(if number + 1 == count { frame } else { frame.unfinished() })?;
        }
        if compressed.is_some() {
            self.note(Tone::Faint, &format!("= {} bytes, compressed to {}", payload.len(), whole.len()))?;
        }
        Ok(())
    }

    fn close(&mut self, close: &Close) -> io::Result<()> {
        let payload = [&close.code.to_be_bytes(), close.reason.as_bytes()].concat();
        self.stage = match CloseBody::parse(&payload) {
            CloseBody::Wrong(_) => Stage::SentWrong,
            CloseBody::Empty | CloseBody::Code(..) => Stage::Sent,
        };
        self.send(Frame::new(CLOSE, &payload))
    }

    /// Masks, sends and shows a frame.
    fn send(&mut self, frame: Frame) -> io::Result<()> {
        let frame = frame.masked(self.keys.key());
        self.counts.frames_sent += 1;
        let picture = self.style.frame(Direction::Sent, self.counts.frames_sent, &frame);
        self.show(&picture)?;
        match self.stream.write_all(&frame.encode()) {
            Ok(()) => Ok(()),
            Err(error) => self.note(Tone::Bad, &format!("it could not be sent: {error}")),
        }
    }

    /// Takes bytes of the server and shows the frames that they complete.
    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        loop {
            match Frame::decode(&self.buffer) {
                Ok(Some((frame, taken))) => {
                    self.buffer.drain(..taken);
                    self.frame(&frame)?;
                }
                Ok(None) => return Ok(()),
                Err(frame) => {
                    self.buffer.clear();
                    self.frame(&frame)?;
                    self.stage = Stage::Ended;
                }
            }
        }
    }

    /// What comes is right, but more than is looked at (section 10.4): the conversation ends here.
    fn too_long(&mut self, length: u64) -> io::Result<()> {
        self.buffer.clear();
        let why = format!("a message of {length} bytes and more, which is not looked at: it ends here");
        self.note(Tone::Notable, &why)?;
        if self.stage == Stage::Open {
            self.close(&Close { code: 1009, reason: String::new() })?;
        }
        self.stage = Stage::Ended;
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        self.counts.frames_received += 1;
        let picture = self.style.frame(Direction::Received, self.counts.frames_received, frame);
        self.show(&picture)?;
        let brought = self.receiving.take(frame);
        if let Some(message) = brought.message {
            self.note(Tone::Strong, &message.text(self.receiving.messages, self.style.bytes_max))?;
        }
        if let Some(length) = brought.too_long {
            return self.too_long(length);
        }
        let right = brought.faults.is_empty();
        self.fail(&brought.faults)?;
        match frame.opcode {
            PING if right && self.stage == Stage::Open => self.send(Frame::new(PONG, &frame.payload)),
            PONG => self.pong(&frame.payload),
            CLOSE => self.closed(&frame.payload),
            _ => Ok(()),
        }
    }

    /// A Pong answers the Ping with its payload, and those before that (section 5.5.3).
    fn pong(&mut self, payload: &[u8]) -> io::Result<()> {
        let answered = self.pings.iter().position(|ping| ping == payload);
        let what = match answered {
            Some(position) => {
                self.pings.drain(..=position);
                "= Pong: it answers our Ping"
            }
            None => "= Pong: nobody asked for it, and no answer is expected (5.5.3)",
        };
        self.note(Tone::Faint, what)
    }

    /// The server's Close: answered with its own code, unless it answers ours (section 5.5.1).
    fn closed(&mut self, payload: &[u8]) -> io::Result<()> {
        let answer = self.stage == Stage::Open;
        self.stage = Stage::Both;
        match CloseBody::parse(payload) {
            CloseBody::Empty if answer => self.send(Frame::new(CLOSE, b"")),
            CloseBody::Code(code, _) if answer => self.send(Frame::new(CLOSE, &code.to_be_bytes())),
            _ => Ok(()),
        }
    }

    /// Says what is wrong and closes with the first code (section 7.1.7).
    fn fail(&mut self, faults: &[(u16, String)]) -> io::Result<()> {
        for (_, why) in faults {
            self.fault(why)?;
        }
        match faults.first() {
            Some((code, _)) if self.stage == Stage::Open => {
                self.close(&Close { code: *code, reason: String::new() })
            }
            _ => Ok(()),
        }
    }

    fn fault(&mut self, why: &str) -> io::Result<()> {
        self.counts.faults += 1;
        self.note(Tone::Bad, &format!("WRONG: {why}"))
    }

    fn ended(&mut self, error: Option<io::Error>) -> io::Result<()> {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        let clean = stage == Stage::Both;
        if !self.buffer.is_empty() {
            let (count, begun) = (self.buffer.len(), shown(&self.buffer));
            self.note(Tone::Notable, &format!("\n<- the beginning of a frame, {count} bytes: {begun}"))?;
        }
        let how = match (error, clean) {
            (None, true) => "the server ended TCP: closed cleanly (7.1.4)".into(),
            (None, false) => "the server ended TCP without a Close: an API reports 1006 (7.1.5)".into(),
            (Some(error), true) => format!("TCP ended with an error after both Close frames: {error}"),
            (Some(error), false) => {
                format!("TCP ended without a Close: {error}; an API reports 1006 (7.1.5)")
            }
        };
        let tone = if clean { Tone::Faint } else { Tone::Notable };
        self.note(tone, &format!("\n{} {how}", Direction::Received.arrow()))?;
        if stage == Stage::Sent { self.fault("our Close was not answered (5.5.1)") } else { Ok(()) }
    }

    fn summary(&mut self) -> io::Result<()> {
        let Counts { frames_sent, frames_received, messages_sent, faults, .. } = self.counts;
        let messages = self.receiving.messages;
        let right = match faults {
            0 => String::from("nothing wrong"),
            faults => format!("{} of the server", counted(faults, "fault")),
        };
        let sent = format!("{} sent ({})", counted(frames_sent, "frame"), counted(messages_sent, "message"));
        let received = format!("{frames_received} received ({})", counted(messages, "message"));
        self.note(Tone::Strong, &format!("\n{sent}, {received}: {right}"))
    }

    /// A line of ours, below the frame that it is about.
    fn note(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let (breaks, text) = text.strip_prefix('\n').map_or(("   ", text), |text| ("\n", text));
        let line = format!("{breaks}{}\n", self.style.paint.tone(tone, text));
        self.show(&line)
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
