//! What may be set, with its defaults and the reason for each.

use crate::Error;
use crate::placement::Placement;
use std::time::Duration;
use wsring_proto::Limits;
use wsring_proto::http::HeadLimits;

/// What happens to a peer that does not read as fast as it is written to. What is published to topics waits in
/// their logs instead, and [`Behind`](crate::Behind) says what happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPeer {
    /// Stop reading from it until half of its queue is out. Right where output answers input (echo,
    /// request and answer): the peer slows itself down and none of its answers is lost. What reaches
    /// it from elsewhere by a [`Remote`](crate::Remote) is dropped meanwhile.
    Pause,
    /// Refuse further messages ([`Sent::Dropped`](crate::Sent::Dropped)) until the queue is shorter.
    Drop,
    /// Close it with 1013, try again later.
    Close,
}

/// How shards treat connections. Every field has a default; [`Server`](crate::Server) has a method
/// to replace them all.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Frames and messages a peer may send.
    pub limits: Limits,
    /// Size of an HTTP head: 8 KiB and 100 headers.
    pub head: HeadLimits,
    /// Body of a plain HTTP request: 1 MiB.
    pub body_bytes_max: usize,
    /// From accept to the answer of the upgrade, or to a whole request; also how long an idle
    /// HTTP connection is kept. 10 s; not prolonged by single bytes.
    pub handshake_timeout: Duration,
    /// After this long without a sign of life (a byte from the peer, or output taken by it) it is sent
    /// a Ping; `None`: never. 30 s, under the 60 s after which many proxies drop a silent connection.
    pub ping_interval: Option<Duration>,
    /// After a Ping the peer has this long for one, then it is closed (1008): 15 s.
    pub pong_timeout: Duration,
    /// A connection on which no message arrived for this long is closed (1001); `None`: never, the
    /// default, since subscribers may have nothing to say.
    pub idle_timeout: Option<Duration>,
    /// A connection older than this is closed (1001), so that clients move to newer servers in the
    /// end; `None`: never, the default.
    pub lifetime_max: Option<Duration>,
    /// How long the closing handshake, and what is still to be sent, may take: 5 s.
    pub close_timeout: Duration,
    /// How long input is thrown away after a failure, so that the peer can still read why: 1 s.
    pub linger_timeout: Duration,
    /// Unsent bytes of one connection at which [`slow_peer`](Self::slow_peer) acts: 1 MiB. A message
    /// that crosses it is still taken.
    pub high_water_bytes: usize,
    /// What then happens.
    pub slow_peer: SlowPeer,
    /// Memory for compressors that connections of one shard have of their own, because they agreed on keeping
    /// their window from one message to the next: 32 MiB. Beyond it those that were not used for longest
    /// start anew with their next message, which then is somewhat longer. What is *received* so has its
    /// bound in [`Limits::context_bytes_max`].
    pub compressor_bytes_max: usize,
    /// How connections come to shards.
    pub placement: Placement,
    /// Shards, each a thread with a ring; `None`: one per core.
    pub shards: Option<usize>,
    /// The core of the first shard; the others take the following ones. `None`: the kernel chooses.
    pub pin: Option<usize>,
    /// Connections in all; `None`: what the descriptor tables of the shards hold together (each as
    /// many as the limit of open files). Accepting stops there, and new clients wait in the kernel's
    /// backlog; those of a burst that the kernel had accepted by then are served as well.
    pub connections_max: Option<u32>,
    /// Connections from one address, over all shards; `None`: any number. One more is answered with 429.
    /// Setting it makes addresses known, as [`peer_addresses`](Self::peer_addresses) does.
    pub connections_per_address_max: Option<u32>,
    /// Whether the addresses of peers are looked up as they connect, for
    /// [`HttpRequest::peer`](crate::HttpRequest::peer) and [`Upgrade::peer`](crate::Upgrade::peer). Not by
    /// default: it costs two system calls and some 40 bytes for each connection.
    pub peer_addresses: bool,
    /// Receive buffers of one shard (a power of two), each of [`buffer_bytes`](Self::buffer_bytes):
    /// 512 of 16 KiB. They bound the bytes in flight between two turns, not the connections; why so
    /// many and so long stands in `docs/decisions/0002-buffers.md`.
    pub buffers: u16,
    /// See [`buffers`](Self::buffers).
    pub buffer_bytes: u32,
    /// Connections that the kernel holds before they are accepted: 4096, on all addresses together. No more than a
    /// quarter of a descriptor table (`ulimit -n`), where as many places are kept free for them.
    pub backlog: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            head: HeadLimits::default(),
            body_bytes_max: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Some(Duration::from_secs(30)),
            pong_timeout: Duration::from_secs(15),
            idle_timeout: None,
            lifetime_max: None,
            close_timeout: Duration::from_secs(5),
            linger_timeout: Duration::from_secs(1),
            high_water_bytes: 1 << 20,
            compressor_bytes_max: 32 << 20,
            slow_peer: SlowPeer::Pause,
            placement: Placement::default(),
            shards: None,
            pin: None,
            connections_max: None,
            connections_per_address_max: None,
            peer_addresses: false,
            buffers: 512,
            buffer_bytes: 16384,
            backlog: 4096,
        }
    }
}

impl Settings {
    /// Checks what would otherwise fail later, or in a puzzling way.
    ///
    /// # Errors
    /// The caller's fault: names the setting, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |setting, value: String, allowed| Err(Error::Setting { setting, value, allowed });
        if self.shards == Some(0) {
            return wrong("shards", "0".into(), "at least 1");
        }
        if self.connections_max == Some(0) {
            return wrong("connections_max", "0".into(), "at least 1");
        }
        if self.backlog < 1 {
            return wrong("backlog", self.backlog.to_string(), "at least 1");
        }
        if !self.buffers.is_power_of_two() || self.buffers > 32768 {
            return wrong("buffers", self.buffers.to_string(), "a power of two up to 32768");
        }
        if self.buffer_bytes < 512 {
            return wrong("buffer_bytes", self.buffer_bytes.to_string(), "at least 512");
        }
        if self.handshake_timeout.is_zero() || self.close_timeout.is_zero() || self.pong_timeout.is_zero() {
            return wrong("handshake_timeout, close_timeout, pong_timeout", "0".into(), "more than 0");
        }
        Ok(())
    }

    /// Whether the addresses of peers have to be known.
    pub(crate) fn wants_addresses(&self) -> bool {
        self.peer_addresses || self.connections_per_address_max.is_some()
    }

    /// Unsent bytes beyond which one connection is given nothing more, not even answers: a handler that
    /// answers small requests with large messages fills it within one receive. At least two of the
    /// longest messages, so that an echo never meets it.
    pub(crate) fn unsent_bytes_max(&self) -> usize {
        let echoes = self.limits.message_bytes_max.saturating_mul(2);
        self.high_water_bytes.saturating_mul(16).max(echoes)
    }

    /// Places of a descriptor table that are kept free where connections are accepted: the kernel may take as many as
    /// the backlogs hold before a shard is asked, and drops those that find no place.
    pub(crate) fn accept_margin(&self, table: u32) -> u32 {
        const TABLE_SHARE: u32 = 4;
        u32::try_from(self.backlog).unwrap_or(0).min(table / TABLE_SHARE)
    }

    /// The backlog of each of so many listeners of a shard.
    pub(crate) fn backlog_of(&self, listeners: usize, table: u32) -> i32 {
        let each = self.accept_margin(table) as usize / listeners.max(1);
        i32::try_from(each.max(1)).unwrap_or(i32::MAX)
    }

    /// Shards to start: as set, else one per core; more where the limit of connections asks for more descriptor tables
    /// than that, each of `table` places, of which those that accept keep `margin` free.
    ///
    /// # Errors
    /// The caller's fault: too few shards were set for the connections.
    pub(crate) fn shard_count(&self, table: u32, margin: u32) -> Result<usize, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let usable = table.saturating_sub(crate::limits::TABLE_RESERVE).max(1);
        let accepting = usable.saturating_sub(margin).max(1);
        let connections = self.connections_max.unwrap_or(1);
        let tables = match self.placement {
            Placement::HandOver => 1 + connections.saturating_sub(accepting).div_ceil(usable) as usize,
            Placement::ReusePort => connections.div_ceil(accepting) as usize,
        };
        match self.shards {
            Some(shards) if shards < tables => {
                Err(Error::TooFewShards { shards, tables, connections, usable, accepting })
            }
            Some(shards) => Ok(shards),
            None => Ok(cores.max(tables)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_room_for_those_who_come_in() {
        // Backlog that is set, table, listeners: places kept free, backlog of each listener.
        for (backlog, table, listeners, margin, each) in [
            (4096, 1 << 20, 1, 4096, 4096),
            (4096, 20_000, 1, 4096, 4096),
            (4096, 20_000, 3, 4096, 1365),
            (4096, 1024, 2, 256, 128),
            (100, 1024, 1, 100, 100),
            (4096, 3, 1, 0, 1),
        ] {
            let settings = Settings { backlog, ..Settings::default() };
            let found = (settings.accept_margin(table), settings.backlog_of(listeners, table));
            assert_eq!(found, (margin, each), "{backlog} {table} {listeners}");
        }
    }

    #[test]
    fn there_are_as_many_tables_as_the_connections_need() {
        use Placement::{HandOver, ReusePort};
        // One table of 1,064 has 1,000 usable places; where connections are accepted, 800.
        for (placement, margin, connections, tables) in [
            (HandOver, 200, 800, 1),
            (HandOver, 200, 801, 2),
            (HandOver, 200, 1800, 2),
            (HandOver, 200, 1801, 3),
            (HandOver, 0, 1000, 1),
            (HandOver, 0, 1001, 2),
            (ReusePort, 200, 800, 1),
            (ReusePort, 200, 1601, 3),
        ] {
            let connections_max = Some(connections);
            let needing = |shards| Settings { placement, connections_max, shards, ..Settings::default() };
            let case = format!("{placement:?} {margin} {connections}");
            assert_eq!(needing(Some(tables)).shard_count(1064, margin).expect(&case), tables);
            if tables > 1 {
                let refused = needing(Some(tables - 1)).shard_count(1064, margin).expect_err(&case);
                let needed = format!("{connections} connections need {tables} shards");
                assert!(refused.to_string().starts_with(&needed), "{case}: {refused}");
            }
        }
    }
}
