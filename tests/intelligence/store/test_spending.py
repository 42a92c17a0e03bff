from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from intelligence.store.drain import Drain
from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.spending import GONE, Spending
from tests.intelligence.store.traffic import call, prompt, request_head, stream


@pytest.fixture
def record(tmp_path: Path) -> Iterator[tuple[JournalWriter, sqlite3.Connection, Drain]]:
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        yield journal, db, drain


def _ids(pieces: Any) -> list[str]:
    return [one.id for piece in pieces for one in piece]


def test_all_of_a_window_then_what_is_new(record: Any, tmp_path: Path) -> None:
    journal, _, drain = record
    first = [
        call(journal, stream("a", "b"), body=prompt(str(n)), head=request_head(user="alice"))
        for n in range(5)
    ]
    drain.step()
    spending = Spending(tmp_path / "traffic.db")
    pieces = list(spending.since(0, size=2))
    assert _ids(pieces) == first
    assert all(len(piece) <= 2 for piece in pieces)
    one = pieces[0][0]
    assert (one.facts.user, one.tokens, one.facts.evidence) == ("alice", 9, GONE)
    assert one.cost_usd is not None and one.cost_usd > 0
    assert spending.fresh() == []
    later = call(journal, stream("a"), body=prompt("later"))
    drain.step()
    assert _ids([spending.fresh()]) == [later]
    assert spending.fresh() == []


def test_a_call_that_runs_is_told_when_it_has_ended(record: Any, tmp_path: Path) -> None:
    journal, _, drain = record
    raw = uuid7()
    journal.request(raw, request_head(), prompt("x"))
    drain.step()
    spending = Spending(tmp_path / "traffic.db")
    assert _ids(spending.since(0)) == []
    assert spending.fresh() == []
    journal.end(raw, EndHead("error"))
    drain.step()
    assert len(spending.fresh()) == 1
    assert spending.fresh() == []


def test_what_was_stopped_here_is_left_out(record: Any, tmp_path: Path) -> None:
    journal, db, drain = record
    stopped = call(journal, [b"{}"], status=403, end=EndHead("blocked"))
    drain.step()
    assert db.execute("select state from requests where id = ?", (stopped,)).fetchone() == ("blocked",)
    assert _ids(Spending(tmp_path / "traffic.db").since(0)) == []


def test_what_is_forgotten_is_waited_for_no_more(record: Any, tmp_path: Path) -> None:
    journal, db, drain = record
    journal.request(uuid7(), request_head(), prompt("x"))
    drain.step()
    spending = Spending(tmp_path / "traffic.db")
    list(spending.since(0))
    db.execute("delete from requests")
    assert spending.fresh() == []
    assert spending._waiting == {}


def test_before_there_is_a_record_nothing_is_spent(tmp_path: Path) -> None:
    spending = Spending(tmp_path / "none.db")
    assert list(spending.since(0)) == []
    assert spending.fresh() == []


def test_texts_are_not_read() -> None:
    for ask in (GONE.texts, GONE.tool_calls, GONE.tool_definitions, lambda: GONE.detections(frozenset())):
        with pytest.raises(LookupError):
            ask()
