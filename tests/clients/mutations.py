"""Thousands of handshakes and frame streams with random damage, each judged by an independent reading of the RFC.

  mutations.py --url http://127.0.0.1:8080 [--count 10000] [--seed N] [--pid PID]

Half of them are handshakes, half are streams behind a good handshake. Whatever was damaged, the answer must be one
that a naive model of RFC 6455 foresees, the connection must end when the client ends it, and one innocent connection
that lives through the whole run must go on getting its echoes. A failure prints the seed that repeats it.
"""

import random
import sys
import time

from model import judge_stream, might_be_valid_request
from process import Process
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, close, frame, options, request

# 403: the damage made it another Origin, or another Host than the one of the Origin.
STATUSES = {400, 403, 404, 405, 408, 411, 413, 414, 415, 417, 426, 431, 501, 505}
FAILURES_MAX = 20

args = options(__doc__, ("--count", {"type": int, "default": 10_000}), ("--seed", {"type": int}),
               ("--pid", {"type": int, "help": "the server's process, to see what it keeps"}))


def damage(data, dice):
    """One to three changes: a bit, a byte, a run removed, repeated, moved or made up, or the end cut off."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(data) + 1)
        run = dice.choice((1, 1, 2, 4, 9, 50))
        kind = dice.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = dice.choice((0, 10, 13, 32, 58, 126, 127, 128, 255, dice.randrange(256)))
        elif kind == 2:
            del data[at:at + run]
        elif kind == 3:
            data[at:at] = data[at:at + run]
        elif kind == 4:
            data[at:at] = dice.randbytes(run)
        elif data:
            del data[at:]
    return bytes(data)


def good_request(dice):
    """A valid handshake with some of the headers that clients send."""
    more = ["User-Agent: x", "Origin: http://127.0.0.1", "Cookie: a=b; c=d", "Sec-WebSocket-Protocol: a, echo",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]
    return request(path=dice.choice(("/echo", "/echo?x=%20y")), more=dice.sample(more, dice.randint(0, len(more))))


def good_frames(dice):
    """A valid stream of messages, pings and perhaps a close."""
    stream = b""
    for _ in range(dice.randint(1, 6)):
        mask = dice.randbytes(4)
        size = dice.choice((0, 1, 5, 125, 126, 300, 66_000 if dice.random() < 0.05 else 7))
        kind = dice.randrange(4)
        if kind == 0:
            stream += frame(TEXT, ("\u20acx" * size).encode()[:size - size % 4], mask=mask)
        elif kind == 1:
            stream += frame(BINARY, dice.randbytes(size), mask=mask)
        elif kind == 2:
            stream += frame(dice.choice((PING, PONG)), dice.randbytes(size % 126), mask=mask)
        else:
            stream += frame(TEXT, b"\xe2\x82", fin=False, mask=mask) + frame(PING, b"p", mask=mask)
            stream += frame(CONTINUATION, b"\xac and more", mask=mask)
    return stream + (close(1000, b"bye") if dice.random() < 0.3 else b"")


def send_in_pieces(raw, data, dice):
    """Sends the data in up to four segments; a server that has had enough may have closed already."""
    cuts = sorted(dice.sample(range(len(data) + 1), min(len(data) + 1, dice.randrange(4))))
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)]):
            raw.send(data[start:end])
        raw.finish_writing()
    except OSError:
        pass


def try_request(dice):
    data = good_request(dice)
    if dice.random() < 0.95:
        data = damage(data, dice)
    with Raw(args.address) as raw:
        send_in_pieces(raw, data, dice)
        status, _, head = raw.response_head()
        if status is None:
            assert not head, f"the answer ended inside its head: {head!r}"
            assert b"\r\n\r\n" not in data, "a complete request got no answer"
        elif status == 101:
            assert might_be_valid_request(data), "an invalid handshake was accepted"
        elif status != 200:  # 200: the damage made it a plain request for the page
            assert status in STATUSES, f"status {status}"
        if status == 101:
            while raw.frame():
                pass
        else:
            raw.wait_for_end()


def try_frames(dice):
    data = good_frames(dice)
    if dice.random() < 0.95:
        data = damage(data, dice)
    with Raw(args.address).open() as raw:
        send_in_pieces(raw, data, dice)
        found = []
        while answer := raw.frame():
            found.append(answer)
    judge_stream(data, found)


def try_all(seed, process):
    """Runs every mutation; answers how many of each kind failed."""
    failures = {try_request: 0, try_frames: 0}
    with Raw(args.address).open() as innocent:
        for number in range(args.count):
            if number == args.count // 10 and process:
                process.remember()  # after a tenth everything that is kept for reuse has been made
            attempt = try_request if number % 2 else try_frames
            try:
                attempt(random.Random(f"{seed}/{number}"))
                if number % 50 == 0:
                    innocent.echo(f"still here {number}".encode())
            except (AssertionError, OSError) as error:
                failures[attempt] += 1
                print(f"not ok mutation {number} of seed {seed}: {error}", flush=True)
                if sum(failures.values()) == FAILURES_MAX:
                    print("too many failures, the rest is left out")
                    break
    return failures


def main():
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    process = Process(args.pid) if args.pid else None
    failures = try_all(seed, process)
    results = [(f"{args.count // 2} damaged handshakes", failures[try_request]),
               (f"{args.count - args.count // 2} damaged frame streams", failures[try_frames])]
    if process:
        time.sleep(1)
        faults = process.faults(growth_mib_max=16)
        results.append((" ".join(["the server afterwards holds nothing and does nothing", *faults]), len(faults)))
    for name, count in results:
        print(f"not ok {name}" if count else f"ok {name}")
    failed = sum(1 for _, count in results if count)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
