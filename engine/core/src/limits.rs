//! Every bound of the shards that is not a setting, and how they relate.

use std::time::Duration;

/// Echoed messages shorter than this that were gathered from pieces are copied into the turn's
/// output; longer ones are sent from the vector that gathered them.
pub(crate) const GATHERED_COPY_BYTES_MAX: usize = 16 * 1024;

/// What goes on in another segment is copied together, once for all who are sent it, up to this size.
pub(crate) const BATCH_JOIN_BYTES_MAX: usize = 64 * 1024;

/// Messages from logs are copied together up to this size when a connection has other output in the same
/// turn; beyond it they wait for a turn of their own. It is also the most that a connection can keep of them
/// when it stops reading just then.
pub(crate) const LOG_JOIN_BYTES_MAX: usize = 16 * 1024;

/// News that go to fewer subscribers than this are never held back.
pub(crate) const GATHER_AUDIENCE_MIN: u32 = 32;

/// For how long news are held back at most while others keep coming, for each send that they take: what a send
/// has cost lately, so that nobody waits longer than for the sends of another round, within these bounds.
pub(crate) const GATHER_PER_SEND_MIN: Duration = Duration::from_micros(2);
pub(crate) const GATHER_PER_SEND_MAX: Duration = Duration::from_micros(20);

/// For how long the next of them is waited for, for each send, and at most; while they keep coming, an eighth
/// of the time since the first, so that there are not many such pauses; and as long as fewer have come than
/// the last time, so long.
pub(crate) const GATHER_PAUSE_PER_SEND: Duration = Duration::from_nanos(100);
pub(crate) const GATHER_PAUSE_MAX: Duration = Duration::from_micros(20);
pub(crate) const GATHER_PAUSE_SHARE: u32 = 8;
pub(crate) const GATHER_PAUSE_EXPECTED: Duration = Duration::from_micros(150);

/// How many completions end such a pause, at most.
pub(crate) const GATHER_COMPLETIONS: u32 = 64;

/// Subscriptions of one connection that are looked at in one turn when it catches up.
pub(crate) const LOG_TURN_SUBSCRIPTIONS_MAX: u32 = 1024;

/// How much queued output is copied together into one send, when a slow peer catches up.
pub(crate) const COALESCE_BYTES_MAX: usize = 64 * 1024;

/// Input thrown away after a refusal or a failure, before the connection is ended outright.
pub(crate) const LINGER_BYTES_MAX: u32 = 4 << 20;

/// Sockets of a table kept free for connections that are being closed.
pub(crate) const TABLE_RESERVE: u32 = 64;

/// Answers to plain HTTP requests that wait for one client: the next one is the last, and closes.
pub(crate) const UNSENT_ANSWERS_BYTES_MAX: usize = 512 * 1024;

/// How long after a shortage of the kernel's accepting is tried again.
pub(crate) const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long after a table was full of connections on their way out of it accepting is tried again.
pub(crate) const ACCEPT_AGAIN_WHEN_FULL: Duration = Duration::from_millis(1);

/// How often a shortage that lasts is told of.
pub(crate) const SHORTAGE_TOLD_EVERY: Duration = Duration::from_secs(10);

/// A turn with this many completions may have left some for the next: half of the receive buffers.
pub(crate) const TURN_COMPLETIONS_FULL: usize = 256;

/// For how long deadlines may wait for a turn that has seen everything.
pub(crate) const DUE_DELAY_MAX: Duration = Duration::from_secs(1);

/// Bytes of the answer to our own opening handshake, should its head not end before.
pub(crate) const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes that may arrive before a deferred upgrade is decided; a client has no business to send any.
pub(crate) const DEFERRED_BYTES_MAX: usize = 64 * 1024;

/// Sessions are kept in chunks of this many, so that growth moves none of them.
pub(crate) const TABLE_CHUNK: usize = 256;

/// User-space bytes that an idle connection may cost in all; `tests` measure it.
pub(crate) const IDLE_BYTES_MAX: usize = 256;

const _: () = assert!(LOG_JOIN_BYTES_MAX <= COALESCE_BYTES_MAX);
const _: () = assert!(TABLE_CHUNK.is_power_of_two());
