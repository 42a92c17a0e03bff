"""Calls of elsewhere in the journal: whole or not at all, stripped, and known when they come again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from intelligence.store import queries
from intelligence.store.drain import Drain
from intelligence.store.exporting import exchange_of
from intelligence.store.importing import Importer
from intelligence.store.journal import EndHead
from intelligence.store.migrations import open_database
from intelligence.wire.credentials import Redactor
from intelligence.wire.registry import Registry
from tests.intelligence.store.test_jsonl import exchange

SECRET = "sk-canary-0987654321"


def importer(folder, **options):
    return Importer(folder, Registry(), Redactor(b"k" * 32), **options)


def take_in(folder, *exchanges):
    """Through the journal into the database; the rows, as `queries.call` gives them."""
    taking = importer(folder)
    for made in exchanges:
        taking.add(made)
    taking.hand_over()
    taking.close()
    with closing(open_database(folder / "traffic.db")) as db, closing(Drain(db, folder / "journal")) as drain:
        while drain.step():
            pass
    with closing(queries.connect(folder / "traffic.db")) as db:
        return [queries.call(db, row["id"]) for row in db.execute("select id from requests order by seq")]


def seen(**changes):
    """By no proxy of ours."""
    return exchange(head=None, body=b'{"model": "m", "messages": []}', **changes)


def test_nothing_is_in_the_journal_before_it_is_whole(tmp_path):
    taking = importer(tmp_path)
    assert taking.add(seen()) is None
    assert not (tmp_path / "journal").exists() and len(list((tmp_path / "importing").iterdir())) == 1
    segment = taking.hand_over()
    assert segment and list((tmp_path / "journal").iterdir()) == [segment]
    assert taking.hand_over() is None and not (tmp_path / "importing").exists()


def test_what_is_not_handed_over_is_dropped(tmp_path):
    taking = importer(tmp_path)
    taking.add(seen())
    taking.close()
    assert not list((tmp_path / "importing").iterdir())


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    taking = importer(tmp_path)
    taking.add(seen())
    monkeypatch.setattr("os.writev", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="disk full"):
        taking.add(seen(id=bytes(16)))


def test_times_are_those_it_had(tmp_path):
    (row,) = take_in(tmp_path, seen(started_us=5_000_000, ended_us=5_250_000))
    assert (row["started_at"], row["duration_ms"], row["request_ms"]) == (5000, 250, 1.5)


def test_secrets_are_stripped_wherever_they_are(tmp_path):
    auth = (b"authorization", f"Bearer {SECRET}".encode())
    head = exchange().head
    head.path = f"/v1/chat/completions?api_key={SECRET}"
    edited = exchange(id=bytes(16), head=head, headers=[auth], body=json.dumps({"api_key": SECRET}).encode())
    path = f"/v1/chat/completions?key={SECRET}"
    raw = seen(headers=[auth], path=path)
    rows = take_in(tmp_path, raw, edited)
    assert rows[0]["credential_kind"] == "api_key"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
    assert SECRET not in str(rows)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"end": EndHead("client_left")}, "aborted"),
        ({"end": EndHead("upstream_error", "reset"), "reply": None}, "error"),
        ({"end": None}, "interrupted"),
        ({"end": EndHead("complete"), "missing": "part of it"}, "complete"),
    ],
)
def test_ends_come_back_as_they_were(tmp_path, changes, state):
    (tmp_path / "again").mkdir()
    (row,) = take_in(tmp_path, exchange(**changes))
    assert row["state"] == state and bool(row["truncated"]) == ("missing" in changes)
    with closing(queries.connect(tmp_path / "traffic.db")) as db:
        (again,) = take_in(tmp_path / "again", exchange_of(db, row))
    assert {k: v for k, v in again.items() if k != "run"} == {k: v for k, v in row.items() if k != "run"}


def test_a_database_without_a_schema_knows_nothing(tmp_path):
    with closing(sqlite3.connect(tmp_path / "traffic.db")):
        taking = importer(tmp_path)
        taking.add(seen())
        assert taking.counts.imported == 1
        taking.close()
