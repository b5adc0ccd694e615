"""A WebSocket connection made of a socket and nothing else, for what no library would send.

Written from RFC 6455 alone, so that it shares no mistake with the server: a frame writer that can break every rule,
and a frame reader that forgives none.
"""

import argparse
import base64
import hashlib
import socket
import struct
from urllib.parse import urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
SECONDS = 10


def options(about, *more):
    """The command line that the raw test programs share."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the server, as http://HOST:PORT")
    parser.add_argument("--only", help="run only the tests whose name contains this")
    for name, settings in more:
        parser.add_argument(name, **settings)
    parsed = parser.parse_args()
    url = urlsplit(parsed.url)
    parsed.address = (url.hostname, url.port or 80)
    return parsed


def request(*changes, path="/echo", more=()):
    """A valid handshake; `changes` are (name, replacement line or None) pairs, `more` are lines to add."""
    lines = {"start": f"GET {path} HTTP/1.1", "Host": "Host: 127.0.0.1", "Upgrade": "Upgrade: websocket",
             "Connection": "Connection: Upgrade", "Key": f"Sec-WebSocket-Key: {KEY.decode()}",
             "Version": "Sec-WebSocket-Version: 13"}
    lines |= dict(changes)
    kept = [line for line in lines.values() if line is not None]
    return "\r\n".join([*kept, *more, "", ""]).encode("latin-1")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x37\xfa\x21\x3d", form=None, length=None):
    """A client's frame. `form` is the bytes of its length field, `length` lies about it, `mask` may be None."""
    length = len(payload) if length is None else length
    form = form or (1 if length < 126 else 3 if length < 65536 else 9)
    masked = 0 if mask is None else 0x80
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if form == 1:
        head += bytes([masked | length])
    elif form == 3:
        head += bytes([masked | 126]) + struct.pack(">H", length)
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", length)
    return head + payload if mask is None else head + mask + xor(payload, mask)


def xor(payload, mask):
    """The payload under the mask, as one big number."""
    stream = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


def close(code=None, reason=b""):
    """A client's close frame."""
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


class Raw:
    """A TCP connection to the server, and what has arrived on it."""

    def __init__(self, address, receive_buffer=None, seconds=SECONDS):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.ended = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def open(self, path="/echo", early=b""):
        """Does the handshake, with `early` bytes right behind it."""
        self.send(request(path=path) + early)
        status, headers, _ = self.response_head()
        assert status == 101, f"the handshake was answered with {status}"
        assert headers.get("sec-websocket-accept") == ACCEPT.decode(), f"wrong accept key in {headers}"
        return self

    def reset(self):
        """Ends the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_writing(self):
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        """Waits for more bytes; False at the end of the stream, of which `ended` says the kind."""
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            raise TimeoutError("the server sent nothing and did not close") from None
        except ConnectionError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
        self.buffer += data
        return bool(data)

    def take(self, count):
        """The next `count` bytes, or None when the stream ends before them."""
        while len(self.buffer) < count:
            if not self.fill():
                return None
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def response_head(self):
        """The status, headers (names in lower case) and raw head of an HTTP response; status None when it ended."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None, {}, bytes(self.buffer)
        end = self.buffer.index(b"\r\n\r\n") + 4
        head = self.take(end).decode("latin-1")
        start, *lines = head[:-4].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(start.split(" ")[1]), headers, head

    def frame(self):
        """The next frame as (opcode, payload, fin), or None at the end of the stream."""
        head = self.take(2)
        if head is None:
            assert not self.buffer, f"the stream ended inside a frame: {bytes(self.buffer)!r}"
            return None
        fin, rsv, opcode, short = head[0] >> 7, head[0] >> 4 & 7, head[0] & 15, head[1]
        assert rsv == 0, f"reserved bits {rsv} in a frame from the server"
        assert short < 128, "a masked frame from the server"
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {opcode} from the server"
        length = self._length(short)
        if opcode >= CLOSE:
            assert fin and length < 126, f"a control frame from the server with fin {fin}, {length} bytes"
        payload = self.take(length)
        assert payload is not None, f"the stream ended inside a frame of {length} bytes"
        return opcode, payload, bool(fin)

    def _length(self, short):
        if short < 126:
            return short
        size = 2 if short == 126 else 8
        length = int.from_bytes(self.take(size), "big")
        least = 126 if short == 126 else 65536
        assert length >= least, f"the server wrote the length {length} in {size} bytes"
        return length

    def echo(self, payload, opcode=TEXT):
        """Sends a message and fails unless it comes back."""
        self.send(frame(opcode, payload))
        answer = self.frame()
        assert answer == (opcode, payload, True), f"echo of {len(payload)} bytes failed: {str(answer)[:80]}"

    def close_code(self):
        """The code of the next close frame, skipping other frames; None when the stream ended without one."""
        while found := self.frame():
            if found[0] == CLOSE:
                return int.from_bytes(found[1][:2], "big") if found[1] else 1005
        return None

    def wait_for_end(self):
        """Reads what is left and answers how the stream ended: `fin` or `reset`."""
        while self.ended is None and self.fill():
            self.buffer.clear()
        return self.ended


def send_some(raw, data, seconds):
    """Sends as much as the peer takes until it takes nothing for `seconds`; answers how much it took."""
    raw.socket.settimeout(seconds)
    view, sent = memoryview(data), 0
    try:
        while sent < len(data):
            sent += raw.socket.send(view[sent:sent + (1 << 16)])
    except (TimeoutError, ConnectionError):
        pass
    raw.socket.settimeout(SECONDS)
    return sent
