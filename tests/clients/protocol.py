"""RFC 6455 section 5 and 7, frame by frame, with raw sockets: what is refused, with which code, and what is not.

  protocol.py --url http://127.0.0.1:8080 [--only NAME]
"""

import time

from tap import Tests, among, equal
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, close, frame, options

args = options(__doc__)
tests = Tests()
BIG = 1 << 40  # beyond every limit on a message


def connect(**settings):
    return Raw(args.address, **settings)


# What is sent, and the close code that it must end in. Every row is also sent byte by byte.
REFUSED = [
    ("5.1 a frame without a mask", frame(TEXT, b"hello", mask=None), 1002),
    *[(f"5.2 reserved bits {rsv:03b}", frame(TEXT, b"hello", rsv=rsv), 1002) for rsv in range(1, 8)],
    *[(f"5.2 reserved opcode {opcode}", frame(opcode, b""), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("5.2 length 5 in 3 bytes", frame(TEXT, b"hello", form=3), 1002),
    ("5.2 length 125 in 3 bytes", frame(TEXT, b"x" * 125, form=3), 1002),
    ("5.2 length 5 in 9 bytes", frame(TEXT, b"hello", form=9), 1002),
    ("5.2 length 65535 in 9 bytes", frame(TEXT, b"x" * 65535, form=9), 1002),
    ("5.2 length with the highest bit set", frame(BINARY, b"", form=9, length=1 << 63), 1002),
    ("5.4 continuation of nothing", frame(CONTINUATION, b"x"), 1002),
    ("5.4 unfinished continuation of nothing", frame(CONTINUATION, b"x", fin=False), 1002),
    ("5.4 new message inside a message", frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    ("5.4 continuation after the last fragment",
     frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"), 1002),
    ("5.5 fragmented ping", frame(PING, b"x", fin=False), 1002),
    ("5.5 fragmented close", frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    ("5.5 ping of 126 bytes", frame(PING, b"x" * 126), 1002),
    ("5.5 pong of 126 bytes", frame(PONG, b"x" * 126), 1002),
    ("5.5 close of 126 bytes", frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    ("5.5 control frame with a lying length", frame(PING, b"", form=9, length=BIG), 1002),
    ("5.5.1 close of 1 byte", frame(CLOSE, b"\x03"), 1002),
    *[(f"7.4 close code {code}", close(code), 1002)
      for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
    ("8.1 text with a byte that UTF-8 never has", frame(TEXT, b"ab\xff"), 1007),
    ("8.1 text that ends inside a code point", frame(TEXT, b"ab\xe2\x82"), 1007),
    ("8.1 overlong form", frame(TEXT, b"\xc0\xaf"), 1007),
    ("8.1 surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
    ("8.1 beyond U+10FFFF", frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    ("8.1 wrong byte after 100,000 good ones", frame(TEXT, b"x" * 100_000 + b"\x80"), 1007),
    ("8.1 wrong byte in a later fragment", frame(TEXT, b"\xe2", fin=False) + frame(CONTINUATION, b"\x28\xa1"), 1007),
    ("8.1 close reason that is not UTF-8", close(1000, b"\xff"), 1007),
    ("8.1 wrong byte in a fragment, the message unfinished", frame(TEXT, b"ab\xff", fin=False), 1007),
    ("8.1 wrong byte in a frame that is unfinished", frame(TEXT, b"ab\xff" + b"x" * 97)[:12], 1007),
    ("10.4 frame beyond every limit", frame(BINARY, b"", form=9, length=BIG), 1009),
    ("10.4 frame of the greatest length", frame(BINARY, b"", form=9, length=(1 << 63) - 1), 1009),
    ("10.4 fragments whose sum overflows 64 bits",
     frame(BINARY, b"x", fin=False) + frame(CONTINUATION, b"", form=9, length=(1 << 63) - 1), 1009),
]


def refused(data, code, step):
    """The data ends the connection with this code, and the server's end of the stream follows."""
    with connect().open() as raw:
        for at in range(0, len(data), step):
            raw.send(data[at:at + step])
        equal(raw.close_code(), code, "close code")
        raw.finish_writing()
        equal(raw.wait_for_end(), "fin", "end of the stream")


for name, data, code in REFUSED:
    tests.add(name, refused, data, code, len(data))
    if len(data) < 1000:
        tests.add(f"{name}, byte by byte", refused, data, code, 1)


def error_is_terminal(bad, code):
    """Good messages before a fault are answered, whatever came in the same segment; nothing after it is."""
    with connect().open() as raw:
        raw.send(frame(TEXT, b"before") + frame(PING, b"ping") + bad + frame(TEXT, b"after") + frame(PING, b"after"))
        equal(raw.frame(), (TEXT, b"before", True), "first answer")
        equal(raw.frame(), (PONG, b"ping", True), "second answer")
        opcode, payload, _ = raw.frame() or (None, b"", True)
        equal((opcode, payload[:2]), (CLOSE, code.to_bytes(2, "big")), "third answer")
        equal(raw.frame(), None, "what follows the close")


tests.add("good messages before an unmasked frame are answered, none after", error_is_terminal,
          frame(TEXT, b"x", mask=None), 1002)
tests.add("good messages before invalid text are answered, none after", error_is_terminal, frame(TEXT, b"\xff"), 1007)
tests.add("good messages before an oversized frame are answered, none after", error_is_terminal,
          frame(BINARY, b"", form=9, length=BIG), 1009)


def close_is_echoed(data, expected):
    with connect().open() as raw:
        raw.send(data + frame(TEXT, b"after the close"))
        opcode, payload, _ = raw.frame()
        equal((opcode, payload[:2]), (CLOSE, expected), "answer")
        equal(raw.frame(), None, "what follows the close")
        equal(raw.ended, "fin", "end of the stream")


for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    tests.add(f"7.4 close code {code} is answered with the same", close_is_echoed, close(code, b"bye"),
              code.to_bytes(2, "big"))


@tests.case("5.5.1 empty close is answered")
def empty_close():
    with connect().open() as raw:
        raw.send(close())
        among(raw.close_code(), (1000, 1005), "close code")
        equal(raw.wait_for_end(), "fin", "end of the stream")


@tests.case("5.5.2 every ping of 0 to 125 bytes is answered in order")
def pings():
    with connect().open() as raw:
        raw.send(b"".join(frame(PING, bytes([size]) * size) for size in range(126)))
        for size in range(126):
            equal(raw.frame(), (PONG, bytes([size]) * size, True), f"pong {size}")


@tests.case("5.5.3 pongs that nobody asked for are ignored")
def unsolicited_pongs():
    with connect().open() as raw:
        raw.send(frame(PONG, b"") + frame(PONG, b"x" * 125) + frame(PONG, b"\xff"))
        raw.echo(b"still here")


@tests.case("5.4 control frames between fragments are answered before the message")
def interleaved():
    with connect().open() as raw:
        raw.send(frame(TEXT, b"one ", fin=False) + frame(PING, b"p1") + frame(CONTINUATION, b"", fin=False)
                 + frame(PING, b"p2") + frame(CONTINUATION, b"two"))
        equal([raw.frame() for _ in range(3)],
              [(PONG, b"p1", True), (PONG, b"p2", True), (TEXT, b"one two", True)], "answers")


@tests.case("4.1 frames right behind the handshake are not lost")
def early_frames():
    with connect() as raw:
        raw.open(early=frame(TEXT, b"early") + frame(BINARY, b"x" * 70_000))
        equal(raw.frame(), (TEXT, b"early", True), "first answer")
        equal(raw.frame(), (BINARY, b"x" * 70_000, True), "second answer")


@tests.case("a message sent byte by byte comes back")
def byte_by_byte():
    with connect().open() as raw:
        for byte in frame(TEXT, "h\u00e9llo \U0001f600".encode() * 20):
            raw.send(bytes([byte]))
        equal(raw.frame(), (TEXT, "h\u00e9llo \U0001f600".encode() * 20, True), "echo")


@tests.case("every length from 0 to 600, under every mask alignment, comes back")
def every_length():
    with connect().open() as raw:
        for size in range(601):
            payload = bytes((size + at) & 0xff for at in range(size))
            raw.send(frame(BINARY, payload, mask=bytes([size & 0xff, 0, 255, 129])))
        for size in range(601):
            equal(raw.frame(), (BINARY, bytes((size + at) & 0xff for at in range(size)), True), f"echo {size}")


@tests.case("half-close: what was sent before the end is answered")
def half_close():
    with connect().open() as raw:
        raw.send(frame(TEXT, b"last words"))
        raw.finish_writing()
        equal(raw.frame(), (TEXT, b"last words", True), "echo")
        among(raw.wait_for_end(), ("fin",), "end of the stream")


@tests.case("7.1.1 after the closing handshake the server ends the connection, not the client")
def server_ends_first():
    with connect().open() as raw:
        started = time.monotonic()
        raw.send(close(1000))
        equal(raw.close_code(), 1000, "close code")
        equal(raw.wait_for_end(), "fin", "end of the stream")
        assert time.monotonic() - started < 2, "it took more than 2 s"


tests.run(args.only)
