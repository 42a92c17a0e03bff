"""Code points of a string, found in the bytes of its JSON literal.

A literal may write a character as itself, as one of the short escapes, as `\\uXXXX` or as a pair of these, and one may mix them.
Offsets are asked for in rising order. As a rule a client writes all its strings with one encoder; so the text up to an
offset is encoded in the two usual ways, and what the literal begins with tells how long it is. Only where the client has other
habits the escapes are counted one by one. Linear in the length of the literal, however many offsets are asked for.
"""

from __future__ import annotations

import json
import re

import msgspec

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^u])", re.DOTALL
)
_decode = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def text_of(literal: bytes) -> str:
    """The string. Raises `ValueError` when it is none."""
    try:
        return _decode(literal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = json.loads(literal)  # halves of surrogate pairs
    if not isinstance(text, str):
        raise ValueError("not a string")
    return text


def literal_of(text: str, ascii_only: bool) -> bytes:
    """What stands between the quotes."""
    if not ascii_only:
        try:
            return _encode(text)[1:-1]
        except (UnicodeEncodeError, msgspec.MsgspecError):
            pass
    return json.dumps(text).encode()[1:-1]


class Offsets:
    """`byte(n)` is where in the literal the code point `n` begins; `n` not less than the last one asked for."""

    def __init__(self, literal: bytes, text: str) -> None:
        self._literal = literal
        self._text = text
        self._plain = b"\\" not in literal and text.isascii()
        self._ascii = literal.isascii()
        self._at = 0
        self._byte = 1

    def byte(self, at: int) -> int:
        if self._plain:
            return at + 1
        between = self._text[self._at : at]
        self._byte += self._length(between)
        self._at = at
        return self._byte

    def _length(self, between: str) -> int:
        for ascii_only in (self._ascii, not self._ascii):
            written = literal_of(between, ascii_only)
            if self._literal.startswith(written, self._byte):
                return len(written)
        return self._counted(len(between))

    def _counted(self, points: int) -> int:
        literal, byte = self._literal, self._byte
        while points:
            escape = literal.find(b"\\", byte)
            run = literal[byte : escape if escape >= 0 else -1]
            plain = run.decode()
            if len(plain) >= points:
                byte += len(plain[:points].encode())
                break
            points -= len(plain)
            match = _ESCAPE.match(literal, byte + len(run))
            if match is None:
                raise ValueError("beyond the end of the text")
            byte = match.end()
            points -= 1
        return byte - self._byte
