//! Commands, read from what a client sends: parsed once by simd-json, in buffers that a shard uses again.

use super::Code;
use super::raw::{self, DEPTH_MAX};
use simd_json::{Buffers, Node, StaticNode, Tape};
use std::borrow::Cow;

/// The largest number that every reader of JSON holds exactly (RFC 7493 section 2.2).
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;

/// An id is repeated in the answer, and is the client's to choose; not at any length.
pub(crate) const ID_BYTES_MAX: usize = 64;

/// Buffers that have grown beyond this for one message are given back after it.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// To a topic or a pattern.
    Subscribe {
        topic: &'a str,
        begin: Begin,
    },
    Unsubscribe {
        topic: &'a str,
    },
    /// `data` is one JSON value as it was sent.
    Publish {
        topic: &'a str,
        data: &'a [u8],
    },
    Ping,
}

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Now,
    /// At an offset, of the life of the topic that the epoch names.
    Offset {
        from: u64,
        epoch: Option<u64>,
    },
    /// So many messages back.
    History(u64),
}

/// A message that is no command; the client's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandFault {
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
}

/// What one shard needs to parse JSON without allocating for each message.
#[derive(Default)]
pub(crate) struct Parser {
    /// simd-json unescapes strings where they stand.
    copy: Vec<u8>,
    buffers: Buffers,
    nodes: Vec<Node<'static>>,
}

impl Parser {
    /// Reads one command and hands it on: with its id as it was sent, `None` where that cannot be read.
    pub(crate) fn command<R>(
        &mut self,
        text: &[u8],
        act: impl FnOnce(Option<&[u8]>, Result<Command<'_>, CommandFault>) -> R,
    ) -> R {
        self.parse(text, |nodes| match Members::of(nodes, text) {
            Err(fault) => act(None, Err(fault)),
            Ok(members) => match members.id() {
                Err(fault) => act(None, Err(fault)),
                Ok(id) => act(Some(id), members.command()),
            },
        })
    }

    /// Whether a text is one JSON value that every reader takes.
    pub(crate) fn is_json(&mut self, text: &[u8]) -> bool {
        // What most texts that are no JSON show at once.
        let begins = text.trim_ascii_start().first();
        begins.is_some_and(|byte| b"{[\"-0123456789tfn".contains(byte))
            && self.parse(text, |nodes| nodes.is_some())
            && raw::depth(text) <= DEPTH_MAX
    }

    /// Parses and hands on simd-json's nodes; `None` when it is not JSON.
    pub(super) fn parse<R>(&mut self, text: &[u8], act: impl FnOnce(Option<&[Node<'_>]>) -> R) -> R {
        self.copy.clear();
        self.copy.extend_from_slice(text);
        let mut tape = Tape(std::mem::take(&mut self.nodes)).reset();
        let parsed = simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape);
        let result = act(parsed.is_ok().then_some(&*tape.0));
        self.nodes = tape.reset().0;
        if text.len() > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        result
    }
}

/// The members of a command.
pub(super) struct Members<'b> {
    /// Keys and values in turn, without the object that they stand in.
    pub(super) nodes: &'b [Node<'b>],
    /// As it was sent.
    pub(super) text: &'b [u8],
}

impl<'b> Members<'b> {
    fn of(nodes: Option<&'b [Node<'b>]>, text: &'b [u8]) -> Result<Self, CommandFault> {
        match nodes {
            None => Err(fault(Code::BadJson, "the message is not JSON")),
            Some([Node::Object { .. }, nodes @ ..]) => Ok(Self { nodes, text }),
            Some(_) => Err(fault(Code::BadJson, "a command is a JSON object")),
        }
    }

    /// The id as it was sent: a string or a number.
    fn id(&self) -> Result<&'b [u8], CommandFault> {
        let wrong = |message| Err(fault(Code::BadCommand, message));
        let Some((index, value)) = self.find("id")? else {
            return wrong("a command has an id, a string or a number of the client's choice");
        };
        let is_number =
            matches!(value, Node::Static(StaticNode::I64(_) | StaticNode::U64(_) | StaticNode::F64(_)));
        if !is_number && !matches!(value, Node::String(_)) {
            return wrong("an id is a string or a number");
        }
        match self.raw(index) {
            id if id.len() > ID_BYTES_MAX => wrong("an id has at most 64 bytes"),
            id => Ok(id),
        }
    }

    fn command(&self) -> Result<Command<'b>, CommandFault> {
        let Some(name) = self.string("command")? else {
            return Err(fault(
                Code::BadCommand,
                "a message has a command: subscribe, unsubscribe, publish or ping",
            ));
        };
        match name {
            "subscribe" => {
                self.only(name, &["id", "command", "topic", "from", "epoch", "history"])?;
                Ok(Command::Subscribe { topic: self.topic(name)?, begin: self.begin()? })
            }
            "unsubscribe" => {
                self.only(name, &["id", "command", "topic"])?;
                Ok(Command::Unsubscribe { topic: self.topic(name)? })
            }
            "publish" => {
                self.only(name, &["id", "command", "topic", "data"])?;
                Ok(Command::Publish { topic: self.topic(name)?, data: self.data(name)? })
            }
            "ping" => self.only(name, &["id", "command"]).map(|()| Command::Ping),
            _ => {
                Err(fault(Code::UnknownCommand, "the commands are subscribe, unsubscribe, publish and ping"))
            }
        }
    }

    pub(super) fn topic(&self, command: &str) -> Result<&'b str, CommandFault> {
        let missing = || fault(Code::BadCommand, format!("{command} has a topic, a string"));
        self.string("topic")?.ok_or_else(missing)
    }

    fn begin(&self) -> Result<Begin, CommandFault> {
        let (from, epoch, history) = (self.number("from")?, self.number("epoch")?, self.number("history")?);
        match (from, epoch, history) {
            (None, None, None) => Ok(Begin::Now),
            (Some(from), epoch, None) => Ok(Begin::Offset { from, epoch }),
            (None, None, Some(messages)) => Ok(Begin::History(messages)),
            (None, Some(_), _) => {
                Err(fault(Code::BadCommand, "an epoch goes with from, whose offset it explains"))
            }
            (Some(_), _, Some(_)) => {
                Err(fault(Code::BadCommand, "from and history exclude each other: both say where to begin"))
            }
        }
    }

    pub(super) fn data(&self, command: &str) -> Result<&'b [u8], CommandFault> {
        let Some((index, _)) = self.find("data")? else {
            return Err(fault(Code::BadCommand, format!("{command} has data, any JSON value")));
        };
        let data = self.raw(index);
        if raw::depth(data) > DEPTH_MAX {
            return Err(fault(Code::BadJson, "data lies more than 100 objects and arrays deep"));
        }
        Ok(data)
    }

    fn string(&self, name: &'static str) -> Result<Option<&'b str>, CommandFault> {
        let Some((_, value)) = self.find(name)? else { return Ok(None) };
        match value {
            Node::String(text) => Ok(Some(text)),
            _ => Err(fault(Code::BadCommand, format!("{name} is a string"))),
        }
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, CommandFault> {
        let Some((_, value)) = self.find(name)? else { return Ok(None) };
        let number = match value {
            Node::Static(StaticNode::U64(number)) => Some(*number),
            Node::Static(StaticNode::I64(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        match number {
            Some(number @ 0..=MAX_NUMBER) => Ok(Some(number)),
            _ => Err(fault(Code::BadCommand, format!("{name} is a whole number from 0 to {MAX_NUMBER}"))),
        }
    }

    /// The member of a name and which one it is. Two of one name are refused: readers differ in which
    /// they take (RFC 8259 section 4).
    fn find(&self, name: &'static str) -> Result<Option<(usize, &'b Node<'b>)>, CommandFault> {
        let mut found = None;
        for (index, (key, value)) in self.iter().enumerate() {
            if key == name && found.replace((index, value)).is_some() {
                return Err(fault(Code::BadCommand, format!("{name} stands there twice")));
            }
        }
        Ok(found)
    }

    /// Refuses what a command does not have, which is most likely a slip of the pen.
    pub(super) fn only(&self, command: &str, names: &[&str]) -> Result<(), CommandFault> {
        match self.iter().find(|(key, _)| !names.contains(key)) {
            None => Ok(()),
            Some((key, _)) => {
                let key: String = key.chars().take(40).flat_map(char::escape_debug).collect();
                Err(fault(Code::BadCommand, format!("{command} has no \"{key}\"")))
            }
        }
    }

    /// Keys with the first node of their values.
    fn iter(&self) -> impl Iterator<Item = (&'b str, &'b Node<'b>)> {
        let mut rest = self.nodes;
        std::iter::from_fn(move || {
            let [Node::String(key), value, ..] = rest else { return None };
            let nested = match value {
                Node::Object { count, .. } | Node::Array { count, .. } => *count,
                Node::String(_) | Node::Static(_) => 0,
            };
            rest = rest.get(2 + nested..).unwrap_or_default();
            Some((*key, value))
        })
    }

    fn raw(&self, index: usize) -> &'b [u8] {
        raw::member_values(self.text).nth(index).unwrap_or_default()
    }
}

pub(super) fn fault(code: Code, message: impl Into<Cow<'static, str>>) -> CommandFault {
    CommandFault { code, message: message.into() }
}
