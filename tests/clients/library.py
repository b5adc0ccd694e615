"""The Python library `websockets` as a client: what an ordinary user of the server sees.

  library.py --url http://127.0.0.1:8080 [--testee http://127.0.0.1:8081] [--only NAME]
"""

import argparse
import asyncio
import random

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tap import Tests, among, equal

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20)
LETTERS = "abcdefghij\u00e9\u20ac\U0001f600"

tests = Tests()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", required=True, help="the server")
parser.add_argument("--testee", help="the test server with the routes /close, /protocol, /reject")
parser.add_argument("--only", help="run only the tests whose name contains this")
options = parser.parse_args()


def client(path, base=options.url, **settings):
    """A connection with no limit of its own and no compression unless asked for."""
    settings = {"compression": None, "max_size": None, "max_queue": None, "proxy": None} | settings
    return connect(base.replace("http", "ws", 1) + path, **settings)


def binary(size):
    return random.Random(size).randbytes(size)


def text(size):
    """Text of `size` bytes in UTF-8, with code points of one to four bytes."""
    half = "".join(random.Random(size).choices(LETTERS, k=min(size, 1000)))
    while half and len(half.encode()) > size:
        half = half[:-1]
    repeated = half * (size // max(1, len(half.encode())))
    return repeated + "." * (size - len(repeated.encode()))


async def echoes(message, sent=None, **settings):
    async with client("/echo", **settings) as ws:
        await ws.send(message if sent is None else sent)
        equal(await ws.recv(), message, "echo")


for size in SIZES:
    tests.add(f"echo text of {size} bytes", echoes, text(size))
    tests.add(f"echo binary of {size} bytes", echoes, binary(size))
tests.add("echo text in 3 fragments", echoes, "one, two, three", ["one, ", "two, ", "three"])
tests.add("echo binary in 5 fragments, some empty", echoes, b"abcd", [b"", b"ab", b"", b"cd", b""])
tests.add("echo binary in 1000 fragments", echoes, binary(5000), [binary(5000)[i:i + 5] for i in range(0, 5000, 5)])


@tests.case("echo for a client that offers permessage-deflate")
async def deflate_offered():
    await echoes(text(100_000), compression="deflate")


@tests.case("1000 messages of mixed sizes come back in order")
async def in_order():
    dice = random.Random(1)
    messages = [binary(dice.choice((0, 3, 125, 126, 1000, 70_000))) for _ in range(1000)]
    async with client("/echo") as ws:
        async def send():
            for message in messages:
                await ws.send(message)
        sender = asyncio.create_task(send())
        for number, message in enumerate(messages):
            equal(await ws.recv(), message, f"message {number}")
        await sender


async def client_closes(code, reason):
    async with client("/echo") as ws:
        await ws.close(code, reason)
        equal(ws.close_code, code, "the server's close code")
        among(ws.close_reason, ("", reason), "the server's reason")  # RFC 6455 section 5.5.1 asks for the code alone
        equal(ws.protocol.close_rcvd_then_sent, False, "who closed first")


for code, reason in ((1000, ""), (1000, "bye"), (3456, "bye \u00e9"), (4999, "x" * 123)):
    tests.add(f"close {code} with a reason of {len(reason.encode())} bytes is answered", client_closes, code, reason)


@tests.case("ping is answered with its payload")
async def ping():
    async with client("/echo") as ws:
        for payload in (b"", b"hello", bytes(125)):
            await asyncio.wait_for(await ws.ping(payload), 5)


@tests.case("ping between the fragments of a message is answered at once")
async def ping_between():
    async with client("/echo") as ws:
        async def parts():
            yield "first "
            await asyncio.wait_for(await ws.ping(b"between"), 5)
            yield "second"
        await ws.send(parts())
        equal(await ws.recv(), "first second", "echo")


async def subprotocol(offered, chosen):
    async with client("/echo", subprotocols=offered) as ws:
        equal(ws.subprotocol, chosen, "subprotocol")
        await ws.send("after the handshake")
        equal(await ws.recv(), "after the handshake", "echo")


tests.add("subprotocol echo is chosen from several", subprotocol, ["nothing", "echo"], "echo")
tests.add("subprotocol that the server does not know is not chosen", subprotocol, ["nothing"], None)
tests.add("no subprotocol when none is offered", subprotocol, None, None)


async def refused(path, status, header=None, base=options.url):
    try:
        async with client(path, base):
            raise AssertionError(f"the server accepted {path}")
    except InvalidStatus as error:
        equal(error.response.status_code, status, "status")
        if header:
            assert header in error.response.headers, f"no {header} in {dict(error.response.headers)}"


tests.add("unknown path is refused with 404", refused, "/no-such-path", 404)


@tests.case("broadcast reaches every connection, the sender included")
async def broadcast():
    async with client("/broadcast") as one, client("/broadcast") as two, client("/broadcast") as three:
        for message in ("to all", binary(70_000)):
            await one.send(message)
            for ws in (one, two, three):
                equal(await asyncio.wait_for(ws.recv(), 5), message, "broadcast")


@tests.case("100 connections at once each get their own messages back")
async def many():
    async def one(number):
        async with client("/echo") as ws:
            for round in range(20):
                message = f"{number}:{round}".encode() * (1 + number % 50)
                await ws.send(message)
                equal(await ws.recv(), message, f"connection {number}")
    await asyncio.gather(*(one(number) for number in range(100)))


if options.testee:
    async def server_closes(code):
        async with client(f"/close/{code}", options.testee) as ws:
            try:
                await asyncio.wait_for(ws.recv(), 5)
                raise AssertionError("a message came instead of the close")
            except ConnectionClosed:
                equal((ws.close_code, ws.close_reason), (code, "closed by the server"), "the server's close")

    for code in (1000, 1001, 1008, 1011, 1013, 3000, 4001):
        tests.add(f"the server's own close {code} is seen", server_closes, code)
    tests.add("rejected with 401 and a header", refused, "/reject", 401, "www-authenticate", options.testee)

    @tests.case("accepted later, from another thread")
    async def slow_accept():
        async with client("/slow-accept", options.testee) as ws:
            await ws.send("patience")
            equal(await ws.recv(), "patience", "echo")

    @tests.case("handler is told the subprotocol")
    async def told_subprotocol():
        async with client("/protocol", options.testee, subprotocols=["nothing", "echo"]) as ws:
            equal(await ws.recv(), "echo", "the first message")

    @tests.case("a client that answers pings stays connected")
    async def answers_pings():
        async with client("/echo", options.testee, ping_interval=None) as ws:
            await asyncio.sleep(4)
            await ws.send("still here")
            equal(await ws.recv(), "still here", "echo")

tests.run(options.only)
