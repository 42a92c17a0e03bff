"""A stored call as a rule sees it: what the proxy saw on its way out, as far as the record still has it.

What a rule redacted is put back where its original was kept: byte for byte, or, where the record has another spelling, as a JSON
value. Where it was not, the texts are those that were sent, and what detectors saw then is read from the record; a pattern that
redacted a text then is taken to match it again (`redacted_by`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intelligence.detect.lazily import Scans
from intelligence.policy.allowed import Allowed
from intelligence.policy.evidence import CallEvidence, Unreadable
from intelligence.policy.facts import Facts, Found
from intelligence.policy.governed import BYTES_PER_TOKEN, KEPT_OUT, measure
from intelligence.store import queries
from intelligence.store.governing import original
from intelligence.store.judging import SECONDS, answer_places
from intelligence.store.reading import BODY_BYTES
from intelligence.store.spending import COLUMNS, facts_of
from intelligence.wire.json_value import decode
from intelligence.wire.place import Place

CALLS = f"""
select q.format, q.path, q.headers, q.decision, r.text, r.tool_calls, r.status_code, r.duration_ms, {COLUMNS}
where q.started_at >= ? and q.started_at < ? order by q.started_at, q.seq"""
_DETECTIONS = """
select distinct kind, type, score, pointer, start, "end", source, digest from detections
where request = ? and direction = 'request' and kind != 'text'"""
_REWRITES = """
select rule, pointer, before, after from rewrites where request = ? and direction = 'request' order by rowid"""


@dataclass(slots=True)
class Remembered(CallEvidence):
    """Evidence of a request from which something was taken out: `seen` is what detectors saw before."""

    seen: Sequence[Found] = ()

    def detections(self, kinds: frozenset[str]) -> Sequence[Found]:
        now = CallEvidence.detections(self, kinds)
        return [*now, *(one for one in self.seen if one.kind in kinds)]


@dataclass(slots=True)
class StoredCall:
    """`row` is one of `CALLS`. `blind`: part of its request can be seen no more, and `redacted_by` are the rules that took a text
    out of it."""

    db: sqlite3.Connection
    row: Mapping[str, Any]
    scanner: Scans
    allowed: Allowed | None
    redacted_by: set[str] = field(default_factory=set)
    seen: list[Found] = field(default_factory=list)
    blind: bool = False
    _body: bytes | None = None
    _rewrites: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.row["decision"] not in ("redact", "block", "throttle"):
            return
        seq = self.row["seq"]
        self._rewrites = self.db.execute(_REWRITES, (seq,)).fetchall()
        lost = [rule for rule, _, before, _ in self._rewrites if before is None]
        seen = self.db.execute(_DETECTIONS, (seq,)).fetchall()
        self.blind = bool(lost) or (
            self.row["state"] == "blocked" and any(kind in KEPT_OUT for kind, *_ in seen)
        )
        if self.blind:
            self.redacted_by = set(lost)
            self.seen = [_found(one) for one in seen]

    def request(self, *, sized: bool) -> Facts:
        """As the proxy had them. `sized`: a rule looks at how large it is."""
        evidence = Remembered(
            *self._kind(), None, self.scanner, SECONDS, allowed=self.allowed, load=self.body, seen=self.seen
        )
        facts = self._facts(evidence, "request")
        if sized and "content-encoding" in (self.row["headers"] or "").lower():
            measure(facts, self.body() or b"")
        facts.prompt_tokens = None if facts.body_bytes is None else facts.body_bytes // BYTES_PER_TOKEN
        return facts

    def sent(self, body: Callable[[], bytes | None], came: CallEvidence) -> Facts:
        """The request as it would be in the record; `came` is what was read of it as it came."""
        evidence = CallEvidence(*self._kind(), None, self.scanner, SECONDS, allowed=self.allowed, load=body)
        if body == self.body and not self.blind:
            evidence.read_as(came)
        return self._facts(evidence, "request")

    def answer(self) -> Facts:
        evidence = CallEvidence(
            *self._kind(), None, self.scanner, SECONDS, True, allowed=self.allowed, load=self.body
        )
        evidence.said(answer_places(self.row["text"], self.row["tool_calls"]))
        return self._facts(evidence, "response")

    def body(self) -> bytes | None:
        """What came, as far as it is known; None when it is gone. Read once."""
        if self._body is None:
            headers = [(str(name), str(value)) for name, value in json.loads(self.row["headers"] or "[]")]
            stored = queries.body(self.db, self.row["seq"], "request", headers, BODY_BYTES)
            came = original(self.db, self.row["seq"], stored) if self._rewrites else None
            self._body = came if came is not None else restored(stored, self._rewrites)
        return self._body or None

    def _kind(self) -> tuple[str | None, str | None, str]:
        return self.row["format"], self.row["operation"], self.row["path"] or ""

    def _facts(self, evidence: CallEvidence, direction: str) -> Facts:
        facts = facts_of(self.row, evidence)
        facts.direction = direction
        evidence.facts = facts
        return facts


def restored(body: bytes, rewrites: Sequence[tuple[str, str, str | None, str | None]]) -> bytes:
    """The body with those texts put back that were kept; as a JSON value, which is what rules look at."""
    kept = [(pointer, before, after) for _, pointer, before, after in rewrites if before and after]
    if not kept:
        return body
    value = decode(body)
    for pointer, before, after in kept:
        _put_back(value, [_key(part) for part in pointer.split("/")[1:]], after, before)
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _put_back(value: Any, keys: list[str], after: str, before: str) -> None:
    try:
        for key in keys[:-1]:
            value = value[int(key)] if isinstance(value, list) else value[key]
        last = int(keys[-1]) if isinstance(value, list) else keys[-1]
        value[last] = value[last].replace(after, before, 1)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return  # the record has it no more


def _key(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _found(row: Sequence[Any]) -> Found:
    """What stood there is gone; that it stood there is known."""
    kind, type_, score, pointer, start, end, source, _ = row
    return Found(Place(pointer, "user", source, " " * end), start, end, kind, type_, score)


def gone(facts: Facts) -> bool:
    """Whether a rule asked for a text that is in the record no more."""
    evidence = facts.evidence
    if not isinstance(evidence, CallEvidence):
        return False
    try:
        evidence.value()
    except Unreadable:
        return True
    return False
