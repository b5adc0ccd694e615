//! RFC 6455 once more, written for the test alone: what a client sends, and a strict reading of what
//! a server sends. It shares no code with the engine.

use wsring_tests::deflated::Inflater;

/// First bytes of whole frames, and of a message's first fragment.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Appends a masked frame, its length in the shortest form.
pub(crate) fn append(out: &mut Vec<u8>, first: u8, payload: &[u8], key: [u8; 4]) {
    out.push(first);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=65535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The payload of a Close.
pub(crate) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Message { opcode: u8, payload: Vec<u8> },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close { code: Option<u16>, reason: String },
}

/// Takes a server's bytes in any pieces and finds fault with every one that may not be there.
#[derive(Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    at: usize,
    /// Opcode, whether it is compressed, and payload of one that has begun.
    message: Option<(u8, bool, Vec<u8>)>,
    is_closed: bool,
    inflater: Option<Box<Inflater>>,
    /// Messages that came compressed.
    pub(crate) compressed: u64,
}

struct Frame {
    fin: bool,
    is_compressed: bool,
    opcode: u8,
    payload: Vec<u8>,
}

impl Reader {
    /// Of a connection on which compression was agreed on, if `inflater` is there.
    pub(crate) fn inflating(inflater: Option<Inflater>) -> Self {
        Self { inflater: inflater.map(Box::new), ..Self::default() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether no part of a frame or message is left over.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.at == self.bytes.len() && self.message.is_none()
    }

    /// Whether no part of a frame is left over; a message may go on.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, String> {
        while let Some(frame) = self.frame()? {
            // Section 5.5.2: Pings are answered until a Close was received, after our own one too.
            if self.is_closed && frame.opcode == PONG {
                self.take(frame)?;
                continue;
            }
            if self.is_closed {
                return Err(format!("opcode {} after a Close", frame.opcode));
            }
            if let Some(incoming) = self.take(frame)? {
                return Ok(Some(incoming));
            }
        }
        Ok(None)
    }

    fn frame(&mut self) -> Result<Option<Frame>, String> {
        let bytes = &self.bytes[self.at..];
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & FIN != 0, first & 0x0F);
        // RFC 7692, section 6: RSV1, of a data message's first frame.
        let is_compressed = first & 0x40 != 0;
        let may_be_compressed = self.inflater.is_some() && matches!(opcode, TEXT | BINARY);
        if first & 0x30 != 0 || is_compressed && !may_be_compressed {
            return Err(format!("reserved bits in {first:#04x}"));
        }
        if second & 0x80 != 0 {
            return Err("a masked frame".into());
        }
        if opcode >= CLOSE && (!fin || *second > 125) {
            return Err(format!("a control frame that begins with {first:#04x} {second:#04x}"));
        }
        let (extended, shortest) = match second {
            126 => (2, 126),
            127 => (8, 65536),
            _ => (0, 0),
        };
        if rest.len() < extended {
            return Ok(None);
        }
        let long = rest[..extended].iter().fold(0, |length: u64, byte| length << 8 | u64::from(*byte));
        let length = if extended == 0 { u64::from(*second) } else { long };
        if length < shortest || length > 1 << 30 {
            return Err(format!("a length of {length} in {extended} bytes"));
        }
        let Some(payload) = rest[extended..].get(..length as usize) else { return Ok(None) };
        let payload = payload.to_vec();
        self.at += 2 + extended + payload.len();
        Ok(Some(Frame { fin, is_compressed, opcode, payload }))
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Incoming>, String> {
        let Frame { fin, is_compressed, opcode, payload } = frame;
        match opcode {
            PING => return Ok(Some(Incoming::Ping(payload))),
            PONG => return Ok(Some(Incoming::Pong(payload))),
            CLOSE => return self.close(&payload).map(Some),
            CONTINUATION => match &mut self.message {
                Some((.., message)) => message.extend_from_slice(&payload),
                None => return Err("a continuation of nothing".into()),
            },
            TEXT | BINARY if self.message.is_none() => self.message = Some((opcode, is_compressed, payload)),
            _ => return Err(format!("opcode {opcode} where it may not stand")),
        }
        let Some((opcode, is_compressed, mut payload)) = self.message.take_if(|_| fin) else {
            return Ok(None);
        };
        if let Some(inflater) = self.inflater.as_mut().filter(|_| is_compressed) {
            payload = inflater.message(&payload);
            self.compressed += 1;
        }
        if opcode == TEXT && std::str::from_utf8(&payload).is_err() {
            return Err("text that is not UTF-8".into());
        }
        Ok(Some(Incoming::Message { opcode, payload }))
    }

    fn close(&mut self, payload: &[u8]) -> Result<Incoming, String> {
        self.is_closed = true;
        let (code, reason) = match payload {
            [] => (None, ""),
            [high, low, reason @ ..] => {
                let reason = std::str::from_utf8(reason).map_err(|_| "a close reason that is not UTF-8")?;
                (Some(u16::from_be_bytes([*high, *low])), reason)
            }
            [_] => return Err("a Close of one byte".into()),
        };
        Ok(Incoming::Close { code, reason: reason.into() })
    }
}

/// One HTTP answer at the front of `bytes`: status, head, body, and how many bytes it took.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) taken: usize,
}

/// Reads an answer strictly; `None` while part of it is missing.
pub(crate) fn answer(bytes: &[u8], head_only: bool) -> Result<Option<Answer>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is not ASCII")?.to_owned();
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status: u16 = status.ok_or_else(|| format!("no status line in {head:?}"))?;
    let has_none = head_only || status == 101;
    let length = match field(&head, "Content-Length") {
        _ if has_none => 0,
        Some(length) => length.parse().map_err(|_| format!("Content-Length: {length}"))?,
        None => return Err(format!("no Content-Length in {head:?}")),
    };
    let Some(body) = bytes[end + 4..].get(..length) else { return Ok(None) };
    Ok(Some(Answer { status, body: body.to_vec(), taken: end + 4 + length, head }))
}

/// The value of a header field.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
