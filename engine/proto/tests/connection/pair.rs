//! A server's core against a client's over a link that delivers pieces of any size at any time: each side sees
//! exactly what the other sent, in order, and both end closed.

use super::support::oracle::{self, Seen};
use super::support::random::{Random, each_seed};
use super::{binary, close, owned_message, ping, pong, text};
use wsring_proto::frame::{self, Opcode};
use wsring_proto::{
    Client, CloseCode, CloseReason, Connection, Event, Framed, Kind, Limits, Masking, Message, Resources,
    Role, Server,
};

/// One end, driven as the engine drives it.
struct End<R: Role> {
    connection: Connection<R>,
    resources: Resources,
    masking: Masking,
    /// Written and not yet delivered; and all that was ever written.
    link: Vec<u8>,
    written: Vec<u8>,
    /// The message in fragments under way.
    fragments: Option<Fragments>,
    close_sent: bool,
    /// What the other end is to see, and what this one saw.
    sent: Vec<Seen>,
    seen: Vec<Seen>,
}

/// A message of which only the beginning was sent.
struct Fragments {
    kind: Kind,
    payload: Vec<u8>,
    sent: usize,
}

/// Something to write once the input is no longer borrowed.
enum Reply {
    InPlace(std::ops::Range<usize>),
    Bytes(Vec<u8>),
}

fn message_seen(kind: Kind, payload: &[u8]) -> Seen {
    if kind == Kind::Text { text(payload) } else { binary(payload) }
}

impl<R: Role> End<R> {
    fn new(random: &mut Random) -> Self {
        Self {
            connection: Connection::new(),
            resources: Resources::new(Limits::default()),
            masking: Masking::new([random.next() as u8; 32]),
            link: Vec::new(),
            written: Vec::new(),
            fragments: None,
            close_sent: false,
            sent: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Sends something of its own accord.
    fn act(&mut self, random: &mut Random) {
        if self.close_sent {
            return;
        }
        match random.below(20) {
            0 if random.once_in(3) => {
                let reason = random.text(4);
                self.close(CloseCode::new(random.pick(&[1000, 1001, 3000, 4999])), &reason);
            }
            0..3 => self.ping(random),
            _ if self.fragments.is_some() => self.fragment(random),
            3..8 => self.fragment(random),
            _ => self.message(random),
        }
    }

    fn payload(&self, random: &mut Random) -> (Kind, Vec<u8>) {
        let length = random.pick(&[0, 1, 5, 40, 125, 126, 200]);
        let length = if random.once_in(100) { 70_000 } else { length };
        match random.once_in(2) {
            true => (Kind::Text, random.text(length / 2).into_bytes()),
            false => (Kind::Binary, random.bytes(length)),
        }
    }

    fn message(&mut self, random: &mut Random) {
        let (kind, payload) = self.payload(random);
        let mut out = Vec::new();
        assert!(self.connection.message(&mut out, kind, &payload, &mut self.masking));
        self.write(&out);
        self.sent.push(message_seen(kind, &payload));
    }

    /// The first, the next or the last fragment of a message; text is cut within code points.
    fn fragment(&mut self, random: &mut Random) {
        let (opcode, mut message) = match self.fragments.take() {
            Some(message) => (Opcode::Continuation, message),
            None => {
                let (kind, payload) = self.payload(random);
                (kind.opcode(), Fragments { kind, payload, sent: 0 })
            }
        };
        let fin = opcode == Opcode::Continuation && random.once_in(3);
        let rest = message.payload.len() - message.sent;
        let length = if fin { rest } else { random.below(rest + 1) };
        let fragment = &message.payload[message.sent..message.sent + length];
        let mut out = Vec::new();
        assert!(self.connection.frame(&mut out, opcode, fin, fragment, &mut self.masking));
        self.write(&out);
        message.sent += length;
        match fin {
            true => self.sent.push(message_seen(message.kind, &message.payload)),
            false => self.fragments = Some(message),
        }
    }

    fn ping(&mut self, random: &mut Random) {
        let length = random.pick(&[0, 4, 125]);
        let payload = random.bytes(length);
        let mut out = Vec::new();
        assert!(self.connection.frame(&mut out, Opcode::Ping, true, &payload, &mut self.masking));
        self.write(&out);
        self.sent.push(ping(payload));
    }

    fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        let mut out = Vec::new();
        self.connection.close(&mut out, CloseReason { code, reason }, &mut self.masking);
        self.write(&out);
        self.close_sent = true;
        let reason = if code.is_some() { reason } else { "" };
        self.sent.push(close(code.map_or(1005, |code| code.get()), reason));
    }

    fn write(&mut self, bytes: &[u8]) {
        self.link.extend_from_slice(bytes);
        self.written.extend_from_slice(bytes);
    }

    /// Takes a piece of what the other end wrote, and answers.
    fn receive(&mut self, mut input: Vec<u8>, random: &mut Random) {
        let Self { connection, resources, masking, seen, sent, close_sent, .. } = self;
        let may_echo = self.fragments.is_none();
        let mut answer = None;
        let mut replies = Vec::new();
        let mut receiving = connection.receive(&mut input, resources);
        while let Some(event) = receiving.next() {
            match event {
                Event::Message(message) => {
                    seen.push(owned_message(&message));
                    let echo = random.once_in(3).then(|| echo::<R>(message, masking));
                    if may_echo && receiving.parts().0.is_open() {
                        sent.extend(echo.is_some().then(|| seen.last().cloned()).flatten());
                        replies.extend(echo);
                    }
                }
                Event::Ping(payload) => {
                    seen.push(ping(payload));
                    let payload = payload.to_vec();
                    let mut out = Vec::new();
                    if receiving.parts().0.may_pong() {
                        frame::append::<R>(&mut out, Opcode::Pong, true, &payload, masking);
                        replies.push(Reply::Bytes(out));
                        // Behind our Close the other end ignores it.
                        sent.extend((!*close_sent).then(|| pong(payload)));
                    }
                }
                Event::Pong(payload) => seen.push(pong(payload)),
                Event::Close(reason) => {
                    seen.push(close(reason.code.map_or(1005, |code| code.get()), reason.reason));
                    answer = Some(reason.code);
                }
                other => panic!("{other:?} from a peer that keeps the rules"),
            }
        }
        drop(receiving);
        for reply in replies {
            match reply {
                Reply::InPlace(range) => self.write(&input[range]),
                Reply::Bytes(bytes) => self.write(&bytes),
            }
        }
        if let Some(code) = answer.filter(|_| !self.close_sent) {
            self.close(code, "");
        }
    }

    fn assert_over(&mut self) {
        assert!(!self.connection.is_open() && !self.connection.may_pong());
        assert!(!self.connection.is_within_message());
        assert_eq!(self.resources.held_bytes(), 0);
        assert!(self.connection.receive(&mut [0xFF; 20], &mut self.resources).next().is_none());
    }
}

/// The message as a frame, in place where that is possible.
fn echo<R: Role>(message: Message<'_>, masking: &mut Masking) -> Reply {
    match message.frame_in_place::<R>(masking) {
        Ok(Framed::Input(range)) => Reply::InPlace(range),
        Ok(Framed::Owned { bytes, start }) => Reply::Bytes(bytes[start..].to_vec()),
        Err(message) => {
            let mut out = Vec::new();
            frame::append::<R>(&mut out, message.kind().opcode(), true, message.payload(), masking);
            Reply::Bytes(out)
        }
    }
}

/// Delivers some of what `from` wrote to `to`.
fn deliver<F: Role, T: Role>(from: &mut End<F>, to: &mut End<T>, random: &mut Random) {
    let longest = random.pick(&[1, 4, 30, 300, 100_000]);
    let length = from.link.len().min(random.below(longest) + 1);
    let piece = from.link.drain(..length).collect();
    to.receive(piece, random);
}

/// What `from` wrote is what it meant to send, and what `to` saw.
fn assert_agree<F: Role, T: Role>(from: &End<F>, to: &End<T>) {
    assert_eq!(oracle::decode(&from.written, F::MASKS, u64::MAX, u64::MAX), from.sent);
    assert_eq!(to.seen, from.sent);
}

#[test]
fn each_sees_what_the_other_sent_and_both_end_closed() {
    each_seed(2_000, |mut random| {
        let mut client = End::<Client>::new(&mut random);
        let mut server = End::<Server>::new(&mut random);
        for _ in 0..random.below(200) {
            match random.below(6) {
                0 => client.act(&mut random),
                1 => server.act(&mut random),
                2 | 3 => deliver(&mut client, &mut server, &mut random),
                _ => deliver(&mut server, &mut client, &mut random),
            }
        }
        match random.below(3) {
            0 if !client.close_sent => client.close(None, "not sent"),
            1 if !server.close_sent => server.close(CloseCode::new(1001), "going"),
            _ if client.close_sent || server.close_sent => {}
            _ => {
                client.close(CloseCode::new(1000), "crossing");
                server.close(CloseCode::new(1000), "crossing");
            }
        }
        while !client.link.is_empty() || !server.link.is_empty() {
            deliver(&mut client, &mut server, &mut random);
            deliver(&mut server, &mut client, &mut random);
        }
        assert_agree(&client, &server);
        assert_agree(&server, &client);
        client.assert_over();
        server.assert_over();
    });
}
