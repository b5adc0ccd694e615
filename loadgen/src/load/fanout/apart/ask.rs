//! A subscribing process asks the publishing one: what is published, when, and what its clock shows.

use super::offset::{Offsets, Probe};
use super::wire::{self, Published, Reading, Run, Schedule, machine};
use crate::clock;
use crate::failure::Failure;
use crate::interrupt;
use crate::load::fanout::publish::{Campaign, lock};
use serde::Deserialize;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use wsring::Time;

/// Questions about the time at the beginning, and again at the end; fewer where the way is so long that they would
/// take longer than this.
const BURST: u32 = 100;
const BURST_LEAST: u32 = 8;
const BURST_MAX: Duration = Duration::from_millis(500);
const BURST_APART: Duration = Duration::from_millis(1);
/// While messages come. They are short and seldom, so that they disturb nothing.
const APART: Duration = Duration::from_millis(20);
/// An anchor each so often, as far as a question was quick; what was published is asked for as often.
const ANCHORS_APART: Duration = Duration::from_secs(1);
/// An anchor after so long however slow the questions were.
const ANCHORS_APART_MAX: Duration = Duration::from_secs(10);
/// Between two tries to reach the publishing process, which may be started a little later.
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often it is looked, while others are waited for, whether that is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How long it may take until all are ready.
pub(super) const READY_MAX: Duration = Duration::from_secs(600);

/// A connection to the publishing process.
pub(crate) struct Asker {
    address: String,
    from: BufReader<TcpStream>,
    to: TcpStream,
    pub(crate) run: Run,
    /// Whether it reads the same clock as this process.
    pub(crate) is_same: bool,
}

/// Asks on while messages come.
pub(crate) struct Correspondence {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Asker {
    /// Connects, as often as it takes, and asks what will be published.
    ///
    /// # Errors
    /// Nobody is there, or somebody else.
    pub(crate) fn connect(address: &str, timeout: Duration) -> Result<Self, Failure> {
        let failure = |cause: String| Failure::Apart { address: address.to_owned(), cause };
        let deadline = Instant::now() + timeout;
        let stream = loop {
            match reach(address, deadline.saturating_duration_since(Instant::now())) {
                Ok(stream) => break stream,
                Err(cause) if cause.kind() == ErrorKind::ConnectionRefused && Instant::now() < deadline => {
                    thread::sleep(TRY_AGAIN);
                }
                Err(cause) => return Err(failure(format!("no publishing process answers there: {cause}"))),
            }
        };
        let io = |cause: std::io::Error| failure(cause.to_string());
        stream.set_nodelay(true).map_err(io)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(io)?;
        stream.set_write_timeout(Some(ANSWER_MAX)).map_err(io)?;
        let mut to = stream.try_clone().map_err(io)?;
        let mut from = BufReader::new(stream);
        let run: Run = ask(&mut from, &mut to, wire::RUN).map_err(failure)?;
        let run = run.checked()?;
        let is_same = run.machine == machine();
        Ok(Self { address: address.to_owned(), from, to, run, is_same })
    }

    /// Says that all subscribers are there, and waits for the others; then asks how the clocks stand to each other.
    ///
    /// # Errors
    /// The publishing process has gone, or has not waited; or a signal came meanwhile.
    pub(crate) fn ready(&mut self) -> Result<(Schedule, Offsets), Failure> {
        // Asking the time first tells whether this can be, before anybody waits for it.
        let mut offsets = Offsets::default();
        self.burst(&mut offsets)?;
        say(&mut self.to, wire::READY).map_err(|cause| self.failure(cause))?;
        self.await_answer(READY_MAX + ANSWER_MAX)?;
        let schedule = wire::answer(&mut self.from).map_err(|cause| self.failure(cause))?;
        offsets.begin();
        self.burst(&mut offsets)?;
        Ok((schedule, offsets))
    }

    /// Waits until something has come, for so long at most.
    fn await_answer(&mut self, patience: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + patience;
        let read_timeout = |asker: &Self, timeout| {
            let set = asker.to.set_read_timeout(Some(timeout));
            set.map_err(|cause| asker.failure(cause.to_string()))
        };
        read_timeout(self, LOOK)?;
        while let Err(cause) = self.from.fill_buf() {
            if interrupt::is_asked() {
                return Err(Failure::Interrupted);
            }
            let is_patient = matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
            if !is_patient || Instant::now() >= deadline {
                return Err(self.failure(cause.to_string()));
            }
        }
        read_timeout(self, ANSWER_MAX)
    }

    /// Goes on asking, for the campaign, in a thread of its own.
    pub(crate) fn go_on(self, campaign: Arc<Campaign>, offsets: Arc<Mutex<Offsets>>) -> Correspondence {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || self.correspond(&campaign, &offsets, &over));
        Correspondence { is_over, thread }
    }

    fn correspond(
        mut self,
        campaign: &Campaign,
        offsets: &Mutex<Offsets>,
        is_over: &AtomicBool,
    ) -> Result<(), Failure> {
        let (mut asked, mut anchored) = (Instant::now(), Instant::now());
        while !is_over.load(Ordering::Relaxed) {
            if !self.is_same {
                let probe = self.probe()?;
                let mut offsets = lock(offsets);
                offsets.note(&probe);
                let since = anchored.elapsed();
                if since >= ANCHORS_APART_MAX || (since >= ANCHORS_APART && offsets.is_good()) {
                    offsets.anchor();
                    anchored = Instant::now();
                }
            }
            // At the end nothing but the last of it is waited for.
            if asked.elapsed() >= ANCHORS_APART || clock::now() >= campaign.publisher().here(campaign.end) {
                asked = Instant::now();
                self.learn(campaign)?;
            }
            thread::sleep(APART);
        }
        let mut last = lock(offsets).clone();
        self.burst(&mut last)?;
        *lock(offsets) = last;
        while !self.learn(campaign)? {}
        Ok(())
    }

    /// Takes over what was published since the last time; says whether there is nothing more to know now.
    fn learn(&mut self, campaign: &Campaign) -> Result<bool, Failure> {
        let news: Published = self.ask(wire::PUBLISHED)?;
        let is_all = news.messages.len() < wire::MESSAGES_MAX;
        let messages = news.messages.into_iter().map(|(number, at)| (number, Time(at)));
        campaign.learn(messages, news.failures);
        Ok(is_all)
    }

    /// Many questions about the time, and an anchor.
    fn burst(&mut self, offsets: &mut Offsets) -> Result<(), Failure> {
        if self.is_same {
            return Ok(());
        }
        let began = Instant::now();
        for number in 0..BURST {
            if number >= BURST_LEAST && began.elapsed() > BURST_MAX {
                break;
            }
            offsets.note(&self.probe()?);
            thread::sleep(BURST_APART);
        }
        offsets.anchor();
        Ok(())
    }

    fn probe(&mut self) -> Result<Probe, Failure> {
        let sent = clock::now();
        let line = say(&mut self.to, wire::CLOCK).and_then(|()| wire::answer_line(&mut self.from));
        let came = clock::now();
        let reading: Reading =
            line.and_then(|line| wire::parsed(&line)).map_err(|cause| self.failure(cause))?;
        Ok(Probe { sent, received: Time(reading.received), answered: Time(reading.answered), came })
    }

    fn ask<T: for<'a> Deserialize<'a>>(&mut self, question: &str) -> Result<T, Failure> {
        ask(&mut self.from, &mut self.to, question).map_err(|cause| self.failure(cause))
    }

    fn failure(&self, cause: String) -> Failure {
        Failure::Apart { address: self.address.clone(), cause }
    }
}

impl Correspondence {
    /// Asks for the last time.
    ///
    /// # Errors
    /// The publishing process had gone before.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Failure::Stuck)?
    }

    /// Whether nothing is asked any more, because nobody answers.
    pub(crate) fn is_broken(&self) -> bool {
        self.thread.is_finished()
    }
}

fn reach(address: &str, timeout: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout.max(TRY_AGAIN)) {
            Ok(stream) => return Ok(stream),
            Err(cause) => last = cause,
        }
    }
    Err(last)
}

fn ask<T: for<'a> Deserialize<'a>>(
    from: &mut BufReader<TcpStream>,
    to: &mut TcpStream,
    question: &str,
) -> Result<T, String> {
    say(to, question)?;
    wire::answer(from)
}

fn say(to: &mut TcpStream, question: &str) -> Result<(), String> {
    to.write_all(format!("{question}\n").as_bytes()).map_err(|cause| cause.to_string())
}
