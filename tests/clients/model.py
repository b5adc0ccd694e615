"""A naive model of RFC 6455, for judging answers to damaged input: slow, whole inputs only, no code of the server."""

import base64
import re

from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, xor

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
LENGTH_KNOWN_GOOD = 1 << 24  # messages up to 16 MiB are never too long; beyond it the limit is the server's affair


def might_be_valid_request(data):
    """Whether section 4.2.1 lets a server accept these bytes; what it may accept or refuse counts as valid."""
    head = data.split(b"\r\n\r\n")[0].decode("latin-1")
    lines = head.split("\r\n")
    while lines and not lines[0]:
        lines.pop(0)  # RFC 9112 section 2.2 lets a server skip empty lines before the request
    if not lines or not re.fullmatch(r"GET /[!-~\x80-\xff]* HTTP/1\.1", lines[0]):
        return False
    headers = {}
    for line in lines[1:]:
        match = re.fullmatch(rf"({TOKEN}):[ \t]*([^\0\r\n]*?)[ \t]*", line, re.DOTALL)
        if not match:
            return False
        headers.setdefault(match[1].lower(), []).append(match[2])

    def tokens(name):
        return [token.strip().lower() for value in headers.get(name, ()) for token in value.split(",")]

    return (len(headers.get("host", ())) == 1 and "websocket" in tokens("upgrade") and "upgrade" in tokens("connection")
            and headers.get("sec-websocket-version") == ["13"] and _is_key(headers.get("sec-websocket-key", ())))


def judge_stream(data, found):
    """Fails unless `found`, the server's frames, answers `data`, the client's, as the RFC has it."""
    messages, pongs, codes = _expected(data)
    got_messages, got_pongs, got_close = [], [], None
    for opcode, payload, fin in found:
        assert got_close is None, "frames follow the server's close"
        assert fin or opcode >= CLOSE, "an echo came back in fragments"
        if opcode in (TEXT, BINARY):
            got_messages.append((opcode, payload))
        elif opcode == PONG:
            got_pongs.append(payload)
        elif opcode == CLOSE:
            got_close = int.from_bytes(payload[:2], "big") if payload else 1005
    assert got_messages == messages, f"{len(messages)} echoes expected, {len(got_messages)} found, or others"
    assert got_pongs == pongs, f"{len(pongs)} pongs expected, {len(got_pongs)} found, or others"
    assert got_close in codes, f"close code {got_close}, expected one of {sorted(map(str, codes))}"


def _is_key(values):
    try:
        return len(values) == 1 and len(base64.b64decode(values[0], validate=True)) == 16
    except ValueError:
        return False


def _expected(data):
    """The echoes, the pongs, and the close codes that are right; None among them: no close frame is needed."""
    messages, pongs = [], []
    kind, parts = None, b""
    while True:
        head = _head(data)
        if isinstance(head, set):
            return messages, pongs, head
        fin, opcode, start, length, mask = head
        fault = _fault(opcode, fin, length, kind)
        if fault:
            return messages, pongs, {fault}
        too_long = {1009} if length > LENGTH_KNOWN_GOOD else set()
        payload = xor(data[start:start + length], mask)
        whole = len(data) >= start + length
        text = opcode == TEXT or opcode == CONTINUATION and kind == TEXT
        if text and not _is_utf8(parts + payload, unfinished=not (whole and fin)):
            return messages, pongs, {1007} | too_long
        if not whole:
            return messages, pongs, {None, 1001, 1002} | too_long
        data = data[start + length:]
        if opcode == CLOSE:
            return messages, pongs, _close_codes(payload)
        if opcode == PING:
            pongs.append(payload)
        elif opcode != PONG:
            kind, parts = (opcode or kind), parts + payload
            if fin:
                messages.append((kind, parts))
                kind, parts = None, b""


def _head(data):
    """A frame's header as (fin, opcode, payload's start, length, mask), or the close codes when it ends the stream."""
    short = data[1] & 127 if len(data) > 1 else 0
    size = {126: 2, 127: 8}.get(short, 0)
    masked = len(data) > 1 and data[1] > 127
    if len(data) < 2 + size + 4 * masked:
        return {None, 1001, 1002, 1009}  # a server may wait for a whole header before it looks
    fin, opcode = data[0] >> 7, data[0] & 15
    length = int.from_bytes(data[2:2 + size], "big") if size else short
    minimal = {0: 0, 2: 126, 8: 65536}[size] <= length < 1 << 63
    known = opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
    if data[0] & 0x70 or not known or not masked or not minimal or opcode >= CLOSE and (short > 125 or not fin):
        return {1002}
    return fin, opcode, 6 + size, length, data[2 + size:6 + size]


def _fault(opcode, fin, length, kind):
    """The close code for a frame that may not stand here, or None."""
    if opcode == CONTINUATION and kind is None or opcode in (TEXT, BINARY) and kind is not None:
        return 1002
    if opcode == CLOSE and length == 1:
        return 1002
    return None


def _close_codes(payload):
    if not payload:
        return {1000, 1005}
    code = int.from_bytes(payload[:2], "big")
    valid = 1000 <= code <= 1014 and code not in (1004, 1005, 1006) or 3000 <= code <= 4999
    bad = ({1002} if not valid else set()) | ({1007} if not _is_utf8(payload[2:], False) else set())
    return bad or {code}


def _is_utf8(data, unfinished):
    try:
        data.decode()
        return True
    except UnicodeDecodeError as error:
        return unfinished and error.reason == "unexpected end of data"
