//! All connections of a run: opened at a rate, counted, and ended together.
//!
//! ```text
//!   roster        the account that all of them keep, and the place of each in it
//!   compression   what they agreed on about it, and what came of that
//! ```

mod compression;
mod roster;

pub(crate) use roster::{Member, ending, explain};

use crate::args::Common;
use crate::failure::Failure;
use crate::interrupt;
use crate::limits::capacity::Bounds;
use crate::load::slow;
use crate::model::{Closing, Opening, Report};
use crate::pace::{Pace, wait_for};
use crate::target::Target;
use roster::{PORTS_TRIED_MAX, Roster, lock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wsring::{Client, Drain, Handler, Limits, Remote, Settings};

/// Connections that are closed per second at the end.
pub(crate) const CLOSE_RATE: u32 = 20_000;
/// How long the last of them have to end in order.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The engine's own timeout ends a handshake; when nothing at all has happened for that long and this
/// much longer, the rest is given up: the kernel may try for minutes to reach a host that is silent.
const GRACE: Duration = Duration::from_secs(1);
/// Connections that are being opened at once, unless a workload wants to know what more of them lead to: as many
/// as the kernel holds by default for a server that does not accept (`net.core.somaxconn`).
pub(crate) const OPENING_MAX: u32 = 4096;

/// The engine's client and the connections that it holds for a workload.
pub(crate) struct Fleet<'a> {
    client: Client,
    target: Target,
    common: &'a Common,
    needs: Needs,
    roster: Arc<Roster>,
}

/// What a workload needs of its fleet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// Connections at once.
    pub(crate) connections: u32,
    /// Ports beyond those: connections that have ended lately.
    pub(crate) ports_more: u64,
    /// What one connection may get in one message.
    pub(crate) message_bytes: usize,
    /// What one connection may have to send at once.
    pub(crate) queue_bytes: usize,
    /// Whether messages are sent on them.
    pub(crate) sends: bool,
    /// After how long a silence connections send a Ping, and how long they wait for its Pong.
    pub(crate) ping: Option<(Duration, Duration)>,
    /// Those that read slowly.
    pub(crate) slow: slow::Plan,
}

impl<'a> Fleet<'a> {
    /// Starts the engine.
    ///
    /// # Errors
    /// The caller's fault: the target or a setting. The environment's: no ring.
    pub(crate) fn start_with(common: &'a Common, needs: Needs) -> Result<Self, Failure> {
        let target = Target::new(common, u64::from(needs.connections) + needs.ports_more)?;
        let client = Client::start(settings(common, &needs)).map_err(|error| match error {
            wsring::Error::Setting { .. } | wsring::Error::TooFewShards { .. } => {
                Failure::Usage(error.to_string())
            }
            error => Failure::Engine(error),
        })?;
        let roster = Arc::new(Roster::default());
        // As long as it will be: a list of a million that grows by doubling is twice as long for a moment.
        lock(&roster.remotes).reserve_exact(needs.connections as usize);
        Ok(Self { client, target, common, needs, roster })
    }

    /// The engine, to have drivers run on its shards and to look at their figures.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.client.shards()
    }

    /// Opens all connections and returns when each is open or has failed. `make` makes what makes the handler of a
    /// connection on its shard, where it may share what belongs to the thread.
    ///
    /// # Errors
    /// The first connection, which goes alone, was not opened: then the others would not be either.
    pub(crate) fn open_with<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        make: impl Fn(Member, usize) -> F,
    ) -> Result<Opening, Failure> {
        let connections = self.needs.connections;
        self.open_in_steps(&[connections], make, |_| {})
    }

    /// As [`open_with`](Self::open_with), with a rest after each of these numbers of connections, the last of which
    /// is all of them; `hold` is told how many are open. Only the opening counts as such.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub(crate) fn open_in_steps<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        steps: &[u32],
        make: impl Fn(Member, usize) -> F,
        mut hold: impl FnMut(u32),
    ) -> Result<Opening, Failure> {
        let mut seconds = 0.0;
        let mut from = 0;
        for until in steps {
            let began = Instant::now();
            if from == 0 {
                self.open_first(&make)?;
                from = 1;
            }
            let pace = Pace::begin(self.common.rate);
            let mut begun = from;
            while begun < *until && !self.is_over() {
                pace.wait(begun - from);
                self.await_room(begun, OPENING_MAX, &make)?;
                self.connect(begun, 0, &make)?;
                begun += 1;
            }
            self.await_settled(begun, &make)?;
            seconds += began.elapsed().as_secs_f64();
            from = *until;
            hold(self.opened());
            if self.is_over() {
                break;
            }
        }
        let connections = self.needs.connections;
        Ok(Opening::new(u64::from(connections), u64::from(self.opened()), seconds))
    }

    /// Opens the first connection, alone.
    ///
    /// # Errors
    /// It was not opened: then the others would not be either.
    pub(crate) fn open_first<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        self.connect(0, 0, make)?;
        self.await_settled(1, make)?;
        if self.opened() > 0 {
            return Ok(());
        }
        if interrupt::is_asked() {
            return Err(Failure::Interrupted);
        }
        let failures = lock(&self.roster.failures);
        let cause = failures.keys().next().cloned();
        let timeout = self.common.connect_timeout;
        let cause = cause.unwrap_or_else(|| format!("no TCP connection within {timeout:?}"));
        Err(Failure::Open { url: self.common.url.clone(), cause })
    }

    /// Whether no further connection is to be opened: the run was interrupted, or has failed already as the trial that
    /// it is.
    fn is_over(&self) -> bool {
        interrupt::is_asked() || self.is_hopeless(0, None).is_some()
    }

    /// Why this run cannot meet any more what is asked of it as the trial of a search, if so: with so many faults of
    /// messages beside what became of its connections. `all` is how many of both the whole run has, where that is
    /// known.
    pub(crate) fn is_hopeless(&self, faults: u64, all: Option<f64>) -> Option<String> {
        let bounds = self.bounds()?;
        let (failed, lost) = (u64::from(self.failed()), u64::from(self.lost()));
        bounds.errors(faults, failed, lost, all)
    }

    /// What the run may come to as the trial of a search.
    pub(crate) fn bounds(&self) -> Option<&Bounds> {
        self.common.bounds.as_ref()
    }

    /// What was opened, in the order of opening: each connection's number and the way to reach it.
    pub(crate) fn remotes(&self) -> Vec<(u32, Remote)> {
        lock(&self.roster.remotes).clone()
    }

    /// Connections that were opened so far.
    pub(crate) fn opened(&self) -> u32 {
        self.roster.opened.load(Ordering::Acquire)
    }

    /// Connections that could not be opened so far.
    pub(crate) fn failed(&self) -> u32 {
        self.roster.failed.load(Ordering::Acquire)
    }

    /// Gives up a connection that its workload has tried often enough; `why` is how it failed last.
    pub(crate) fn give_up(&self, why: String) {
        self.roster.failed(why);
    }

    /// Connections that are open now.
    pub(crate) fn alive(&self) -> u32 {
        self.opened().saturating_sub(self.lost() + self.roster.left.load(Ordering::Acquire))
    }

    /// Connections that were open and are no more, for no reason of ours.
    pub(crate) fn lost(&self) -> u32 {
        self.roster.lost.load(Ordering::Acquire)
    }

    /// What is connected to.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Failures and losses so far, by their text.
    pub(crate) fn failures(&self) -> BTreeMap<String, u32> {
        lock(&self.roster.failures).clone()
    }

    /// Writes down how the connections came and went, and closes them.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn account(self, opening: Opening, report: &mut Report) -> Result<(), Failure> {
        report.shards = self.shards();
        report.sources = self.target.sources();
        report.opening = opening;
        report.errors = self.failures().into_iter().map(|(text, count)| (text, u64::from(count))).collect();
        report.warnings.extend(self.target.warning(self.needs.connections));
        let lost = u64::from(self.lost());
        report.counts.insert(String::from("connections_lost"), lost);
        // Nobody has tried the others when it was interrupted.
        let failed =
            if interrupt::is_asked() { u64::from(self.failed()) } else { opening.asked - opening.opened };
        for (count, what) in [(failed, "connections were not opened"), (lost, "connections were lost")] {
            if count > 0 {
                report.not_met(format!("{count} {what}"));
            }
        }
        let (offered, observer, roster) =
            (self.target.deflate(), self.client.observer(), Arc::clone(&self.roster));
        let (opened, sends) = (self.opened(), self.needs.sends);
        report.closing = self.close()?;
        if let Some(offered) = offered {
            // The last figures: those of a shard that has stopped.
            let (agreements, shards) = (lock(&roster.agreements), observer.shards());
            compression::describe(offered, &agreements, opened, &shards, report);
            if sends {
                compression::warn(offered, &agreements, &shards, report);
            }
        }
        Ok(())
    }

    /// Closes all connections in order.
    ///
    /// # Errors
    /// A shard was lost.
    pub(crate) fn close(self) -> Result<Closing, Failure> {
        let window = Duration::from_secs_f64(f64::from(self.alive()) / f64::from(CLOSE_RATE));
        let report = self.client.stop(Drain { window, deadline: window * 2 + CLOSE_TIMEOUT })?;
        Ok(Closing { in_order: report.closed as u64, cut_off: report.cut_off as u64 })
    }

    /// Begins to open a connection. `tried` is how many ports it has tried before.
    ///
    /// # Errors
    /// The caller's fault: with this number the URL is none.
    pub(crate) fn connect<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        number: u32,
        tried: u8,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        let shard = number as usize % self.shards();
        let tried = if self.target.chooses_ports() { tried } else { PORTS_TRIED_MAX };
        let member = Member { number, tried, roster: Arc::clone(&self.roster) };
        let mut options = self.target.options(number, shard)?;
        if let Some(bytes) = self.needs.slow.receive_buffer_bytes.filter(|_| self.needs.slow.is_slow(number))
        {
            options = options.receive_buffer_bytes(bytes);
        }
        self.client.connect_with(&options, make(member, shard))?;
        Ok(())
    }

    /// Connects again those whose port was in use.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) fn connect_again<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        self.roster.take_again().into_iter().try_for_each(|(number, tried)| self.connect(number, tried, make))
    }

    /// Waits until fewer than so many of the connections begun are still being opened, as long as there is any
    /// progress.
    fn await_room<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        begun: u32,
        opening_max: u32,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        match begun.checked_sub(opening_max) {
            Some(settled) if self.roster.settled() <= settled => self.await_settled(settled + 1, make),
            _ => self.connect_again(make),
        }
    }

    /// Waits until so many connections are open or have failed, as long as there is any progress.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) fn await_settled<H: Handler, F: FnOnce() -> H + Send + 'static>(
        &self,
        count: u32,
        make: &impl Fn(Member, usize) -> F,
    ) -> Result<(), Failure> {
        let mut settled = self.roster.settled();
        loop {
            let before = settled;
            let deadline = Instant::now() + self.common.connect_timeout + GRACE;
            wait_for(deadline, || {
                settled = self.roster.settled();
                let is_changed = settled > before || !lock(&self.roster.again).is_empty();
                settled >= count || is_changed || self.is_over()
            });
            let again = self.roster.take_again();
            if settled >= count || self.is_over() || (settled == before && again.is_empty()) {
                return Ok(());
            }
            again.into_iter().try_for_each(|(number, tried)| self.connect(number, tried, make))?;
        }
    }
}

/// How the engine is to treat the connections.
fn settings(common: &Common, needs: &Needs) -> Settings {
    let defaults = Settings::default();
    // A server that answers with something longer than what was asked for is found out, not
    // refused: the default limits are kept as the least.
    let limits = Limits {
        frame_bytes_max: defaults.limits.frame_bytes_max.max(needs.message_bytes as u64),
        message_bytes_max: defaults.limits.message_bytes_max.max(needs.message_bytes),
        held_bytes_max: usize::MAX,
        context_bytes_max: usize::MAX,
    };
    Settings {
        limits,
        handshake_timeout: common.connect_timeout,
        ping_interval: needs.ping.map(|(interval, _)| interval),
        pong_timeout: needs.ping.map_or(defaults.pong_timeout, |(_, timeout)| timeout),
        shards: common.shards,
        pin: common.pin,
        connections_max: Some(needs.connections),
        high_water_bytes: defaults.high_water_bytes.saturating_add(needs.queue_bytes),
        ..defaults
    }
}
