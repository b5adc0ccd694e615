//! The rules of the simulated clock: nobody is passed over, nothing happens early.

use std::time::Duration;
use wsring_io::sim::{Config, Faults, Network, SimIo};
use wsring_io::{Completion, Connect, Io, Op, Outgoing, Socket, Time};

const MILLISECOND: Duration = Duration::from_millis(1);

fn turn(io: &mut SimIo, deadline: Option<Time>) -> Vec<Completion> {
    let mut completions = Vec::new();
    io.turn(deadline, &mut completions).expect("a simulation does not break");
    completions
}

fn network_with_delay(delay: Duration) -> Network {
    Network::new(1, Faults { delay: delay..=delay, ..Faults::default() })
}

/// Turns until something is accepted.
fn accept(io: &mut SimIo) -> Socket {
    io.submit(Op::AcceptStart);
    for _ in 0..100 {
        if let Some(Completion::Accepted { socket }) = turn(io, None).first() {
            return *socket;
        }
    }
    panic!("nobody came");
}

#[test]
fn a_quiet_turn_goes_to_its_deadline() {
    let network = Network::new(1, Faults::default());
    let mut io = network.shard(Config::default());
    let deadline = network.now().after(30 * MILLISECOND);
    assert!(turn(&mut io, Some(deadline)).is_empty());
    assert_eq!((io.now(), network.now()), (deadline, deadline));
    assert!(turn(&mut io, None).is_empty());
    assert_eq!(network.now(), deadline, "nothing is ahead");
    assert!(turn(&mut io, Some(Time(0))).is_empty());
    assert_eq!(network.now(), deadline, "a past deadline turns no clock back");
}

#[test]
fn an_arrival_comes_at_its_time_and_before_the_deadline() {
    let network = network_with_delay(10 * MILLISECOND);
    let mut io = network.shard(Config::default());
    let start = network.now();
    let mut peer = network.peer(0);
    let socket = accept(&mut io);
    assert_eq!(network.now(), start.after(10 * MILLISECOND));

    io.submit(Op::ReceiveStart(socket));
    turn(&mut io, None);
    peer.write(b"x");
    let completions = turn(&mut io, Some(network.now().after(Duration::from_secs(60))));
    let [Completion::Received { .. }] = &completions[..] else { panic!("{completions:?}") };
    assert_eq!(network.now().since(start), 20 * MILLISECOND);
    for completion in completions {
        if let Completion::Received { buffer, .. } = completion {
            io.release(buffer);
        }
    }
}

#[test]
fn the_clock_stops_for_a_peer() {
    let network = network_with_delay(10 * MILLISECOND);
    let mut io = network.shard(Config::default());
    let mut peer = network.peer(0);
    let socket = accept(&mut io);
    let bytes = Outgoing::Buffer { bytes: b"x".to_vec(), start: 0 };
    io.submit(Op::Send { socket, bytes, notify: false });
    let sent = network.now();
    assert_eq!(peer.read(), b"");
    turn(&mut io, Some(sent.after(Duration::from_secs(60))));
    assert_eq!((network.now(), peer.read()), (sent.after(10 * MILLISECOND), b"x".to_vec()));
}

#[test]
fn no_shard_misses_its_deadline() {
    let network = Network::new(1, Faults::default());
    let periods = [3, 5, 7].map(|count| count * MILLISECOND);
    let mut shards = periods.map(|period| (network.shard(Config::default()), network.now().after(period)));
    let mut fired = [0; 3];
    let start = network.now();
    while network.now().since(start) < Duration::from_secs(1) {
        let at = network.draw(3);
        let (io, deadline) = &mut shards[at];
        turn(io, Some(*deadline));
        if io.now() >= *deadline {
            assert_eq!(io.now(), *deadline, "shard {at} is late");
            *deadline = deadline.after(periods[at]);
            fired[at] += 1;
        }
    }
    assert_eq!(fired.map(|count| count >= 142), [true; 3], "{fired:?}");
}

#[test]
fn a_shard_with_work_holds_the_clock() {
    let network = Network::new(1, Faults::default());
    let (mut idle, mut busy) = (network.shard(Config::default()), network.shard(Config::default()));
    let start = network.now();
    let deadline = Some(start.after(MILLISECOND));

    busy.submit(Op::AcceptStart);
    turn(&mut idle, deadline);
    assert_eq!(network.now(), start, "an operation waits");
    turn(&mut busy, None);
    turn(&mut idle, deadline);
    assert_eq!(Some(network.now()), deadline);

    busy.waker().wake();
    turn(&mut idle, Some(start.after(2 * MILLISECOND)));
    assert_eq!(Some(network.now()), deadline, "a wake-up waits");
    assert!(matches!(turn(&mut busy, None)[..], [Completion::Woken]));

    drop(busy);
    turn(&mut idle, Some(start.after(2 * MILLISECOND)));
    assert_eq!(network.now(), start.after(2 * MILLISECOND), "who is gone holds nothing");
}

#[test]
fn the_test_may_move_the_clock() {
    let network = network_with_delay(MILLISECOND);
    let mut io = network.shard(Config::default());
    let start = network.now();
    let _peer = network.peer(0);
    network.advance(Duration::from_secs(5));
    assert_eq!(network.now(), start.after(Duration::from_secs(5)));
    accept(&mut io);
    assert_eq!(io.now(), start.after(Duration::from_secs(5)), "what has arrived needs no more time");
}

#[test]
fn a_peer_listener_is_connected_to() {
    let network = network_with_delay(MILLISECOND);
    let mut listener = network.listen();
    let mut io = network.shard(Config::default());
    io.submit(Op::Connect(Connect {
        request: 3,
        to: listener.address(),
        from: None,
        receive_buffer_bytes: None,
    }));
    assert!(listener.accept().is_none());
    let completions = turn(&mut io, None);
    let [Completion::Connected { request: 3, socket }] = completions[..] else { panic!("{completions:?}") };
    let mut peer = listener.accept().expect("it has arrived");
    let bytes = Outgoing::Buffer { bytes: b"hello".to_vec(), start: 0 };
    io.submit(Op::Send { socket, bytes, notify: false });
    turn(&mut io, None);
    assert_eq!(peer.read(), b"hello");

    drop(listener);
    io.submit(Op::Connect(Connect {
        request: 4,
        to: network.address(0),
        from: None,
        receive_buffer_bytes: None,
    }));
    io.submit(Op::ListenerClose);
    let completions: Vec<Completion> = (0..3).flat_map(|_| turn(&mut io, None)).collect();
    assert!(matches!(completions[..], [Completion::Connected { request: 4, .. }]), "{completions:?}");
}

#[test]
fn faults_let_connects_fail() {
    let network = Network::new(9, Faults { connect_failed: 0.5, ..Faults::default() });
    let mut io = network.shard(Config { sockets_max: 100, ..Config::default() });
    for request in 0..200 {
        io.submit(Op::Connect(Connect {
            request,
            to: network.address(0),
            from: None,
            receive_buffer_bytes: None,
        }));
    }
    let completions: Vec<Completion> = (0..3).flat_map(|_| turn(&mut io, None)).collect();
    let mut answered: Vec<u64> = completions
        .iter()
        .filter_map(|completion| match completion {
            Completion::Connected { request, .. } | Completion::ConnectFailed { request, .. } => {
                Some(*request)
            }
            _ => None,
        })
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, (0..200).collect::<Vec<u64>>(), "each is answered once");
    let full = |completion: &&Completion| {
        matches!(completion, Completion::ConnectFailed { errno: libc::ENFILE, .. })
    };
    assert_eq!(completions.iter().filter(full).count(), 100, "the others found no place");
    let opened = completions.iter().filter(|completion| matches!(completion, Completion::Connected { .. }));
    assert_eq!(opened.count(), io.sockets_open());
}
