"""Rules that only tell, asked once a call is stored: nobody on the wire waits for a detector that stops nothing.

The request is judged by its body as recorded, the answer by its text and its tool calls. Pointers of what is found in an answer
are into the call as recorded: `/text`, and `/tool_calls/0/arguments`. A rule that the proxy ended the asking before is not
asked here either.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from intelligence.detect.lazily import LazyScanner
from intelligence.policy import governed, handed
from intelligence.policy.allowed import Allowed, allowed
from intelligence.policy.decide import Compiled, CompiledRule, decide
from intelligence.policy.evidence import CallEvidence
from intelligence.policy.facts import Facts
from intelligence.policy.handed import InForce
from intelligence.policy.text_file import PolicyError
from intelligence.policy.verdict import Verdict
from intelligence.store.journal import GovernHead
from intelligence.store.spending import COLUMNS, facts_of
from intelligence.wire.place import Place

log = logging.getLogger(__name__)

# What one call may take of the worker's time.
SECONDS = 2.0

_CALL = f"select {COLUMNS} where q.seq = ?"
_ENDED_BY = (
    "select rule from decisions where request = ? and acted and action in ('allow', 'block', 'throttle')"
)


class Judge:
    """Of one data folder."""

    def __init__(self, data_dir: Path, key: bytes) -> None:
        self._data_dir = data_dir
        self._key = key
        self._scanner = LazyScanner(key)
        self._stamp: handed.Stamp | None = None
        self._in_force = InForce()
        self._later: dict[str, tuple[CompiledRule, ...]] = {}
        self._allowed: Allowed | None = None

    def refresh(self) -> None:
        """Take over what was handed over since."""
        stamp = handed.stamp(self._data_dir)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        if stamp[:2] == (0, 0):
            return
        try:
            self._in_force = handed.take(self._data_dir)
        except PolicyError as e:
            log.error("stored calls are judged by the earlier policy: %s", e)
            return
        compiled = self._in_force.compiled
        self._later = {way: compiled.of(way, later=True) for way in ("request", "response")}
        if any("detection" in one.looks_at for rules in self._later.values() for one in rules):
            self._scanner.load()  # which takes longer than a call may
        self._allowed = allowed(self._in_force.allow, self._key)

    def heads(self, db: sqlite3.Connection, row: dict[str, Any], body: bytes) -> list[GovernHead]:
        """What the rules say of a call; `row` is that of `reading`. Raises `sqlite3.Error`."""
        if not any(self._later.values()):
            return []
        db_row = db.execute(_CALL, (row["seq"],))
        names = [column[0] for column in db_row.description]
        call = dict(zip(names, db_row.fetchone(), strict=True))
        ended_by = {rule for (rule,) in db.execute(_ENDED_BY, (row["seq"],))}
        heads = []
        for way in ("request", "response"):
            if rules := asked_later(self._in_force.compiled, self._later.get(way, ()), ended_by):
                facts = self._facts(way, call, row, body)
                if decisions := decide(rules, facts):
                    heads.append(
                        governed.head(self._key, self._in_force.compiled.version, way, Verdict(decisions))
                    )
        return heads

    def _facts(self, way: str, call: dict[str, Any], row: dict[str, Any], body: bytes) -> Facts:
        answer = way == "response"
        evidence = CallEvidence(
            row["format"],
            row["operation"],
            row["path"] or "",
            body,
            self._scanner,
            SECONDS,
            answer,
            allowed=self._allowed,
        )
        if answer:
            evidence.said(answer_places(row["text"], row["tool_calls"]))
        facts = facts_of(call, evidence)
        facts.direction = way
        if not answer:
            governed.measure(facts, body)
        evidence.facts = facts
        return facts


def asked_later(
    compiled: Compiled, later: Sequence[CompiledRule], ended_by: Collection[str]
) -> Sequence[CompiledRule]:
    """Of the rules that only tell, those to be asked of a call that these rules ended the asking of."""
    if not later or not ended_by:
        return later
    order = {one.rule.id: n for n, one in enumerate(compiled.rules)}
    last = min((order[rule] for rule in ended_by if rule in order), default=len(order))
    return [one for one in later if one.rule.mode == "shadow" or order[one.rule.id] < last]


def answer_places(text: str | None, tool_calls: str | None) -> list[Place]:
    """The texts of an answer, of the columns `text` and `tool_calls`."""
    places = [Place("/text", "assistant", "assistant", text)] if text else []
    for n, call in enumerate(json.loads(tool_calls or "[]")):
        arguments = call.get("arguments")
        words = arguments if isinstance(arguments, str) else json.dumps(arguments)
        places.append(
            Place(
                f"/tool_calls/{n}/arguments",
                "assistant",
                "tool_call",
                words,
                call.get("name"),
                call.get("id"),
            )
        )
    return places
