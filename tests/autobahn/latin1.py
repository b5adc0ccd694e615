"""The boundary between the suite's cases and its protocol on Python 3: strings of one code point per byte there,
bytes here. port.py copies this file into the suite's package."""

import binascii
import os


def octets(value):
    """A case's string as the bytes that it stands for; anything else as it is."""
    return value.encode("latin-1") if isinstance(value, str) else value


def text(value):
    """Bytes as a case's string, for the JSON reports."""
    return bytes(value).decode("latin-1")


def hexadecimal(value):
    """What `b2a_hex` answered in Python 2."""
    return binascii.b2a_hex(octets(value)).decode("ascii")


def same(one, other):
    """Whether two lists of events are equal, whether their payloads are written as strings or as bytes."""
    return _normal(one) == _normal(other)


def resource(package, name):
    """The path of a data file of the suite."""
    return os.path.join(os.path.dirname(__file__), name)


class Sender:
    """Lets the cases send strings: stands between the fuzzing protocol and the library's."""

    def sendFrame(self, opcode, payload=b"", *args, **kwargs):
        return super().sendFrame(opcode, octets(payload), *args, **kwargs)

    def sendMessage(self, payload, *args, **kwargs):
        return super().sendMessage(octets(payload), *args, **kwargs)

    def sendMessageFrameData(self, payload, *args, **kwargs):
        return super().sendMessageFrameData(octets(payload), *args, **kwargs)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        return super().sendCloseFrame(code=code, reasonUtf8=octets(reasonUtf8), isReply=isReply)


def _normal(value):
    if isinstance(value, (list, tuple)):
        return tuple(_normal(item) for item in value)
    return octets(value)
