"""Every string of pieces of JSON at once, unescaped: for whoever looks for something that mostly is not there, before decoding.

The texts that `places` tells are among them, each as it stands there. All the rest is too: names of members, and what stands
between two strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

_unescaped = msgspec.json.Decoder(str).decode
_QUOTE, _BACKSLASH = b'"\\'
# Stands where quotation marks stood; no text worth reading has it.
_BORDER = b"\x7f"
_LONGEST_RUN = 64
# What names of members and types end with where tools are called: see `place_parts`, and `tool_calls` in `places`.
_CALLS = (b"_call", b"_use", b"tool_calls", b"tool_results", b"functionCall", b"toolUse", b"executableCode")
_LAST_TWO = np.zeros(1 << 16, np.bool_)
_LAST_TWO[[int.from_bytes(one[-2:]) for one in _CALLS]] = True


@dataclass(frozen=True, slots=True)
class Strings:
    """`data` is UTF-8, in segments with a line end between two: every other one is a string, beginning with the second. Segment
    `n` begins at `begins[n]` and has `lengths[n]` bytes; those of piece `k` are from `pieces[k]` to before `pieces[k + 1]`."""

    data: bytes
    begins: Any
    lengths: Any
    pieces: Any

    def calling(self, members: Sequence[str]) -> set[int]:
        """Pieces that may have a tool call in them, or a result that names its tool. `members` that each piece is of."""
        data = np.frombuffer(self.data, np.uint8)
        begins, last = self.begins[1::2], self.begins[1::2] + self.lengths[1::2] - 1
        said = np.flatnonzero(_LAST_TWO[data[last - 1].astype(np.uint16) << 8 | data[last]])
        within = [
            self.data.endswith(_CALLS, begin, end)
            for begin, end in zip(begins[said].tolist(), (last[said] + 1).tolist(), strict=True)
        ]
        found = set(self.within(said[np.array(within, np.bool_)] * 2 + 1))
        if "tool_results" in members:
            found |= {k for k, member in enumerate(members) if member == "tool_results"}
        return found

    def within(self, segments: Any) -> list[int]:
        """The pieces they stand in."""
        found: list[int] = (np.searchsorted(self.pieces, segments, side="right") - 1).tolist()
        return found

    def __getitem__(self, segment: int) -> bytes:
        begin = self.begins[segment]
        return self.data[begin : begin + self.lengths[segment]]


def strings(raws: Sequence[Any]) -> Strings | None:
    """Of pieces of JSON, as bytes. None if they are no JSON, or have what cannot be told at once: then they are to be decoded."""
    string = bytearray(b",").join((b'"', *raws, b'"'))
    raw = np.frombuffer(string, np.uint8)[1:-1]
    quotes = _quotes(raw)
    if quotes is None or len(quotes) % 2:
        return None
    raw[quotes] = _BORDER[0]
    data = _decoded(string)
    if (
        data is None
    ):  # the lines of a body that is laid out for people, maybe: inside of a string JSON has no line ends
        controls = np.flatnonzero(raw < ord(" "))
        if np.any(np.searchsorted(quotes, controls) % 2):
            return None
        raw[controls] = ord(" ")
        if (data := _decoded(string)) is None:
            return None
    borders = np.flatnonzero(np.frombuffer(data, np.uint8) == _BORDER[0])
    if len(borders) != len(quotes):
        return None
    begins = np.concatenate(([0], borders + 1))
    lengths = np.append(borders, len(data)) - begins
    ends = np.cumsum([len(one) + 1 for one in raws]) + 1
    pieces = np.concatenate(([0], np.searchsorted(quotes, ends)))
    return Strings(data.replace(_BORDER, b"\n"), begins, lengths, pieces)


def _decoded(string: bytearray) -> bytes | None:
    try:
        return _unescaped(string).encode()
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _quotes(raw: Any) -> Any:
    """Where a string begins or ends. None behind very many backslashes."""
    quotes = np.flatnonzero(raw == _QUOTE)
    escaped = np.zeros(len(quotes), np.bool_)
    run = np.flatnonzero(raw[quotes - 1] == _BACKSLASH)
    for length in range(1, _LONGEST_RUN):
        if not len(run):
            return quotes[~escaped]
        escaped[run] ^= True
        run = run[raw[quotes[run] - 1 - length] == _BACKSLASH]
    return None
