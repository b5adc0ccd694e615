"""What hostile or broken peers do to a server: it must bound what they cost, end them, and serve the others meanwhile.

  attacks.py --url http://127.0.0.1:8080 --pid PID [--only NAME]

Every attack ends with an ordinary echo on a new connection, and the whole run with a look at the memory, descriptors
and processor time of the idle server.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from process import Process
from tap import Tests, among, equal
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, close, frame, options, request, send_some

MIB = 1 << 20
MEMORY_MIB_MAX = 64  # what one hostile peer, or a hundred lazy ones, may make the server hold
HANDSHAKE_SECONDS_MAX = 15
CLOSING_SECONDS_MAX = 15

args = options(__doc__, ("--pid", {"type": int, "required": True, "help": "the server's process"}))
tests = Tests()
process = Process(args.pid)


def connect(**settings):
    return Raw(args.address, **settings)


class Watch:
    """Measures how much memory the server takes while the attack goes on, and that it still serves at its end."""

    def __enter__(self):
        self.before = self.peak = process.resident_mib()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self):
        while not self.over.wait(0.05):
            self.peak = max(self.peak, process.resident_mib())

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        if kind is None:
            grown = self.peak - self.before
            assert grown < MEMORY_MIB_MAX, f"the server took {grown:.0f} MiB more"
            still_serves()


def still_serves():
    with connect().open() as raw:
        raw.echo(b"still serving")


def attack(name):
    def decorate(function):
        def watched():
            with Watch():
                function()
        tests.add(name, watched)
        return function
    return decorate


@attack("a consumer that sends 128 MiB and reads nothing")
def slow_consumer():
    message = frame(BINARY, random.Random(0).randbytes(65536))
    with connect(receive_buffer=4096).open() as raw:
        send_some(raw, message * 2048, 3)


@attack("a consumer that reads slowly gets every byte right")
def slow_but_honest():
    dice = random.Random(1)
    sent = [dice.randbytes(dice.choice((1, 100, 5000, 300_000))) for _ in range(60)]
    with connect(receive_buffer=4096).open() as raw:
        sender = threading.Thread(target=lambda: [raw.send(frame(BINARY, payload)) for payload in sent])
        sender.start()
        for number, payload in enumerate(sent):
            if number % 10 == 0:
                time.sleep(0.1)
            equal(raw.frame(), (BINARY, payload, True), f"echo {number}")
        sender.join()


@attack("64 MiB of pings, none of the pongs read")
def ping_flood():
    with connect(receive_buffer=4096).open() as raw:
        send_some(raw, frame(PING, b"x" * 125) * (64 * MIB // 131), 3)


@attack("500,000 pongs that nobody asked for")
def pong_flood():
    with connect().open() as raw:
        raw.send(frame(PONG, b"x" * 125) * 500_000)
        raw.echo(b"after the pongs")


@attack("a message in 400,000 fragments of 1 byte")
def tiny_fragments():
    with connect(seconds=30).open() as raw:
        raw.send(frame(BINARY, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 399_998
                 + frame(CONTINUATION, b"x"))
        answer = raw.frame()
        if answer[0] == CLOSE:
            among(answer[1][:2], (b"\x03\xf0", b"\x03\xf1"), "close code 1008 or 1009")
        else:
            equal(answer, (BINARY, b"x" * 400_000, True), "echo")


@attack("a million empty fragments")
def empty_fragments():
    with connect(seconds=30).open() as raw:
        raw.send(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"", fin=False) * 1_000_000
                 + frame(CONTINUATION, b"b"))
        answer = raw.frame()
        if answer[0] != CLOSE:
            equal(answer, (TEXT, b"ab", True), "echo")


@attack("100 connections that announce 8 MiB each and send 1 KiB")
def unfinished_frames():
    held = [connect().open() for _ in range(100)]
    for raw in held:
        raw.send(frame(BINARY, b"", form=9, length=8 * MIB) + b"x" * 1024)
    time.sleep(0.5)
    for raw in held:
        raw.reset()


@attack("200 connections that keep sending parts of messages and never finish")
def unfinished_messages():
    held = [connect().open() for _ in range(200)]
    for opcode in (BINARY, *[CONTINUATION] * 9):
        for raw in held:
            raw.send(frame(opcode, b"x" * 10_000, fin=False))
    time.sleep(0.5)
    for raw in held:
        raw.reset()


def seconds_until_end(raw, limit):
    """How long the server takes to end the connection; fails when it does not within the limit."""
    started = time.monotonic()
    raw.socket.settimeout(limit)
    raw.wait_for_end()
    return time.monotonic() - started


@attack("handshakes that never come, never end, or come a byte a second")
def slow_handshakes():
    silent, half, trickling = connect(), connect(), connect()
    half.send(request()[:60])
    over = threading.Event()

    def trickle():
        for byte in request(more=["X-A: " + "x" * 200]):
            try:
                trickling.send(bytes([byte]))
            except OSError:
                return
            if over.wait(1):
                return

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda raw: seconds_until_end(raw, HANDSHAKE_SECONDS_MAX), (silent, half, trickling)))
    finally:
        over.set()
        sender.join()


@attack("1,000 connections with half a handshake each")
def half_open():
    held = [connect() for _ in range(1000)]
    for raw in held:
        raw.send(request()[:100])
    still_serves()
    for raw in held:
        raw.reset()


@attack("peers that stay silent after a close, after an error, or while they keep sending")
def lingering():
    closed, wrong, flooding = (connect().open() for _ in range(3))
    closed.send(close(1000))
    wrong.send(frame(TEXT, b"x", mask=None))
    flooding.send(frame(TEXT, b"\xff"))
    over = threading.Event()

    def flood():
        try:
            while not over.is_set():
                flooding.send(frame(BINARY, b"x" * 60_000))
        except OSError:
            pass

    sender = threading.Thread(target=flood)
    sender.start()
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda raw: seconds_until_end(raw, CLOSING_SECONDS_MAX), (closed, wrong, flooding)))
    finally:
        over.set()
        flooding.reset()
        sender.join()


@attack("3,000 connections that end in a reset at every stage")
def reset_storm():
    dice = random.Random(2)
    for _ in range(3000):
        raw = connect()
        stage = dice.randrange(5)
        if stage == 1:
            raw.send(request()[:dice.randrange(150)])
        elif stage == 2:
            raw.send(request())
        elif stage == 3:
            raw.open().send(frame(TEXT, b"x" * 500)[:dice.randrange(500)])
        elif stage == 4:
            raw.open().send(frame(BINARY, b"x" * 100_000))
        raw.reset()


@attack("no connection ever sees another's bytes while others come and go")
def canaries():
    over = threading.Event()

    def storm(seed):
        dice = random.Random(seed)
        while not over.is_set():
            raw = connect().open()
            raw.send(frame(BINARY, bytes([255]) * dice.randrange(1, 20_000)))
            raw.reset() if dice.random() < 0.7 else raw.socket.close()

    storms = [threading.Thread(target=storm, args=(seed,)) for seed in range(3)]
    for thread in storms:
        thread.start()
    try:
        held = [connect().open() for _ in range(50)]
        for size in range(100, 4000, 97):
            for number, raw in enumerate(held):
                raw.send(frame(BINARY, bytes([number]) * size))
            for number, raw in enumerate(held):
                equal(raw.frame(), (BINARY, bytes([number]) * size, True), f"echo on connection {number}")
    finally:
        over.set()
        for thread in storms:
            thread.join()


@attack("one connection that never stops does not starve the others")
def hog():
    over = threading.Event()
    hogs = [connect().open() for _ in range(2)]

    def pump(raw):
        message = frame(BINARY, b"x" * 60_000)
        try:
            while not over.is_set():
                raw.send(message)
                raw.take(60_004)
        except OSError:
            pass

    pumps = [threading.Thread(target=pump, args=(raw,)) for raw in hogs]
    for thread in pumps:
        thread.start()
    try:
        with connect().open() as raw:
            slowest = 0
            for number in range(200):
                started = time.monotonic()
                raw.echo(b"a word in between")
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 0.5, f"an echo took {slowest:.2f} s"
    finally:
        over.set()
        for thread in pumps:
            thread.join()


@attack("a subscriber that reads nothing does not hold up the others")
def stalled_subscriber():
    stalled = connect(receive_buffer=4096).open("/broadcast")
    others = [connect().open("/broadcast") for _ in range(5)]
    slowest = 0
    for number in range(1000):
        payload = bytes([number & 0xff]) * 65536
        started = time.monotonic()
        others[0].send(frame(BINARY, payload))
        for other in others:
            equal(other.frame(), (BINARY, payload, True), f"broadcast {number}")
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 1, f"a broadcast took {slowest:.2f} s"
    for raw in (stalled, *others):
        raw.reset()


@attack("3,000 connections that come, talk and go")
def churn():
    for number in range(3000):
        with connect().open() as raw:
            raw.echo(b"x" * (number % 200))
            if number % 2:
                raw.send(close(1000))
                equal(raw.close_code(), 1000, "close code")


@tests.case("afterwards the idle server holds nothing and does nothing")
def afterwards():
    time.sleep(1)
    faults = process.faults(growth_mib_max=MEMORY_MIB_MAX)
    assert not faults, "; ".join(faults)


still_serves()
process.remember()
tests.run(args.only)
