//! The messages that a connection has on their way, and what an arriving one is.
//!
//! Messages on a WebSocket keep their order (RFC 6455 section 5.4, over TCP), and so does an echo server that
//! answers one after the other: the answer that is due is the oldest one. What comes instead of it is told apart:
//!
//! ```text
//!   it is a later one        those before it are overtaken: each is lost, should it not come after all
//!   it was overtaken         out of order
//!   it had been given up     late
//!   it was answered before   duplicate
//!   its content is damaged   corrupt; when its name can be read, it is taken for the answer to that message
//!   it was never sent, or resembles nothing that is due: unasked
//! ```

use super::message::{Messages, Name};
use std::collections::VecDeque;
use wsring::{Kind, Time};

/// Messages without a name are looked for among so many that are due, and so many that were answered.
const SEARCHED: u32 = 64;

/// Of messages up to this length nothing may be left when they are damaged.
const SHORT: usize = 8;

/// One message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    /// When the schedule wanted it sent; in a closed loop, when it was.
    pub(crate) intended: Time,
    /// When it was given to the engine.
    pub(crate) sent: Time,
}

/// What an arriving message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The answer that was due.
    Right(Flight),
    /// The answer to a message that a later one has overtaken.
    OutOfOrder(Flight),
    /// The answer to a message that was given up.
    Late(Flight),
    /// A second answer.
    Duplicate,
    /// Something that is much like a message on its way, and is not it.
    Corrupt,
    /// Something whole that this connection has not sent, or something of another kind altogether.
    Unasked,
}

/// The messages of one connection that have no answer yet.
#[derive(Debug)]
pub(crate) struct Pipe {
    connection: u32,
    /// The sequence of the first of `flights`.
    due: u32,
    /// So many of `flights` at their front were given up.
    given_up: u32,
    /// In the order in which they were sent.
    flights: VecDeque<Flight>,
    /// Those that a later one has overtaken, by ascending sequence.
    overtaken: Vec<Overtaken>,
}

#[derive(Clone, Copy, Debug)]
struct Overtaken {
    sequence: u32,
    given_up: bool,
    flight: Flight,
}

impl Pipe {
    /// A connection that has sent nothing.
    pub(crate) fn new(connection: u32) -> Self {
        Self { connection, due: 0, given_up: 0, flights: VecDeque::new(), overtaken: Vec::new() }
    }

    /// The next message to send.
    #[inline]
    pub(crate) fn next(&self) -> Name {
        self.name(self.due.wrapping_add(self.flights.len() as u32))
    }

    /// How many may still be answered, even those that were given up.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.flights.len() + self.overtaken.len()
    }

    /// How many are on their way that are still waited for, and not overtaken.
    #[inline]
    pub(crate) fn waiting(&self) -> u32 {
        self.flights.len() as u32 - self.given_up
    }

    /// The [`next`](Self::next) one was sent.
    #[inline]
    pub(crate) fn sent(&mut self, flight: Flight) {
        self.flights.push_back(flight);
    }

    /// Gives up what was sent before a time; says how many those were.
    pub(crate) fn give_up(&mut self, before: Time) -> u32 {
        let waiting = self.flights.iter().skip(self.given_up as usize);
        let count = waiting.take_while(|flight| flight.sent < before).count() as u32;
        self.given_up += count;
        let overtaken = self.overtaken.iter_mut().filter(|one| !one.given_up && one.flight.sent < before);
        count + overtaken.map(|one| one.given_up = true).count() as u32
    }

    /// Takes everything that has no answer: whether it was overtaken, and when it was sent.
    pub(crate) fn unanswered(&mut self) -> impl Iterator<Item = (bool, Flight)> {
        self.due = self.next().sequence;
        self.given_up = 0;
        let overtaken = std::mem::take(&mut self.overtaken).into_iter();
        let waiting = std::mem::take(&mut self.flights).into_iter();
        overtaken.map(|one| (true, one.flight)).chain(waiting.map(|flight| (false, flight)))
    }

    /// Finds out what has arrived, and notes it.
    #[inline]
    pub(crate) fn arrived(&mut self, messages: &Messages, kind: Kind, payload: &[u8]) -> Arrival {
        if messages.matches(self.name(self.due), kind, payload)
            && let Some(flight) = self.flights.pop_front()
        {
            self.due = self.due.wrapping_add(1);
            return match self.take_given_up() {
                false => Arrival::Right(flight),
                true => Arrival::Late(flight),
            };
        }
        self.not_due(messages, kind, payload)
    }

    /// Whether the front of the flights, which was just taken, had been given up.
    #[inline]
    fn take_given_up(&mut self) -> bool {
        let was = self.given_up > 0;
        self.given_up -= u32::from(was);
        was
    }

    #[cold]
    fn not_due(&mut self, messages: &Messages, kind: Kind, payload: &[u8]) -> Arrival {
        let Some(name) = messages.name_in(payload) else { return self.nameless(messages, kind, payload) };
        let is_whole = messages.matches(name, kind, payload);
        let is_ours = name.connection == self.connection;
        match (is_ours, is_whole) {
            (true, true) => self.named(name.sequence),
            // Its content is damaged: it was the answer to that message, if that was sent.
            (true, false) if self.settle(name.sequence).is_some() => Arrival::Corrupt,
            (false, true) => Arrival::Unasked,
            // Not even its name can be trusted.
            _ => self.stranger(messages, payload),
        }
    }

    /// A whole message of this connection.
    fn named(&mut self, sequence: u32) -> Arrival {
        match self.settle(sequence) {
            Some(arrival) => arrival,
            None if self.is_behind(sequence) => Arrival::Duplicate,
            None => Arrival::Unasked,
        }
    }

    /// A message that is too short to say which it is, or one from a file.
    fn nameless(&mut self, messages: &Messages, kind: Kind, payload: &[u8]) -> Arrival {
        let is = |sequence: &u32| messages.matches(self.name(*sequence), kind, payload);
        let overtaken = self.overtaken.iter().map(|one| one.sequence).find(|sequence| is(sequence));
        let ahead = || {
            let most = SEARCHED.min(self.flights.len() as u32);
            (0..most).map(|distance| self.due.wrapping_add(distance)).find(|sequence| is(sequence))
        };
        if let Some(sequence) = overtaken.or_else(ahead) {
            return self.settle(sequence).unwrap_or(Arrival::Corrupt);
        }
        let behind = (1..=SEARCHED.min(self.due)).map(|distance| self.due.wrapping_sub(distance));
        if behind.into_iter().any(|sequence| is(&sequence)) {
            return Arrival::Duplicate;
        }
        self.stranger(messages, payload)
    }

    /// What nothing says the name of: damaged, if it is much like what is due.
    fn stranger(&mut self, messages: &Messages, payload: &[u8]) -> Arrival {
        let mut due = Vec::new();
        messages.write(self.name(self.due), &mut due);
        let alike = due.iter().zip(payload).filter(|(due, found)| due == found).count();
        let is_like_it = due.len() == payload.len() && (due.len() <= SHORT || alike * 2 >= due.len());
        if is_like_it && self.settle(self.due).is_some() { Arrival::Corrupt } else { Arrival::Unasked }
    }

    /// Takes the message with this sequence from those on their way, with those before it overtaken; `None` when
    /// it is not on its way.
    fn settle(&mut self, sequence: u32) -> Option<Arrival> {
        if let Ok(place) = self.overtaken.binary_search_by_key(&sequence, |one| one.sequence) {
            let one = self.overtaken.remove(place);
            return Some(if one.given_up {
                Arrival::Late(one.flight)
            } else {
                Arrival::OutOfOrder(one.flight)
            });
        }
        let before = self.name(sequence).since(self.due);
        if before as usize >= self.flights.len() {
            return None;
        }
        for _ in 0..before {
            let flight = self.flights.pop_front()?;
            let given_up = self.take_given_up();
            self.overtaken.push(Overtaken { sequence: self.due, given_up, flight });
            self.due = self.due.wrapping_add(1);
        }
        let flight = self.flights.pop_front()?;
        self.due = self.due.wrapping_add(1);
        Some(if self.take_given_up() { Arrival::Late(flight) } else { Arrival::Right(flight) })
    }

    /// Whether a message was sent before the one that is due.
    fn is_behind(&self, sequence: u32) -> bool {
        sequence < self.due
    }

    #[inline]
    fn name(&self, sequence: u32) -> Name {
        Name { connection: self.connection, sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::KindChoice;
    use crate::load::size::SizeChoice;

    fn messages(size: usize) -> Messages {
        Messages::new(KindChoice::Binary, &SizeChoice::Fixed(size)).unwrap()
    }

    fn payload(messages: &Messages, connection: u32, sequence: u32) -> Vec<u8> {
        let mut payload = Vec::new();
        messages.write(Name { connection, sequence }, &mut payload);
        payload
    }

    fn flight(sequence: u32) -> Flight {
        Flight { intended: Time(u64::from(sequence)), sent: Time(u64::from(sequence) * 10) }
    }

    /// A connection with the number 5 that has sent so many.
    fn pipe(sent: u32) -> Pipe {
        let mut pipe = Pipe::new(5);
        (0..sent).for_each(|sequence| pipe.sent(flight(sequence)));
        pipe
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Is {
        Right(u32),
        OutOfOrder(u32),
        Late(u32),
        Duplicate,
        Corrupt,
        Unasked,
    }

    fn told(arrival: Arrival) -> Is {
        let number = |flight: Flight| flight.intended.0 as u32;
        match arrival {
            Arrival::Right(flight) => Is::Right(number(flight)),
            Arrival::OutOfOrder(flight) => Is::OutOfOrder(number(flight)),
            Arrival::Late(flight) => Is::Late(number(flight)),
            Arrival::Duplicate => Is::Duplicate,
            Arrival::Corrupt => Is::Corrupt,
            Arrival::Unasked => Is::Unasked,
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        // Five were sent, of which two were given up; then these arrive.
        let table: [(&[u32], &[Is], u32); 8] = [
            (&[0, 1, 2, 3, 4], &[Is::Late(0), Is::Late(1), Is::Right(2), Is::Right(3), Is::Right(4)], 0),
            (&[2, 2], &[Is::Right(2), Is::Duplicate], 4),
            (&[4, 3, 2], &[Is::Right(4), Is::OutOfOrder(3), Is::OutOfOrder(2)], 2),
            (&[3, 0, 2, 4], &[Is::Right(3), Is::Late(0), Is::OutOfOrder(2), Is::Right(4)], 1),
            (&[0, 0, 1, 0], &[Is::Late(0), Is::Duplicate, Is::Late(1), Is::Duplicate], 3),
            (&[5], &[Is::Unasked], 5),
            (&[3, 2, 2, 2], &[Is::Right(3), Is::OutOfOrder(2), Is::Duplicate, Is::Duplicate], 3),
            (&[4, 5, 6], &[Is::Right(4), Is::Unasked, Is::Unasked], 4),
        ];
        for size in [20, 1] {
            let messages = messages(size);
            for (arriving, expected, left) in table {
                let mut pipe = pipe(5);
                assert_eq!((pipe.give_up(Time(20)), pipe.waiting()), (2, 3));
                let found: Vec<Is> = arriving
                    .iter()
                    .map(|sequence| {
                        told(pipe.arrived(&messages, Kind::Binary, &payload(&messages, 5, *sequence)))
                    })
                    .collect();
                // What was not sent is not known without a name: it is taken for damage to what is due.
                if size == 20 || !expected.contains(&Is::Unasked) {
                    assert_eq!(found, expected, "{arriving:?} of {size} bytes");
                    assert_eq!(pipe.unanswered().count(), left as usize, "{arriving:?} of {size} bytes");
                }
            }
        }
    }

    #[test]
    fn damage_is_seen_and_answers_its_message() {
        let messages = messages(20);
        // Damaged in the content, in the sequence, in the number of the connection; a length and a kind too.
        for (position, left) in [(19, 2), (8, 2), (1, 2), (5, 2)] {
            let mut pipe = pipe(3);
            let mut damaged = payload(&messages, 5, 0);
            damaged[position] ^= 0x40;
            assert_eq!(told(pipe.arrived(&messages, Kind::Binary, &damaged)), Is::Corrupt, "{position}");
            assert_eq!(pipe.waiting(), left, "{position}");
        }
        let mut pipe = pipe(3);
        let whole = payload(&messages, 5, 0);
        assert_eq!(told(pipe.arrived(&messages, Kind::Text, &whole)), Is::Corrupt);
        assert_eq!(told(pipe.arrived(&messages, Kind::Binary, &payload(&messages, 5, 1)[..19])), Is::Corrupt);
        for stranger in ["", "twenty other letters", "many more letters than are in what was sent"] {
            assert_eq!(
                told(pipe.arrived(&messages, Kind::Binary, stranger.as_bytes())),
                Is::Unasked,
                "{stranger}"
            );
        }
        assert_eq!(pipe.waiting(), 1);
        assert_eq!(told(pipe.arrived(&messages, Kind::Binary, &payload(&messages, 6, 1))), Is::Unasked);
    }

    #[test]
    fn what_is_left_says_whether_it_was_overtaken() {
        let messages = messages(20);
        let mut pipe = pipe(4);
        pipe.arrived(&messages, Kind::Binary, &payload(&messages, 5, 2));
        let left: Vec<(bool, u64)> =
            pipe.unanswered().map(|(overtaken, flight)| (overtaken, flight.intended.0)).collect();
        assert_eq!(left, [(true, 0), (true, 1), (false, 3)]);
        assert_eq!((pipe.next(), pipe.waiting()), (Name { connection: 5, sequence: 4 }, 0));
    }
}
