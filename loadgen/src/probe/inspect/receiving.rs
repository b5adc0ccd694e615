//! Frames of the server put together to messages, and what is wrong about them.

use super::picture::reserved_names;
use crate::probe::deflate::{Agreed, Inflater};
use crate::probe::frame::{BINARY, CLOSE, CONTINUATION, Frame, LengthForm, PONG, RSV1, TEXT};
use crate::probe::meaning::{CloseBody, opcode_name};

/// The server's side of the conversation.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// Where compression was agreed on.
    inflater: Option<Inflater>,
    begun: Option<Begun>,
    /// Whether the server has sent a Close.
    closed: bool,
    /// Whole messages so far.
    pub(super) messages: u64,
}

/// A message of which more is to come.
#[derive(Debug)]
struct Begun {
    opcode: u8,
    compressed: bool,
    frames: u32,
    payload: Vec<u8>,
}

impl Begun {
    /// The message that this frame begins, without its payload.
    fn by(frame: &Frame) -> Self {
        Self { opcode: frame.opcode, compressed: frame.reserved & RSV1 != 0, frames: 0, payload: Vec::new() }
    }
}

/// What a frame brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// A whole message: its type, its payload, and in how many frames and whether compressed it came.
    pub(super) message: Option<Message>,
    /// What is wrong, each with its section; the code is what the client closes with.
    pub(super) faults: Vec<(u16, String)>,
    /// How long the message is so far, if that is more than is looked at.
    pub(super) too_long: Option<u64>,
}

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
    pub(super) frames: u32,
    pub(super) compressed: bool,
}

impl Receiving {
    pub(super) fn new(agreed: Option<Agreed>) -> Self {
        Self { inflater: agreed.map(Inflater::new), ..Self::default() }
    }

    /// Takes the next frame.
    pub(super) fn take(&mut self, frame: &Frame) -> Brought {
        let mut faults = self.faults_of_header(frame);
        self.closed |= frame.opcode == CLOSE;
        if frame.opcode == CLOSE
            && let CloseBody::Wrong(why) = CloseBody::parse(&frame.payload)
        {
            faults.push((1002, format!("the Close {why} (5.5.1, 7.4)")));
        }
        // What breaks the order of frames is no part of any message.
        if !faults.is_empty() || frame.opcode >= CLOSE {
            return Brought { faults, ..Brought::default() };
        }
        let begun = self.begun.get_or_insert_with(|| Begun::by(frame));
        if let Err(length) = frame.append_to(&mut begun.payload) {
            return Brought { too_long: Some(length), ..Brought::default() };
        }
        begun.frames += 1;
        let Some(begun) = self.begun.take_if(|_| frame.fin) else { return Brought::default() };
        match self.whole(begun) {
            Ok(message) => {
                self.messages += 1;
                Brought { message: Some(message), ..Brought::default() }
            }
            Err(fault) => Brought { faults: vec![fault], ..Brought::default() },
        }
    }

    fn faults_of_header(&self, frame: &Frame) -> Vec<(u16, String)> {
        let Frame { opcode, length, .. } = *frame;
        let control = opcode >= CLOSE;
        let begins = opcode == TEXT || opcode == BINARY;
        let defined = if self.inflater.is_some() && begins { RSV1 } else { 0 };
        let undefined = frame.reserved & !defined;
        let reserved = (BINARY + 1..CLOSE).contains(&opcode) || opcode > PONG;
        let checks = [
            // Pings and Pongs are no data (5.5): a Pong may have been on its way.
            (self.closed && !control, "a data frame behind a Close (5.5.1)".into()),
            (length >> 63 != 0, "the most significant bit of a length is 0 (5.2)".into()),
            (frame.key.is_some(), "a server masks no frame (5.1)".into()),
            (
                undefined != 0,
                format!("{} is set, which nothing defines here (5.2)", reserved_names(undefined)),
            ),
            (reserved, format!("the opcode {opcode:#x} is reserved (5.2)")),
            (control && !frame.fin, "a control frame is not fragmented (5.5)".into()),
            (control && length > 125, format!("a control frame has at most 125 bytes, not {length} (5.5)")),
            (
                frame.form != LengthForm::shortest(length),
                format!("the length {length} is not in its shortest form (5.2)"),
            ),
            (opcode == CONTINUATION && self.begun.is_none(), "there is no message to continue (5.4)".into()),
            (begins && self.begun.is_some(), "the message before it is not finished (5.4)".into()),
        ];
        checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, why)| (1002, why)).collect()
    }

    fn whole(&mut self, begun: Begun) -> Result<Message, (u16, String)> {
        let payload = match (&mut self.inflater, begun.compressed) {
            (Some(inflater), true) => inflater
                .message(&begun.payload)
                .map_err(|why| (1007, format!("{why} (RFC 7692 section 7.2.2)")))?,
            _ => begun.payload,
        };
        if begun.opcode == TEXT && std::str::from_utf8(&payload).is_err() {
            return Err((1007, "the text is not UTF-8 (8.1)".into()));
        }
        let Begun { opcode, compressed, frames, .. } = begun;
        Ok(Message { opcode, payload, frames, compressed })
    }
}

impl Message {
    /// In one line.
    pub(super) fn text(&self, number: u64, bytes_max: usize) -> String {
        let Self { opcode, payload, frames, compressed } = self;
        let frames = if *frames == 1 { String::new() } else { format!(" from {frames} frames") };
        let inflated = if *compressed { ", inflated" } else { "" };
        let shown = &payload[..payload.len().min(bytes_max)];
        let content = match std::str::from_utf8(payload) {
            Ok(text) if *opcode == TEXT && shown.len() == payload.len() => format!(": {text:?}"),
            _ => String::new(),
        };
        let (kind, length) = (opcode_name(*opcode), payload.len());
        format!("= message {number}: {kind}{frames}, {length} bytes{inflated}{content}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::frame::PING;

    #[test]
    fn every_fault_of_a_frame_is_named() {
        let table = [
            (vec![Frame::new(TEXT, b"x").masked([1; 4])], "(5.1)"),
            (vec![Frame::new(TEXT, b"x").reserved(RSV1)], "RSV1"),
            (vec![Frame::new(0x3, b"")], "0x3"),
            (vec![Frame::new(0xB, b"")], "0xb"),
            (vec![Frame::new(PING, b"").unfinished()], "not fragmented"),
            (vec![Frame::new(PING, &[0; 126])], "at most 125"),
            (vec![Frame::new(TEXT, b"x").announcing(LengthForm::Bits16, 1)], "shortest form"),
            (vec![Frame::new(CONTINUATION, b"x")], "no message to continue"),
            (vec![Frame::new(TEXT, b"x").unfinished(), Frame::new(TEXT, b"x")], "not finished"),
            (vec![Frame::new(TEXT, b"\xff")], "UTF-8"),
            (vec![Frame::new(CLOSE, b"\x03")], "one byte"),
            (vec![Frame::new(CLOSE, b""), Frame::new(PING, b""), Frame::new(TEXT, b"x")], "behind a Close"),
            (vec![Frame::new(BINARY, b"").announcing(LengthForm::Bits64, 1 << 63)], "most significant bit"),
        ];
        for (frames, expected) in table {
            let mut receiving = Receiving::default();
            let faults: Vec<_> = frames.iter().flat_map(|frame| receiving.take(frame).faults).collect();
            assert!(faults.len() == 1 && faults[0].1.contains(expected), "{expected}: {faults:?}");
        }
    }

    #[test]
    fn fragments_become_one_message_with_control_frames_between() {
        let mut receiving = Receiving::default();
        let frames = [
            Frame::new(TEXT, b"a\xc3").unfinished(),
            Frame::new(PING, b"between"),
            Frame::new(CONTINUATION, b"\xa9"),
        ];
        let brought: Vec<Brought> = frames.iter().map(|frame| receiving.take(frame)).collect();
        assert!(brought.iter().all(|brought| brought.faults.is_empty()), "{brought:?}");
        let message = brought[2].message.as_ref().unwrap();
        assert_eq!(message.text(1, 20), "= message 1: Text from 2 frames, 3 bytes: \"a\u{e9}\"");
        assert_eq!(receiving.messages, 1);
    }
}
