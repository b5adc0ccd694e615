//! Frames of the broken server: everything comes back.

use super::compression::Agreed;
use super::opening::Opened;
use super::{Fault, end};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const LIMIT: u64 = 16 << 20;

/// One open connection.
pub(super) struct Session {
    stream: TcpStream,
    fault: Fault,
    buffer: Vec<u8>,
    agreed: Option<Agreed>,
    message: Option<Message>,
    /// Pings that came within a message, for a server that lets them wait.
    waiting: Vec<Vec<u8>>,
    after_ping: bool,
}

struct Message {
    opcode: u8,
    compressed: bool,
    payload: Vec<u8>,
}

struct Frame {
    fin: bool,
    reserved: u8,
    opcode: u8,
    payload: Vec<u8>,
}

/// Why a connection ends.
enum Stop {
    /// It is failed with this code.
    Failed(u16),
    /// The peer closed, or is gone.
    Done,
}

impl Session {
    pub(super) fn new(stream: TcpStream, fault: Fault, opened: Opened) -> Self {
        let Opened { rest, agreed } = opened;
        Self { stream, fault, buffer: rest, agreed, message: None, waiting: Vec::new(), after_ping: false }
    }

    pub(super) fn run(mut self) {
        if let Err(Stop::Failed(code)) = self.converse()
            && self.fault != Fault::EndsWithoutClose
        {
            let _ = self.send(true, 0, 8, &code.to_be_bytes());
        }
        if self.fault == Fault::TcpLeftOpen {
            let _ = self.stream.set_read_timeout(Some(Duration::from_secs(30)));
            while self.stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
        }
        end(self.stream);
    }

    fn converse(&mut self) -> Result<(), Stop> {
        if self.fault == Fault::Talkative {
            self.send(true, 0, 1, b"welcome")?;
        }
        loop {
            let mut frames = 0;
            while let Some(frame) = self.take()? {
                let ping = frame.opcode == 9;
                self.frame(frame)?;
                self.after_ping = ping;
                frames += 1;
                if self.fault == Fault::FramesPerReadBounded && frames == 64 {
                    self.buffer.clear();
                }
            }
            self.after_ping = false;
            let mut chunk = [0; 64 << 10];
            let count = self.stream.read(&mut chunk).map_err(|_| Stop::Done)?;
            if count == 0 {
                return Err(Stop::Done);
            }
            if self.fault != Fault::LoneByteLost || count > 1 || !self.buffer.is_empty() {
                self.buffer.extend_from_slice(&chunk[..count]);
            }
        }
    }

    /// The next frame, once it is whole.
    fn take(&mut self) -> Result<Option<Frame>, Stop> {
        let Some((&[first, second], rest)) = self.buffer.split_first_chunk() else { return Ok(None) };
        let (fin, reserved, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        self.check_first(fin, reserved, opcode, second & 127)?;
        if second & 0x80 == 0 && self.fault != Fault::UnmaskedAccepted {
            return Err(Stop::Failed(1002));
        }
        let extended = match second & 127 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((bytes, rest)) = rest.split_at_checked(extended) else { return Ok(None) };
        let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let length = self.length(extended, if extended == 0 { u64::from(second & 127) } else { number })?;
        let masked = second & 0x80 != 0;
        let Some((key, rest)) = rest.split_at_checked(if masked { 4 } else { 0 }) else { return Ok(None) };
        let Some(payload) = rest.get(..length as usize) else { return Ok(None) };
        let unmasked = |(at, byte): (usize, &u8)| byte ^ key.get(at % 4).copied().unwrap_or(0);
        let payload: Vec<u8> = payload.iter().enumerate().map(unmasked).collect();
        let taken = 2 + extended + key.len() + payload.len();
        self.buffer.drain(..taken);
        Ok(Some(Frame { fin, reserved, opcode, payload }))
    }

    /// What the first two bytes may not say.
    fn check_first(&self, fin: bool, reserved: u8, opcode: u8, length: u8) -> Result<(), Stop> {
        let control = opcode >= 8;
        let defined = if self.agreed.is_some() && (opcode == 1 || opcode == 2) { 4 } else { 0 };
        let ignored = match self.fault {
            Fault::ReservedBitsIgnored => self.agreed.is_none(),
            Fault::ContinuationBitIgnored => self.agreed.is_some() && opcode == 0,
            Fault::ControlBitIgnored => self.agreed.is_some() && control,
            _ => false,
        };
        let wrong = (reserved & !defined != 0 && !ignored)
            || (!matches!(opcode, 0..=2 | 8..=10) && self.fault != Fault::OpcodesIgnored)
            || (control && !fin && self.fault != Fault::ControlFragmentsAccepted)
            || (control && length > 125 && self.fault != Fault::ControlLengthUnchecked);
        if wrong { Err(Stop::Failed(1002)) } else { Ok(()) }
    }

    fn length(&self, extended: usize, length: u64) -> Result<u64, Stop> {
        if length >> 63 != 0 {
            return if self.fault == Fault::TopBitIgnored {
                Ok(length << 1 >> 1)
            } else {
                Err(Stop::Failed(1002))
            };
        }
        let long = (extended == 2 && length < 126) || (extended == 8 && length < 65_536);
        if long && self.fault != Fault::LengthFormsUnchecked {
            return Err(Stop::Failed(1002));
        }
        let limit = match self.fault {
            Fault::HugeFramesAwaited => u64::MAX,
            Fault::LargeMessagesRefused | Fault::Talkative => 500_000,
            _ => LIMIT,
        };
        if length > limit { Err(Stop::Failed(1009)) } else { Ok(length) }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), Stop> {
        if self.fault == Fault::Talkative {
            self.send(true, 0, 10, b"heartbeat")?;
            self.send(true, 0, 1, b"news")?;
        }
        match frame.opcode {
            0..=2 => self.data(frame),
            8 => self.close(&frame.payload),
            9 => self.ping(frame.payload),
            10 if self.fault == Fault::PongAnswered => self.send(true, 0, 10, &frame.payload),
            _ => Ok(()),
        }
    }

    fn ping(&mut self, mut payload: Vec<u8>) -> Result<(), Stop> {
        let more = self.buffer.first() == Some(&0x89);
        match self.fault {
            Fault::PingWaitsForMessage
                if self.message.as_ref().is_some_and(|message| !message.compressed) =>
            {
                self.waiting.push(payload);
                return Ok(());
            }
            Fault::PingsInARowLost if self.after_ping => return Ok(()),
            Fault::LatestPongOnly if more => return Ok(()),
            Fault::LongPongCut => payload.truncate(124),
            _ => {}
        }
        self.send(true, 0, 10, &payload)
    }

    fn data(&mut self, frame: Frame) -> Result<(), Stop> {
        match (frame.opcode, self.message.is_some()) {
            (0, false) if self.fault == Fault::ContinuationBegins => {}
            (0, false) => return Err(Stop::Failed(1002)),
            (1 | 2, true) if self.fault == Fault::Interleaves => {}
            (1 | 2, true) => return Err(Stop::Failed(1002)),
            _ => {}
        }
        let opcode = frame.opcode.max(1);
        let compressed = frame.reserved & 4 != 0 && self.agreed.is_some() && frame.opcode != 0;
        let empty = Message { opcode, compressed, payload: Vec::new() };
        let message = self.message.get_or_insert(empty);
        message.payload.extend_from_slice(&frame.payload);
        let (text, plain) = (message.opcode == 1, !message.compressed);
        if text && plain && self.fault == Fault::Utf8PerFrame && std::str::from_utf8(&frame.payload).is_err()
        {
            return Err(Stop::Failed(1007));
        }
        let ends = self.fault == Fault::EmptyFragmentEnds && frame.opcode == 0 && frame.payload.is_empty();
        let alone = self.fault == Fault::FragmentsInflatedAlone && !plain;
        if frame.fin || ends || alone { self.whole() } else { Ok(()) }
    }

    /// A message is whole: it goes back.
    fn whole(&mut self) -> Result<(), Stop> {
        let Some(Message { opcode, compressed, mut payload }) = self.message.take() else { return Ok(()) };
        match &mut self.agreed {
            Some(agreed) if compressed => match agreed.inflate(&payload) {
                Some(inflated) => payload = inflated,
                None if self.fault == Fault::BrokenStreamIgnored => return Ok(()),
                None => return Err(Stop::Failed(1007)),
            },
            Some(_) if self.fault == Fault::PlainRefused => return Err(Stop::Failed(1002)),
            _ => {}
        }
        if opcode == 1 && !self.is_text(&payload, compressed) {
            return Err(Stop::Failed(if self.fault == Fault::Utf8Is1002 { 1002 } else { 1007 }));
        }
        match self.fault {
            Fault::NoEcho => return Ok(()),
            Fault::LargeMessagesCut => payload.truncate(500_000),
            _ => {}
        }
        match &mut self.agreed {
            Some(agreed) if compressed => {
                let payload = agreed.deflate(&payload);
                self.send(true, 4, opcode, &payload)?;
            }
            _ => self.send(true, 0, opcode, &payload)?,
        }
        for ping in std::mem::take(&mut self.waiting) {
            self.send(true, 0, 10, &ping)?;
        }
        Ok(())
    }

    fn is_text(&self, payload: &[u8], compressed: bool) -> bool {
        let Err(error) = std::str::from_utf8(payload) else { return true };
        match self.fault {
            Fault::Utf8Unchecked => true,
            Fault::InflatedUtf8Unchecked => compressed,
            Fault::Utf8Surrogates => payload == b"\xed\xa0\x80",
            Fault::Utf8MayBeCut => error.error_len().is_none(),
            _ => false,
        }
    }

    fn close(&mut self, payload: &[u8]) -> Result<(), Stop> {
        let (code, reason) = match payload {
            [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
            [_] if self.fault != Fault::CloseByteAccepted => return Err(Stop::Failed(1002)),
            _ => (None, &[][..]),
        };
        let sendable = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        if code.is_some_and(|code| !sendable(code)) && self.fault != Fault::CloseCodesUnchecked {
            return Err(Stop::Failed(1002));
        }
        if std::str::from_utf8(reason).is_err() && self.fault != Fault::CloseReasonUnchecked {
            return Err(Stop::Failed(1007));
        }
        let code = match self.fault {
            Fault::CloseUnanswered => return Err(Stop::Done),
            Fault::ClosesAlike => Some(1000),
            Fault::EmptyCloseIs1005 if code.is_none() => Some(1005),
            _ => code,
        };
        let code = code.map(u16::to_be_bytes);
        self.send(true, 0, 8, code.as_ref().map_or(&[], |code| code.as_slice()))?;
        if self.fault == Fault::AnswersAfterClose && self.take().is_ok_and(|frame| frame.is_some()) {
            self.send(true, 0, 10, b"after")?;
        }
        Err(Stop::Done)
    }

    fn send(&mut self, fin: bool, reserved: u8, opcode: u8, payload: &[u8]) -> Result<(), Stop> {
        let masked = self.fault == Fault::MasksFrames;
        let long = self.fault == Fault::LengthsWrittenLong && opcode <= 2;
        let mut bytes = vec![u8::from(fin) << 7 | reserved << 4 | opcode];
        let mask = u8::from(masked) << 7;
        match payload.len() {
            length @ 0..=125 if !long => bytes.push(mask | length as u8),
            length @ 0..=0xFFFF => {
                bytes.push(mask | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        let key = [1, 2, 3, 4];
        if masked {
            bytes.extend(key);
        }
        let masking = |(at, byte): (usize, &u8)| byte ^ if masked { key[at % 4] } else { 0 };
        bytes.extend(payload.iter().enumerate().map(masking));
        self.stream.write_all(&bytes).map_err(|_| Stop::Done)
    }
}
