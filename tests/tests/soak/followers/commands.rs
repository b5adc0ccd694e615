//! Many topics over `/ws`: subscribes, unsubscribes, resumes, stalls and is killed.

use super::super::follow::Follow;
use super::super::message::{Said, next};
use super::{Ended, Life};
use serde_json::{Value, json};
use std::net::Shutdown;
use wsring_tests::Peer;
use wsring_tests::wire::{TEXT, message};

/// One connection.
struct Session<'a> {
    peer: Peer,
    follows: &'a mut [Follow],
    /// Which of them it is subscribed to now.
    active: Vec<bool>,
    commands: u64,
    /// Closed for being slow.
    is_closed: bool,
}

pub(super) fn live(mut life: Life) -> Ended {
    let mut follows: Vec<Follow> = life.topics.iter().cloned().map(Follow::new).collect();
    let (mut lives, mut closed) = (0, 0);
    while life.goes_on() {
        let (peer, active) = (life.open("/ws"), vec![false; follows.len()]);
        let mut session = Session { peer, follows: &mut follows, active, commands: 0, is_closed: false };
        session.live(&mut life);
        lives += 1;
        closed += u64::from(session.is_closed);
    }
    Ended::of(follows, lives, closed)
}

impl Session<'_> {
    fn live(&mut self, life: &mut Life) {
        for at in 0..self.follows.len() {
            if at == 0 || life.random.once_in(2) {
                self.subscribe(at);
            }
        }
        for _ in 0..5 + life.random.below(40) {
            if self.is_closed || !life.goes_on() {
                break;
            }
            let at = life.random.below(self.follows.len());
            match life.random.below(12) {
                0 if self.active[at] => self.unsubscribe(at),
                0 | 1 if !self.active[at] => self.subscribe(at),
                2 if life.random.once_in(3) => life.stall(),
                3 => drop(self.ask(&json!({"command": "ping"}))),
                _ => self.read(1 + life.random.below(30)),
            }
        }
        if life.random.once_in(2) {
            // Killed in the middle of the stream; otherwise it just goes away.
            let _ = self.peer.stream().shutdown(Shutdown::Both);
        }
    }

    fn subscribe(&mut self, at: usize) {
        let follow = &self.follows[at];
        let mut command = json!({"command": "subscribe", "topic": follow.topic.name});
        if let Some(next) = follow.next {
            command["from"] = next.into();
            command["epoch"] = follow.topic.epoch.into();
        }
        let Some(answer) = self.ask(&command) else { return };
        assert!(answer.get("already").is_none(), "{answer}");
        self.follows[at].begins(&answer);
        self.active[at] = true;
    }

    fn unsubscribe(&mut self, at: usize) {
        if self.ask(&json!({"command": "unsubscribe", "topic": self.follows[at].topic.name})).is_some() {
            self.active[at] = false;
        }
        if !self.active.contains(&true) {
            self.subscribe(at);
        }
    }

    fn read(&mut self, messages: usize) {
        for _ in 0..messages {
            if let Some(answer) = self.hear() {
                panic!("nothing was asked: {answer}");
            }
            if self.is_closed {
                return;
            }
        }
    }

    /// What a command is answered, after whatever comes before; `None` when the connection was closed.
    fn ask(&mut self, command: &Value) -> Option<Value> {
        self.commands += 1;
        let mut command = command.clone();
        command["id"] = self.commands.into();
        // One that is closed is found out by reading.
        let _ = self.peer.try_send(&message(TEXT, command.to_string().as_bytes()));
        while !self.is_closed {
            if let Some(mut answer) = self.hear() {
                assert_eq!(answer["id"], self.commands, "{answer}");
                return Some(answer.get_mut("ok").unwrap_or_else(|| panic!("to {command}")).take());
            }
        }
        None
    }

    /// Takes one message in; an answer is given back.
    fn hear(&mut self) -> Option<Value> {
        match next(&mut self.peer) {
            Said::Message { topic, offset, number } => self.follow(&topic).message(offset, number),
            Said::Gap { topic, gap } => self.follow(&topic).gap(&gap),
            Said::Other(answer) => return Some(answer),
            Said::Closed(code) => {
                assert!(code == 1013 && self.may_be_closed(), "closed with {code}");
                self.is_closed = true;
            }
            Said::Lost => panic!("the connection has ended without a Close"),
        }
        None
    }

    fn may_be_closed(&self) -> bool {
        self.follows.iter().zip(&self.active).any(|(follow, active)| *active && follow.topic.closes())
    }

    fn follow(&mut self, topic: &str) -> &mut Follow {
        let at = self.follows.iter().position(|follow| follow.topic.name == topic);
        let at = at.unwrap_or_else(|| panic!("{topic} is of another cycle"));
        assert!(self.active[at], "{topic} is not subscribed to");
        &mut self.follows[at]
    }
}
