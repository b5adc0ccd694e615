//! After a burst of traffic nothing is kept for the connections that caused it.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::net::SocketAddr;
use std::time::Duration;
use wsring::{Conn, Handler, Kind, Message, Topic};
use wsring_tests::heap::{Counting, bytes_in_use};
use wsring_tests::served::{Served, echo, serve};
use wsring_tests::wire::{self, BINARY, CONTINUATION};
use wsring_tests::{Peer, pattern, settings, wait_until};

#[global_allocator]
static HEAP: Counting = Counting;

const CONNECTIONS: usize = 1000;
const THREADS: usize = 8;
const MESSAGE_BYTES: usize = 1 << 20;
const PIECE_BYTES: usize = 48 << 10;
const NEWS: &[u8] = b"something new for all";

/// What one shard may keep for its next use, however many connections there are: 4 MiB of spare
/// vectors, 12 long ones of at most 1088 KiB, and 256 assemblies of at most 16 KiB.
const SPARE_BYTES_MAX: usize = (4 << 20) + 12 * (1088 << 10) + 256 * (16 << 10);

/// What its tables may have grown by: 256 outputs of a turn, to which the list of them goes back, and
/// the 2048 sends that a submission queue holds.
const TABLES_BYTES_MAX: usize = 256 * 128 + 2048 * 48;

/// What all connections together may have besides what they had before the burst: 32 bytes each, less
/// than anything that is worth keeping.
const OWN_BYTES_MAX: usize = 32_000;

/// Messages one by one, each a turn of its own: after so many the tables are short again.
const QUIET_TURNS: usize = 3000;

/// One message as one frame, or in fragments of 100,000 bytes.
fn message(payload: &[u8], fragmented: bool) -> Vec<u8> {
    if !fragmented {
        return wire::message(BINARY, payload);
    }
    let pieces = payload.chunks(100_000);
    let last = pieces.len() - 1;
    let opcode = |number| if number == 0 { BINARY } else { CONTINUATION };
    pieces
        .enumerate()
        .flat_map(|(number, piece)| wire::fragment(opcode(number), number == last, piece))
        .collect()
}

/// What the connections of one thread do.
type Burst = fn(&mut [Peer]);

/// Echoes, and hears the news.
struct Member(Topic);

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>) {
        conn.subscribe(&self.0);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        echo(conn, message);
    }
}

/// A server of members, and of one who is none at `/quiet`.
fn serve_members() -> (Served, Topic) {
    let mut news = None;
    let server = serve(settings(), |server| {
        let topic = news.insert(server.topic("news").unwrap()).clone();
        let server = server.websocket("/quiet", |upgrade| upgrade.accept(echo));
        server.websocket("/", move |upgrade| upgrade.accept(Member(topic.clone())))
    });
    (server, news.expect("the routes are set"))
}

/// Reads the news, which were output for every connection in one turn.
fn news(peers: &mut [Peer]) {
    peers.iter_mut().for_each(|peer| peer.echoed(NEWS));
    peers.iter_mut().for_each(Peer::forget);
}

/// Echoes small messages on every connection.
fn small(peers: &mut [Peer]) {
    for _ in 0..20 {
        peers.iter_mut().for_each(|peer| peer.send_message(BINARY, &[7; 20]));
        peers.iter_mut().for_each(|peer| peer.echoed(&[7; 20]));
    }
    peers.iter_mut().for_each(Peer::forget);
}

/// Echoes one long message on every connection, all of them under way at the same time.
fn long(peers: &mut [Peer]) {
    let payload = pattern(MESSAGE_BYTES, 9);
    let forms = [message(&payload, false), message(&payload, true)];
    for at in (0..forms[1].len()).step_by(PIECE_BYTES) {
        for (number, peer) in peers.iter_mut().enumerate() {
            let form = &forms[usize::from(number % 3 == 0)];
            let end = form.len().min(at + PIECE_BYTES);
            peer.send(&form[at.min(end)..end]);
        }
    }
    for peer in peers {
        peer.echoed(&payload);
        peer.forget();
    }
}

/// Connections that have been used, a group for each thread.
fn open(address: SocketAddr) -> Vec<Vec<Peer>> {
    let open_one = || {
        let mut peer = Peer::open(address, "/");
        peer.echo(b"open");
        peer.forget();
        peer
    };
    (0..THREADS).map(|_| (0..CONNECTIONS / THREADS).map(|_| open_one()).collect()).collect()
}

/// Bytes in use when nothing has happened for a while: sends may still be on their way back from the
/// kernel.
fn settled(quiet: &mut Peer) -> usize {
    (0..QUIET_TURNS).for_each(|_| quiet.echo(b"quiet"));
    quiet.forget();
    let mut bytes = bytes_in_use();
    wait_until("the use of memory to settle", || {
        std::thread::sleep(Duration::from_millis(50));
        std::mem::replace(&mut bytes, bytes_in_use()) == bytes_in_use()
    });
    bytes
}

/// Closes all of them; what that frees was theirs.
fn own_bytes(server: &Served, quiet: &mut Peer, groups: Vec<Vec<Peer>>) -> usize {
    let before = settled(quiet);
    groups.into_iter().flatten().for_each(Peer::close);
    wait_until("the connections to be gone", || server.count() == 1);
    before.saturating_sub(settled(quiet))
}

#[test]
fn a_burst_on_a_thousand_connections_leaves_only_the_spares() {
    let (server, topic) = serve_members();
    let mut quiet = Peer::open(server.address(), "/quiet");
    let own_before = own_bytes(&server, &mut quiet, open(server.address()));
    let mut groups = open(server.address());
    let before = settled(&mut quiet);
    topic.publish(Kind::Binary, NEWS);
    let bursts: [(&str, Burst, usize); 4] = [
        ("news", news, TABLES_BYTES_MAX),
        ("small messages", small, TABLES_BYTES_MAX),
        ("a mebibyte each", long, TABLES_BYTES_MAX + SPARE_BYTES_MAX),
        ("and again", long, TABLES_BYTES_MAX + SPARE_BYTES_MAX),
    ];
    for (what, burst, kept_max) in bursts {
        std::thread::scope(|scope| {
            groups.iter_mut().for_each(|peers| drop(scope.spawn(|| burst(peers))));
        });
        let kept = settled(&mut quiet).saturating_sub(before);
        println!("{what}: {kept} bytes kept, of {kept_max} at most");
        assert!(kept <= kept_max, "{what}: {kept} bytes kept, of {kept_max} at most");
    }
    let own = own_bytes(&server, &mut quiet, groups);
    println!("the connections had {own_before} bytes, and {own} after the burst");
    assert!(own <= own_before + OWN_BYTES_MAX, "{own_before} bytes before the burst, {own} after it");
}
