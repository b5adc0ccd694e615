//! A second opinion on frames: RFC 6455 sections 5 to 8 read again, one octet at a time, slow and
//! without any code of the crate.

/// What one end says of the stream that the other end sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Message {
        text: bool,
        payload: Vec<u8>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// 1005 stands for a Close without a code (section 7.1.5).
    Close(u16, String),
    /// The close code that the fault calls for (section 7.4.1).
    Failed(u16),
    /// The peer's Close, after a fault.
    Finished,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut show = |name: &str, bytes: &[u8]| {
            let begin = bytes[..bytes.len().min(40)].escape_ascii();
            write!(f, "{name} of {} \"{begin}\"", bytes.len())
        };
        match self {
            Self::Message { text: true, payload } => show("text", payload),
            Self::Message { text: false, payload } => show("binary", payload),
            Self::Ping(payload) => show("ping", payload),
            Self::Pong(payload) => show("pong", payload),
            Self::Close(code, reason) => write!(f, "close {code} {reason:?}"),
            Self::Failed(code) => write!(f, "failed {code}"),
            Self::Finished => write!(f, "finished"),
        }
    }
}

/// Everything seen in `stream`, which a client sent when `from_client`.
pub(crate) fn decode(stream: &[u8], from_client: bool, frame_max: u64, message_max: u64) -> Vec<Seen> {
    let mut oracle = Oracle::new(from_client, frame_max, message_max);
    stream.iter().for_each(|&octet| oracle.octet(octet));
    oracle.seen
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// All is well so far.
    Sound,
    /// A fault was reported: only frame boundaries and the opcode Close matter.
    Faulty,
    /// Whatever comes is ignored.
    Over,
}

struct Oracle {
    from_client: bool,
    frame_max: u64,
    message_max: u64,
    mode: Mode,
    /// The header of the frame under way, as far as it has come.
    header: Vec<u8>,
    /// The payload of the frame under way, unmasked, and how much of it there is once the header is whole.
    payload: Vec<u8>,
    announced: Option<u64>,
    arrived: u64,
    /// The message under way: whether it is text, and its finished fragments.
    message: Option<(bool, Vec<u8>)>,
    /// Octets of a text's last character, while it is unfinished.
    character: Vec<u8>,
    seen: Vec<Seen>,
}

impl Oracle {
    fn new(from_client: bool, frame_max: u64, message_max: u64) -> Self {
        Self {
            from_client,
            frame_max,
            message_max,
            mode: Mode::Sound,
            header: Vec::new(),
            payload: Vec::new(),
            announced: None,
            arrived: 0,
            message: None,
            character: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn octet(&mut self, octet: u8) {
        match (self.mode, self.announced) {
            (Mode::Over, _) => return,
            (_, None) => self.header_octet(octet),
            (_, Some(_)) => self.payload_octet(octet),
        }
        if self.announced == Some(self.arrived) {
            self.frame_is_over();
        }
    }

    fn fault(&mut self, code: u16) {
        self.seen.push(Seen::Failed(code));
        self.mode = Mode::Faulty;
    }

    fn opcode(&self) -> u8 {
        self.header[0] % 16
    }

    fn is_last(&self) -> bool {
        self.header[0] >= 128
    }

    fn header_octet(&mut self, octet: u8) {
        self.header.push(octet);
        if self.header.len() < 2 {
            return;
        }
        if self.header.len() == 2 && self.mode == Mode::Sound {
            self.judge_two_octets();
        }
        let masked = self.header[1] >= 128;
        let extended = match self.header[1] % 128 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header.len() < 2 + extended + if masked { 4 } else { 0 } {
            return;
        }
        let length = match extended {
            0 => u64::from(self.header[1] % 128),
            _ => self.header[2..2 + extended].iter().fold(0, |sum, &octet| sum * 256 + u64::from(octet)),
        };
        if self.mode == Mode::Sound {
            self.judge_header(extended, length, masked);
        }
        self.announced = Some(length);
    }

    /// What may be said as soon as the first two octets are there (sections 5.2 and 5.5).
    fn judge_two_octets(&mut self) {
        let opcode = self.opcode();
        let long_control = opcode >= 8 && self.header[1] % 128 > 125;
        let fragmented_control = opcode >= 8 && !self.is_last();
        if ![0, 1, 2, 8, 9, 10].contains(&opcode) || long_control || fragmented_control {
            self.fault(1002);
        }
    }

    /// The whole header: sections 5.1, 5.2 and 5.4, then the limits, whose code is 1009.
    fn judge_header(&mut self, extended: usize, length: u64, masked: bool) {
        let opcode = self.opcode();
        let continues = opcode == 0;
        let reserved_bits = self.header[0] & 0x70 != 0;
        let not_shortest = (extended == 2 && length < 126) || (extended == 8 && length < 65536);
        let too_large = length >= 1 << 63;
        let out_of_order = opcode < 8 && continues != self.message.is_some();
        if reserved_bits || not_shortest || too_large || masked != self.from_client || out_of_order {
            return self.fault(1002);
        }
        let before = self.message.as_ref().map_or(0, |(_, payload)| payload.len() as u64);
        if opcode < 8 && (length > self.frame_max || before + length > self.message_max) {
            return self.fault(1009);
        }
        if opcode == 1 || opcode == 2 {
            self.message = Some((opcode == 1, Vec::new()));
        }
    }

    fn payload_octet(&mut self, octet: u8) {
        let position = self.arrived as usize % 4;
        self.arrived += 1;
        if self.mode == Mode::Faulty {
            return;
        }
        let key = if self.from_client { &self.header[self.header.len() - 4..] } else { &[0; 4] };
        let octet = octet ^ key[position];
        self.payload.push(octet);
        if self.opcode() < 8 && matches!(self.message, Some((true, _))) {
            self.text_octet(octet);
        }
    }

    /// Section 8.1, and at once, not at the end of the frame: what no later octet can mend is a fault.
    fn text_octet(&mut self, octet: u8) {
        self.character.push(octet);
        match std::str::from_utf8(&self.character) {
            Ok(_) => self.character.clear(),
            Err(unfinished) if unfinished.error_len().is_none() => {}
            Err(_) => self.fault(1007),
        }
    }

    fn frame_is_over(&mut self) {
        let payload = std::mem::take(&mut self.payload);
        match (self.mode, self.opcode()) {
            (Mode::Faulty, 8) => {
                self.seen.push(Seen::Finished);
                self.mode = Mode::Over;
            }
            (Mode::Faulty, _) => {}
            (_, 8) => self.close(&payload),
            (_, 9) => self.seen.push(Seen::Ping(payload)),
            (_, 10) => self.seen.push(Seen::Pong(payload)),
            _ => self.fragment(&payload),
        }
        self.header.clear();
        self.announced = None;
        self.arrived = 0;
    }

    fn fragment(&mut self, fragment: &[u8]) {
        if let Some((_, payload)) = &mut self.message {
            payload.extend_from_slice(fragment);
        }
        if !self.is_last() {
            return;
        }
        if !self.character.is_empty() {
            return self.fault(1007);
        }
        if let Some((text, payload)) = self.message.take() {
            self.seen.push(Seen::Message { text, payload });
        }
    }

    /// Sections 5.5.1 and 7.4. A faulty Close is a Close all the same: nothing follows it.
    fn close(&mut self, payload: &[u8]) {
        let said = match payload.len() {
            0 => Ok((1005, String::new())),
            1 => Err(1002),
            _ => {
                let code = u16::from(payload[0]) * 256 + u16::from(payload[1]);
                let allowed = (1000..=4999).contains(&code)
                    && ![1004, 1005, 1006].contains(&code)
                    && !(1015..3000).contains(&code);
                let reason = String::from_utf8(payload[2..].to_vec());
                if allowed { reason.map(|reason| (code, reason)).map_err(|_| 1007) } else { Err(1002) }
            }
        };
        match said {
            Ok((code, reason)) => self.seen.push(Seen::Close(code, reason)),
            Err(code) => {
                self.fault(code);
                self.seen.push(Seen::Finished);
            }
        }
        self.mode = Mode::Over;
    }
}
