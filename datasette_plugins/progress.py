"""How far the answers are that still come: what the worker has put aside of them, read as it grows.

Providers state tokens at the end; until then they are told from the length of the text, as `≈`. An answer is followed while it
is a stream and its text can be told; of at most `MOST_ANSWERS` at a time, and the first `MOST_BYTES` of each. Of all others
the numbers of pieces and bytes are told. A look reads `AT_ONCE` of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from datasette_plugins import queries, units
from intelligence.store.bodies import Piece, unpack
from intelligence.store.context import weight_of
from intelligence.wire.answer import AnswerReader

MOST_ANSWERS = 64
MOST_BYTES = 500_000
MOST_TOLD = 200
AT_ONCE = 8
SHOWN = 160
KEPT = 4 * SHOWN
# A rate over less than this says nothing.
RATE_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """`values` are display strings by the names that `calls.row` has for them."""

    seq: int
    values: dict[str, str]


@dataclass
class _Answer:
    reader: AnswerReader
    last: int = 0  # id of the piece read last
    read_bytes: int = 0
    weight: int = 0  # of what was said, thought and asked of tools
    said: str = ""  # the end of it
    thought: str = ""
    first_us: int | None = None
    _taken: dict[Any, int] = field(default_factory=dict)

    def feed(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self.read_bytes += len(piece.data)
            self.reader.feed(piece.data)
            if self.first_us is None and self.reader.saw_token:
                self.first_us = piece.at_us
        draft = self.reader.draft
        self.said = (self.said + self._take("text", draft.text))[-KEPT:]
        self.thought = (self.thought + self._take("reasoning", draft.reasoning))[-KEPT:]
        for key, tool in draft.tools.items():
            self._take(("tool", key), tool.pieces)

    def _take(self, key: Any, pieces: list[str]) -> str:
        """What is new in a list of the draft."""
        new = "".join(pieces[self._taken.get(key, 0) :])
        self._taken[key] = len(pieces)
        self.weight += weight_of(new)
        return new

    @property
    def preview(self) -> str:
        tools = [tool.name for tool in self.reader.draft.tools.values() if tool.name]
        line = " ".join((self.said or self.thought).split())
        line = "…" + line[-SHOWN:] if len(line) > SHOWN else line
        if line and not self.said:
            line = f"thinking: {line}"
        return f"{line} → {', '.join(tools)}".strip() if tools else line


class Answers:
    """Those that are being read."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}
        self._told: dict[int, dict[str, str]] = {}
        self._begun = False
        self._waiting: list[int] = []

    @property
    def waiting(self) -> bool:
        """Whether there is something to be read."""
        return self._begun or bool(self._waiting)

    def again(self) -> None:
        """All running calls are to be read again."""
        self._begun = True

    def read(self, db: sqlite3.Connection) -> list[Progress]:
        """What is to be told of some of the running calls, where it changed since the last time."""
        if self._begun and not self._waiting:
            self._begun = False
            self._waiting = [seq for (seq,) in db.execute(queries.RUNNING, {"limit": MOST_TOLD})]
            seqs = set(self._waiting)
            self._answers = {seq: a for seq, a in self._answers.items() if seq in seqs}
            self._told = {seq: told for seq, told in self._told.items() if seq in seqs}
        some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        rows = db.execute(queries.OPEN_CALLS, {"seqs": json.dumps(some)}).fetchall()
        for row in rows:
            if row["seq"] not in self._answers and self._can_be_followed(row):
                self._answers[row["seq"]] = _begun(row)
        following = {
            row["seq"]: answer
            for row in rows
            if (answer := self._answers.get(row["seq"]))
            and not row["parts"]
            and answer.read_bytes < MOST_BYTES
        }
        marks = json.dumps({seq: answer.last for seq, answer in following.items()})
        for chunk in db.execute(queries.OPEN_CHUNKS, {"marks": marks}):
            answer = following[chunk["seq"]]
            answer.last = chunk["id"]
            answer.feed(unpack(chunk["data"], chunk["arrivals"]))
        changed = []
        for row in rows:
            values = _values(row, self._answers.get(row["seq"]))
            if values != self._told.get(row["seq"]):
                self._told[row["seq"]] = values
                changed.append(Progress(row["seq"], values))
        return changed

    def _can_be_followed(self, row: sqlite3.Row) -> bool:
        if not row["stream"] or row["websocket"] or (row["status_code"] or 400) >= 400:
            return False
        return len(self._answers) < MOST_ANSWERS and row["bytes"] <= MOST_BYTES


def _begun(row: sqlite3.Row) -> _Answer:
    headers = json.loads(row["headers"] or "[]")
    return _Answer(
        AnswerReader(
            row["format"],
            row["operation"],
            status_code=row["status_code"],
            headers=headers,
            path=row["path"] or "",
        )
    )


def _values(row: sqlite3.Row, answer: _Answer | None) -> dict[str, str]:
    if not row["chunks"]:
        return {}
    told = f"{units.count(row['chunks'])} piece{'s' * (row['chunks'] != 1)}, {units.size(row['bytes'])}"
    values = {"progress": told}
    if answer is None or not answer.weight:
        return values
    tokens = (answer.weight + 3) // 4
    if row["bytes"] > answer.read_bytes:  # beyond what was read, by what is known of it
        tokens = tokens * row["bytes"] // answer.read_bytes
    values |= {"output_tokens": f"≈ {units.count(tokens)}", "preview": answer.preview}
    if answer.first_us is not None:
        values["ttft"] = units.duration(answer.first_us / 1000)
        seconds = (row["last_us"] - row["started_us"] - answer.first_us) / 1e6
        if seconds >= RATE_SECONDS:
            values["progress"] = f"{told}, {tokens / seconds:.0f}/s"
    return values
