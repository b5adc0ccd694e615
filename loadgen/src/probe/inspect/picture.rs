//! One frame as bytes, each with what it means (RFC 6455 section 5.2).

use crate::probe::frame::{BINARY, CLOSE, Frame, LengthForm, PAYLOAD_BYTES_MAX, RSV1, TEXT};
use crate::probe::meaning::{CloseBody, close_code, opcode_name};
use crate::probe::paint::{Paint, Tone};
use std::fmt::{Display, Write as _};

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Sent,
    Received,
}

impl Direction {
    pub(super) fn arrow(self) -> &'static str {
        match self {
            Self::Sent => "->",
            Self::Received => "<-",
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Sent => Tone::Sent,
            Self::Received => Tone::Good,
        }
    }
}

/// How pictures are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) paint: Paint,
    /// Bytes of each payload that are shown.
    pub(super) bytes_max: usize,
    /// Whether permessage-deflate was agreed on.
    pub(super) deflate: bool,
}

/// Bytes in a line of payload.
const LINE_BYTES: usize = 16;

impl Style {
    /// The whole picture, with this number in its heading.
    pub(super) fn frame(self, direction: Direction, number: u64, frame: &Frame) -> String {
        let mut out = String::new();
        let heading = format!("{} frame {number}: {}", direction.arrow(), summary(frame));
        line(&mut out, format_args!("\n{}\n", self.paint.tone(direction.tone(), heading)));
        self.first_byte(&mut out, frame);
        self.lengths(&mut out, direction, frame);
        if let Some(key) = frame.key {
            let what = "byte i of the payload is XORed with byte i mod 4 of this (5.3)";
            self.row(&mut out, &hex(&key), "", "key", what);
            self.payload(&mut out, "payload as sent", &frame.payload_as_sent());
        }
        self.payload(
            &mut out,
            if frame.key.is_some() { "payload unmasked" } else { "payload" },
            &frame.payload,
        );
        if frame.opcode == CLOSE {
            self.close(&mut out, &frame.payload);
        }
        out
    }

    fn first_byte(self, out: &mut String, frame: &Frame) {
        let first = frame.header()[0];
        let fin = match (frame.fin, frame.opcode >= CLOSE) {
            (true, true) => "whole, as every control frame",
            (true, false) => "the last frame of its message",
            (false, _) => "more frames of this message follow",
        };
        let reserved = match frame.reserved {
            0 => "no reserved bit is set".into(),
            RSV1 if self.deflate && matches!(frame.opcode, TEXT | BINARY) => {
                "RSV1: the message is compressed (RFC 7692 section 6)".into()
            }
            bits => format!("{}: nothing here defines them", reserved_names(bits)),
        };
        self.row(out, &hex(&[first]), &bits(first, 0x80), "FIN", fin);
        self.row(out, "", &bits(first, 0x70), "RSV", &reserved);
        let opcode = format!("{:#x}: {}", frame.opcode, opcode_name(frame.opcode));
        self.row(out, "", &bits(first, 0x0F), "opcode", &opcode);
    }

    fn lengths(self, out: &mut String, direction: Direction, frame: &Frame) {
        let header = frame.header();
        let second = header[1];
        let masked = match (direction, frame.key.is_some()) {
            (Direction::Sent, true) => "masked, as every frame of a client (5.1)",
            (Direction::Received, false) => "not masked, as every frame of a server (5.1)",
            (_, true) => "masked",
            (_, false) => "not masked",
        };
        self.row(out, &hex(&[second]), &bits(second, 0x80), "MASK", masked);
        let length = match frame.form {
            LengthForm::Bits7 => frame.length.to_string(),
            LengthForm::Bits16 => "126: the next 2 bytes are the length".into(),
            LengthForm::Bits64 => "127: the next 8 bytes are the length".into(),
        };
        self.row(out, "", &bits(second, 0x7F), "length", &length);
        let extended = match frame.form {
            LengthForm::Bits7 => 0,
            LengthForm::Bits16 => 2,
            LengthForm::Bits64 => 8,
        };
        if extended > 0 {
            self.row(out, &hex(&header[2..2 + extended]), "", "length", &frame.length.to_string());
        }
    }

    /// Bytes, bits, the name of the field and what it says.
    fn row(self, out: &mut String, bytes: &str, bits: &str, name: &str, what: &str) {
        let what = self.paint.tone(Tone::Faint, what);
        line(out, format_args!("   {bytes:<23}  {bits:<9}  {name:<6}  {what}"));
    }

    fn payload(self, out: &mut String, heading: &str, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        line(out, format_args!("   {heading}"));
        let shown = &payload[..payload.len().min(self.bytes_max)];
        for (number, bytes) in shown.chunks(LINE_BYTES).enumerate() {
            let offset = self.paint.tone(Tone::Faint, format!("{:04x}", number * LINE_BYTES));
            let text = self.paint.tone(Tone::Faint, printable(bytes));
            line(out, format_args!("     {offset}  {:<47}  {text}", hex(bytes)));
        }
        if shown.len() < payload.len() {
            let more = format!("... {} bytes more (--bytes)", payload.len() - shown.len());
            line(out, format_args!("     {}", self.paint.tone(Tone::Faint, more)));
        }
    }

    fn close(self, out: &mut String, payload: &[u8]) {
        let said = match CloseBody::parse(payload) {
            CloseBody::Empty => "no code: an API reports 1005 (7.1.5)".into(),
            CloseBody::Code(code, reason) if reason.is_empty() => format!("{code}, {}", close_code(code)),
            CloseBody::Code(code, reason) => format!("{code}, {}; reason {reason:?}", close_code(code)),
            CloseBody::Wrong(why) => format!("it {why}"),
        };
        line(out, format_args!("   = Close: {said}"));
    }
}

/// A frame in half a line.
fn summary(frame: &Frame) -> String {
    let kind = opcode_name(frame.opcode);
    let part = if frame.fin { "" } else { ", unfinished" };
    let bytes = match frame.length {
        1 => "1 byte".into(),
        length if length > PAYLOAD_BYTES_MAX => format!("{length} bytes announced"),
        length => format!("{length} bytes"),
    };
    format!("{kind}{part}, {bytes}")
}

/// The bits of a byte that belong to a field, and dots for the others: `1... ....`.
fn bits(byte: u8, field: u8) -> String {
    let bit = |place: u8| match (field >> place & 1, byte >> place & 1) {
        (0, _) => '.',
        (_, 0) => '0',
        _ => '1',
    };
    let half = |places: [u8; 4]| places.map(bit).iter().collect::<String>();
    format!("{} {}", half([7, 6, 5, 4]), half([3, 2, 1, 0]))
}

pub(super) fn reserved_names(bits: u8) -> String {
    let names = [(0b100, "RSV1"), (0b010, "RSV2"), (0b001, "RSV3")];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    set.join(" and ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn printable(bytes: &[u8]) -> String {
    let character = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    bytes.iter().map(character).collect()
}

pub(super) fn line(out: &mut String, text: impl Display) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::frame::{CONTINUATION, PING};

    const STYLE: Style = Style { paint: Paint::Plain, bytes_max: 20, deflate: false };

    #[track_caller]
    fn check(direction: Direction, frame: &Frame, expected: &str) {
        // A trailing space of a padded column says nothing.
        let picture = STYLE.frame(direction, 1, frame);
        let picture: Vec<&str> = picture.trim().lines().map(str::trim_end).collect();
        let expected: Vec<&str> = expected.trim().lines().map(str::trim_end).collect();
        assert_eq!(picture.join("\n"), expected.join("\n"));
    }

    #[test]
    fn the_masked_hello_of_section_5_7() {
        check(
            Direction::Sent,
            &Frame::new(TEXT, b"Hello").masked([0x37, 0xfa, 0x21, 0x3d]),
            "
-> frame 1: Text, 5 bytes

   81                       1... ....  FIN     the last frame of its message
                            .000 ....  RSV     no reserved bit is set
                            .... 0001  opcode  0x1: Text
   85                       1... ....  MASK    masked, as every frame of a client (5.1)
                            .000 0101  length  5
   37 fa 21 3d                         key     byte i of the payload is XORed with byte i mod 4 of this (5.3)
   payload as sent
     0000  7f 9f 4d 51 58                                   ..MQX
   payload unmasked
     0000  48 65 6c 6c 6f                                   Hello
",
        );
    }

    #[test]
    fn a_long_binary_frame_of_section_5_7() {
        check(
            Direction::Received,
            &Frame::new(BINARY, &[b'a'; 256]),
            "
<- frame 1: Binary, 256 bytes

   82                       1... ....  FIN     the last frame of its message
                            .000 ....  RSV     no reserved bit is set
                            .... 0010  opcode  0x2: Binary
   7e                       0... ....  MASK    not masked, as every frame of a server (5.1)
                            .111 1110  length  126: the next 2 bytes are the length
   01 00                               length  256
   payload
     0000  61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61  aaaaaaaaaaaaaaaa
     0010  61 61 61 61                                      aaaa
     ... 236 bytes more (--bytes)
",
        );
    }

    #[test]
    fn only_the_first_frame_of_a_message_says_that_it_is_compressed() {
        let style = Style { deflate: true, ..STYLE };
        for (opcode, compressed) in [(TEXT, true), (BINARY, true), (CONTINUATION, false), (PING, false)] {
            let frame = Frame::new(opcode, b"").reserved(RSV1);
            let picture = style.frame(Direction::Received, 1, &frame);
            assert_eq!(picture.contains("the message is compressed"), compressed, "{picture}");
        }
    }

    #[test]
    fn what_is_wrong_is_drawn_as_it_is() {
        check(
            Direction::Received,
            &Frame::new(CLOSE, &[0x03, 0xed]).masked([0; 4]).reserved(0b101).unfinished(),
            "
<- frame 1: Close, unfinished, 2 bytes

   58                       0... ....  FIN     more frames of this message follow
                            .101 ....  RSV     RSV1 and RSV3: nothing here defines them
                            .... 1000  opcode  0x8: Close
   82                       1... ....  MASK    masked
                            .000 0010  length  2
   00 00 00 00                         key     byte i of the payload is XORed with byte i mod 4 of this (5.3)
   payload as sent
     0000  03 ed                                            ..
   payload unmasked
     0000  03 ed                                            ..
   = Close: it has the code 1005, reserved for \"no code was there\": must not be sent
",
        );
    }
}
