"""permessage-deflate with the Python library `websockets`: 1,000 messages on one connection under each agreement.

  deflate.py --url http://127.0.0.1:8080 [--testee http://127.0.0.1:8081] [--only NAME]

The testee's route /deflate compresses in the way that its query names; the server's own /echo in its usual one.
"""

import argparse
import asyncio
import random

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

from tap import Tests, equal

COUNT = 1000
SIZES = (0, 1, 2, 63, 64, 125, 126, 127, 1000, 4096, 20_000, 65_535, 65_536)
LONG = (100_000, 300_000, (1 << 20) - 1, 1 << 20)  # one message in fifty
WORDS = "the quick brown fox jumps over a lazy dog price volume symbol time \u00e9\u20ac\U0001f600".split()

tests = Tests()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", required=True, help="the server")
parser.add_argument("--testee", help="the test server with the route /deflate")
parser.add_argument("--only", help="run only the tests whose name contains this")
options = parser.parse_args()


def message(number, dice):
    """Text that compresses well, then bytes that do not, of every size."""
    size = dice.choice(LONG) if number % 50 == 49 else dice.choice(SIZES)
    if number % 2:
        return dice.randbytes(size)
    words = " ".join(dice.choices(WORDS, k=min(size // 4, 2000))) or "."
    text = words * (size // len(words.encode()) + 1)
    return text.encode()[:size].decode(errors="ignore")


def client(base, path, parameters):
    factory = ClientPerMessageDeflateFactory(**{"client_max_window_bits": True} | parameters)
    settings = {"compression": None, "extensions": [factory], "max_size": None, "max_queue": None, "proxy": None}
    return connect(base.replace("http", "ws", 1) + path, **settings)


def agreed(ws):
    """What both ends do: who keeps no window, and how large they are; the server's comes first."""
    extension, = ws.protocol.extensions
    assert isinstance(extension, PerMessageDeflate), extension
    return {"takeover": (not extension.remote_no_context_takeover, not extension.local_no_context_takeover),
            "bits": (extension.remote_max_window_bits, extension.local_max_window_bits)}


async def thousand(base, path, expected, parameters):
    dice = random.Random(path)
    messages = [message(number, dice) for number in range(COUNT)]
    async with client(base, path, parameters) as ws:
        equal(agreed(ws), expected, "what was agreed on")

        async def send():
            for sent in messages:
                await ws.send(sent)
        sender = asyncio.create_task(send())
        for number, sent in enumerate(messages):
            equal(await ws.recv(), sent, f"message {number}")
        await sender


def expect(server_takeover, client_takeover, server_bits=15, client_bits=15):
    return {"takeover": (server_takeover, client_takeover), "bits": (server_bits, client_bits)}


tests.add("1000 messages over /echo, as it is", thousand, options.url, "/echo", expect(False, False), {})

if options.testee:
    for name, path, parameters, expected in (
            ("with takeover on both sides", "/deflate", {}, expect(True, True)),
            ("without takeover", "/deflate?takeover=none", {}, expect(False, False)),
            ("with the server's takeover alone", "/deflate?takeover=server", {}, expect(True, False)),
            ("with the client's takeover alone", "/deflate?takeover=client", {}, expect(False, True)),
            ("with the windows that the server wants", "/deflate?server_bits=9&client_bits=10", {},
             expect(True, True, 9, 10)),
            ("with what the client asks for", "/deflate",
             {"server_no_context_takeover": True, "server_max_window_bits": 11, "client_max_window_bits": 12},
             expect(False, True, 11, 12)),
            ("with short ones left as they are", "/deflate?bytes_min=1000", {}, expect(True, True))):
        tests.add(f"1000 messages {name}", thousand, options.testee, path, expected, parameters)

    @tests.case("fragments with a ping between them are one compressed message")
    async def fragments():
        async with client(options.testee, "/deflate", {}) as ws:
            for _ in range(3):
                async def parts():
                    for part in ("one, " * 100, "", "two, " * 100):
                        yield part
                        await asyncio.wait_for(await ws.ping(b"between"), 5)
                    yield "three"
                await ws.send(parts())
                equal(await ws.recv(), "one, " * 100 + "two, " * 100 + "three", "echo")

tests.run(options.only)
