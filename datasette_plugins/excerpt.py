"""The words around what a detector saw, from the record.

Shown only if they are still what the detector saw: of a redacted request the record has what was sent, of a pruned one nothing.
For who must not read them, secrets and private data are dots: what was seen then, and what is seen now.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from datasette_plugins.mask import Mask
from datasette_plugins.record import SHOWN_BYTES
from intelligence.policy.evidence import seen_digest
from intelligence.policy.governed import KEPT_OUT
from intelligence.store import queries
from intelligence.store.judging import answer_places
from intelligence.wire.json_value import INVALID, decode

AROUND = 90
MOST_SEEN = 240
DOTS = "••••••"

ANSWER = "select text, tool_calls from responses where request = ?"
HEADERS = "select headers from requests where seq = ?"
NEAR = "select kind, start, end from detections where request = ? and direction = ? and pointer = ?"

type Pieces = list[tuple[str, bool]]
"""Text, and whether it is what was seen."""


@dataclass
class Excerpts:
    """Of several detections; a body is read once."""

    db: sqlite3.Connection
    key: bytes
    mask: Mask
    _bodies: dict[int, Any] = field(default_factory=dict)

    def of(self, row: Mapping[str, Any]) -> Pieces | None:
        """`row` is that of `detections`. None: it is not kept. Raises `sqlite3.Error`."""
        text = self._text(row["request"], row["direction"], row["pointer"])
        start, end = row["start"], row["end"]
        if text is None or seen_digest(self.key, row["kind"], text[start:end]) != row["digest"]:
            return None
        hidden: list[tuple[int, int]] = []
        if self.mask:
            hidden = [(edit.start, edit.end) for edit in self.mask.edits(text)]
            near = self.db.execute(NEAR, (row["request"], row["direction"], row["pointer"]))
            hidden += [(a, b) for kind, a, b in near if kind in KEPT_OUT]
        return pieces(text, start, end, hidden)

    def _text(self, seq: int, direction: str, pointer: str) -> str | None:
        if direction == "response":
            row = self.db.execute(ANSWER, (seq,)).fetchone()
            places = answer_places(*row) if row else []
            return next((place.text for place in places if place.pointer == pointer), None)
        if seq not in self._bodies:
            self._bodies[seq] = self._body(seq)
        found = at(self._bodies[seq], pointer)
        return found if isinstance(found, str) else None

    def _body(self, seq: int) -> Any:
        row = self.db.execute(HEADERS, (seq,)).fetchone()
        headers = [(str(name), str(value)) for name, value in json.loads(row[0] or "[]")] if row else []
        return decode(queries.body(self.db, seq, "request", headers, SHOWN_BYTES))


def at(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer; `INVALID` where nothing does."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return INVALID
    return value


def pieces(text: str, start: int, end: int, hidden: Iterable[tuple[int, int]]) -> Pieces:
    """`text` around a span, with dots for what is hidden."""
    first, last = max(0, start - AROUND), min(len(text), end + AROUND)
    marks = sorted({first, last, start, end, *(at for span in hidden for at in span if first < at < last)})
    spans = list(hidden)
    found: Pieces = [("…", False)] if first else []
    for a, b in pairwise(marks):
        seen = start <= a < end
        if any(x <= a and b <= y for x, y in spans):
            part = DOTS
        else:
            part = text[a:b] if b - a <= MOST_SEEN else f"{text[a : a + MOST_SEEN]}…"
        if found and found[-1] == (DOTS, seen) and part == DOTS:
            continue
        found.append((part, seen))
    return [*found, ("…", False)] if last < len(text) else found
