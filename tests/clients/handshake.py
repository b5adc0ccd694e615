"""The opening handshake and plain HTTP, request by request, with raw sockets: what is accepted and what is refused.

  handshake.py --url http://127.0.0.1:8080 [--only NAME]
"""

from tap import Tests, among, equal
from wire import KEY, TEXT, Raw, frame, options, request

args = options(__doc__)
tests = Tests()
FRAME = frame(TEXT, b"smuggled")


def connect():
    return Raw(args.address)


def accepted(data, step):
    with connect() as raw:
        for at in range(0, len(data), step):
            raw.send(data[at:at + step])
        status, headers, _ = raw.response_head()
        equal(status, 101, "status")
        equal(headers.get("upgrade", "").lower(), "websocket", "Upgrade")
        equal(headers.get("connection", "").lower(), "upgrade", "Connection")
        raw.echo(b"after the handshake")


ACCEPTED = [
    ("plain", request()),
    ("header names in capitals",
     request(("Upgrade", "UPGRADE: websocket"), ("Key", f"SEC-WEBSOCKET-KEY: {KEY.decode()}"))),
    ("header names in lower case", request(("Version", "sec-websocket-version: 13"), ("Host", "host: 127.0.0.1"))),
    ("Upgrade in capitals", request(("Upgrade", "Upgrade: WebSocket"))),
    ("Upgrade with other protocols", request(("Upgrade", "Upgrade: h2c, websocket"))),
    ("Connection as a list", request(("Connection", "Connection: keep-alive, Upgrade"))),
    ("Connection in capitals", request(("Connection", "Connection: UPGRADE"))),
    ("Connection over two lines", request(("Connection", "Connection: keep-alive\r\nConnection: Upgrade"))),
    ("no space and much space around values",
     request(("Upgrade", "Upgrade:websocket"), ("Version", "Sec-WebSocket-Version: \t 13 \t "))),
    ("a query", request(path="/echo?a=b&c=%20")),
    ("an extension that nobody knows", request(more=["Sec-WebSocket-Extensions: x-unknown; a=\"b\"; c"])),
    ("an Origin of the same host", request(more=["Origin: http://127.0.0.1"])),
    ("50 more headers", request(more=[f"X-{number}: value" for number in range(50)])),
    ("a header of 4,000 bytes", request(more=["Cookie: a=" + "x" * 4000])),
    ("bytes beyond ASCII in a value", request(more=["X-Name: \xe9\xff"])),
]
for name, data in ACCEPTED:
    tests.add(f"accepted: {name}", accepted, data, len(data))
    tests.add(f"accepted: {name}, byte by byte", accepted, data, 1)

# What is sent, the statuses that are right, and a header that the answer must have.
BAD = (400,)
REFUSED = [
    ("no Host", request(("Host", None)), BAD),
    ("two Hosts", request(more=["Host: other"]), BAD),
    ("no key", request(("Key", None)), BAD),
    ("two keys", request(more=[f"Sec-WebSocket-Key: {KEY.decode()}"]), BAD),
    ("empty key", request(("Key", "Sec-WebSocket-Key:")), BAD),
    ("key of 15 bytes", request(("Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA")), BAD),
    ("key of 17 bytes", request(("Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=")), BAD),
    ("key that is not base64", request(("Key", "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==")), BAD),
    ("no version", request(("Version", None)), (400, 426)),
    ("version 8", request(("Version", "Sec-WebSocket-Version: 8")), (426,), ("sec-websocket-version", "13")),
    ("version 14", request(("Version", "Sec-WebSocket-Version: 14")), (426,), ("sec-websocket-version", "13")),
    ("two versions", request(more=["Sec-WebSocket-Version: 13"]), (400, 426)),
    ("no Connection", request(("Connection", None)), (400, 426)),
    ("Connection: close", request(("Connection", "Connection: close")), (400, 426)),
    ("no Upgrade", request(("Upgrade", None)), (400, 404, 426)),
    ("Upgrade: h2c", request(("Upgrade", "Upgrade: h2c")), (400, 404, 426)),
    ("Upgrade: websocketx", request(("Upgrade", "Upgrade: websocketx")), (400, 404, 426)),
    ("POST", request(("start", "POST /echo HTTP/1.1")), (400, 405)),
    ("method in lower case", request(("start", "get /echo HTTP/1.1")), (400, 405, 501)),
    ("HTTP/1.0", request(("start", "GET /echo HTTP/1.0")), (400, 426, 505)),
    ("HTTP/2.0", request(("start", "GET /echo HTTP/2.0")), (400, 505)),
    ("no version of HTTP", request(("start", "GET /echo")), (400, 505)),
    ("a body with a length", request(more=["Content-Length: 5"]) + b"hello", BAD),
    ("a chunked body", request(more=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n", (400, 411, 501)),
    ("a length and a chunked body", request(more=["Content-Length: 5", "Transfer-Encoding: chunked"]), (400, 411, 501)),
    ("two lengths", request(more=["Content-Length: 5", "Content-Length: 6"]), BAD),
    ("a length that is no number", request(more=["Content-Length: 5x"]), BAD),
    ("a negative length", request(more=["Content-Length: -1"]), BAD),
    ("a length beyond 64 bits", request(more=["Content-Length: 99999999999999999999999"]), (400, 413)),
    ("lines that end in LF alone", request().replace(b"\r\n", b"\n"), BAD),
    ("one line that ends in LF alone", request().replace(b"websocket\r\n", b"websocket\n"), BAD),
    ("a bare CR in a value", request(more=["X-A: b\rc"]), BAD),
    ("NUL in a value", request(more=["X-A: b\0c"]), BAD),
    ("space before the colon", request(more=["X-A : b"]), BAD),
    ("space before the name", request(more=[" X-A: b"]), BAD),
    ("a folded line", request(more=["X-A: b", "\tc"]), BAD),
    ("a header without a name", request(more=[": b"]), BAD),
    ("a header without a colon", request(more=["X-A"]), BAD),
    ("bytes beyond ASCII in a name", request(more=["X-\xe9: b"]), BAD),
    ("a target that does not begin with a slash", request(("start", "GET echo HTTP/1.1")), BAD),
    ("a space in the target", request(("start", "GET /ec ho HTTP/1.1")), (400, 505)),
    ("unknown path", request(path="/no-such-path"), (404,)),
    ("101 more headers", request(more=[f"X-{number}: value" for number in range(101)]), (431,)),
    ("a header of 16 KiB", request(more=["X-A: " + "x" * 16384]), (431,)),
    ("a target of 16 KiB", request(path="/echo?" + "x" * 16384), (414, 431)),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 404, 405, 505)),
    ("a TLS greeting", bytes.fromhex("1603010200010001fc0303") + bytes(64), (400, None)),
]


def refused(data, statuses, header=None):
    """The answer has a right status, nothing behind it is taken for frames, and the connection ends."""
    with connect() as raw:
        raw.send(data + FRAME)
        raw.finish_writing()
        status, headers, head = raw.response_head()
        among(status, statuses, "status")
        assert "smuggled" not in head, "the answer repeats what the client sent"
        if status is None:
            return
        if header:
            equal(headers.get(header[0]), header[1], header[0])
        raw.take(int(headers.get("content-length", 0)))
        while raw.fill():
            pass
        assert b"smuggled" not in raw.buffer, "what followed a refused handshake was read as a frame"


for name, data, statuses, *header in REFUSED:
    tests.add(f"refused: {name}", refused, data, statuses, *header)


def closes_by_itself(data):
    with connect() as raw:
        raw.send(data)
        status, headers, _ = raw.response_head()
        among(status, (400, 426, 431), "status")
        equal(headers.get("connection", "").lower(), "close", "Connection")
        equal(raw.wait_for_end(), "fin", "end of the stream")


tests.add("a malformed request ends the connection", closes_by_itself, request(more=["X-A : b"]))
tests.add("a request with too large a head ends the connection", closes_by_itself,
          request(more=["X-A: " + "x" * 10_000]))


def protocol_header(value):
    """What the server answers to an offer of subprotocols: the status and its own choice."""
    with connect() as raw:
        raw.send(request(more=[f"Sec-WebSocket-Protocol: {value}"]))
        status, headers, _ = raw.response_head()
        return status, headers.get("sec-websocket-protocol"), headers


@tests.case("subprotocols: the server's choice, spelled as the server spells it")
def subprotocol_choice():
    equal(protocol_header("echo")[:2], (101, "echo"), "for echo")
    equal(protocol_header("a, b ,echo,c")[:2], (101, "echo"), "for a list")
    equal(protocol_header("a, b")[:2], (101, None), "for unknown ones")
    equal(protocol_header("ECHO")[:2], (101, None), "for another case")


@tests.case("subprotocols: what is no token is refused or not chosen, and never repeated")
def subprotocol_injection():
    for value in ("\xe9cho", "ec\x01ho", "echo;x", "echo\0", "\"echo\"", ",", "echo echo", "(echo)"):
        status, chosen, headers = protocol_header(value)
        among(status, (101, 400), f"status for {value!r}")
        among(chosen, (None, "echo") if value == "," else (None,), f"choice for {value!r}")
        assert "x-injected" not in headers


# Plain HTTP on the same port.

def http(start, more=(), body=b""):
    return "\r\n".join([f"{start} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode() + body


def answer(raw, head_only=False):
    status, headers, _ = raw.response_head()
    length = headers.get("content-length")
    assert length is not None or status == 204, f"status {status} has no Content-Length: {headers}"
    return status, headers, b"" if head_only else raw.take(int(length or 0))


@tests.case("http: several requests on one connection")
def keep_alive():
    with connect() as raw:
        for _ in range(3):
            raw.send(http("GET /healthz"))
            equal(answer(raw)[0], 200, "status")
        raw.send(http("GET /healthz") + http("GET /"))
        equal(answer(raw)[0], 200, "status of the first of two sent together")
        status, headers, body = answer(raw)
        equal(status, 200, "status of the page")
        among(headers.get("content-type", "").split(";")[0], ("text/html",), "type of the page")
        assert b"<html" in body, "the page is no HTML"


@tests.case("http: HEAD has the headers and no body")
def head():
    with connect() as raw:
        raw.send(http("HEAD /") + http("GET /healthz"))
        status, headers, _ = answer(raw, head_only=True)
        equal(status, 200, "status")
        assert int(headers["content-length"]) > 100, "the length of the page is missing"
        equal(answer(raw)[0], 200, "status of the request behind it")


@tests.case("http: Connection: close ends the connection")
def connection_close():
    with connect() as raw:
        raw.send(http("GET /healthz", ["Connection: close"]))
        equal(answer(raw)[0], 200, "status")
        equal(raw.wait_for_end(), "fin", "end of the stream")


def status_of(data):
    with connect() as raw:
        raw.send(data)
        return raw.response_head()[0]


tests.add("http: unknown path", lambda: equal(status_of(http("GET /nothing")), 404, "status"))
tests.add("http: wrong method", lambda: equal(status_of(http("DELETE /healthz")), 405, "status"))
tests.add("http: body beyond the limit",
          lambda: among(status_of(http("POST /healthz", ["Content-Length: 99999999999"])), (405, 413), "status"))
tests.add("http: plain GET of a WebSocket path", lambda: among(status_of(http("GET /echo")), (400, 404, 426), "status"))


@tests.case("http, then a WebSocket on the same connection")
def then_websocket():
    with connect() as raw:
        raw.send(http("GET /healthz"))
        equal(answer(raw)[0], 200, "status")
        raw.open().echo(b"after plain HTTP")


tests.run(args.only)
