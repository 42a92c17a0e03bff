from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from intelligence.store import audit, auditing, control, governing
from intelligence.store.governing import Governed
from intelligence.store.journal import DecisionHead, GovernHead
from tests.intelligence.store.traffic import one_call


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with one_call(tmp_path) as db:
        yield db


def _decide(db: sqlite3.Connection, *actions: tuple[str, bool]) -> None:
    heads = [
        DecisionHead(f"r-{a}", a, "enforce" if acted else "shadow", acted, "why") for a, acted in actions
    ]
    governing.store(db, [Governed(1, 1000, GovernHead("v1", "request", heads))])
    db.commit()


def _entries(folder: Path) -> list[tuple[str, str]]:
    with control.reading(folder) as log:
        return [(one["actor"], one["action"]) for one in audit.entries(log)]


def test_what_was_done_is_taken_over_once(db: sqlite3.Connection, tmp_path: Path) -> None:
    assert auditing.take(db, tmp_path) == 0
    _decide(db, ("block", True), ("redact", False), ("alert", True))
    assert auditing.take(db, tmp_path) == 2
    assert auditing.take(db, tmp_path) == 0
    assert _entries(tmp_path) == [("rule r-block", "decision.block"), ("rule r-alert", "decision.alert")]
    _decide(db, ("throttle", True))
    assert auditing.take(db, tmp_path) == 1
    with control.reading(tmp_path) as log:
        assert audit.verify(log).faults == []
        last = list(audit.entries(log))[-1]
    said = json.loads(last["after"])
    assert (said["reason"], said["policy"], said["direction"]) == ("why", "v1", "request")


def test_many_come_in_pieces(db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "MOST", 3)
    _decide(db, *[("block", True)] * 7)
    assert [auditing.take(db, tmp_path) for _ in range(4)] == [3, 3, 1, 0]
    assert len(_entries(tmp_path)) == 7


def test_shadow_decisions_are_passed_over_for_good(db: sqlite3.Connection, tmp_path: Path) -> None:
    _decide(db, ("block", False))
    assert auditing.take(db, tmp_path) == 0
    assert _entries(tmp_path) == []
