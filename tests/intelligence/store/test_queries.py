import gzip
import sqlite3
from contextlib import closing

import pytest

from intelligence.store import queries
from intelligence.store.drain import Drain
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from tests.intelligence.store.traffic import SSE, call, prompt, request_head, stream


def store(data_dir):
    with (
        closing(open_database(data_dir / "traffic.db")) as db,
        closing(Drain(db, data_dir / "journal")) as drain,
    ):
        while drain.step():
            pass


@pytest.fixture
def recorded(tmp_path):
    """Two runs: one with a complete call and one that failed, one with a call still open."""
    first, second = JournalWriter(tmp_path / "journal"), JournalWriter(tmp_path / "journal")
    zipped = gzip.compress(prompt("hello"))
    head = request_head(headers=[("Content-Encoding", "gzip"), ("x", "1"), ("x", "2")])
    ids = [call(first, stream("a", "b"), head=head, body=zipped), call(first, [], status=500)]
    raw = uuid7()
    store(tmp_path)
    second.request(raw, request_head(), prompt("wait"))
    second.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
    second.chunk(raw, b"data: so far\n\n")
    ids.append(id_text(raw))
    store(tmp_path)
    with closing(queries.connect(tmp_path / "traffic.db")) as db:
        yield db, ids, (first.run, second.run)
    first.close()
    second.close()


def test_totals_say_what_they_leave_out(recorded):
    db, ids, runs = recorded
    everything = queries.totals(db)
    assert {
        k: everything[k] for k in ("calls", "pending", "errors", "blocked", "input_tokens", "uncounted")
    } == {
        "calls": 3,
        "pending": 1,
        "errors": 1,
        "blocked": 0,
        "input_tokens": 7,
        "uncounted": 2,
    }
    assert (everything["cost_usd"], everything["unpriced"]) == (3.75e-05, 2)
    assert queries.totals(db, run=runs[1])["first_id"] == ids[2]
    nothing = queries.totals(db, until_ms=1)
    assert (nothing["calls"], nothing["pending"], nothing["input_tokens"]) == (0, 0, None)


def test_one_call_and_its_bodies(recorded):
    db, ids, runs = recorded
    one = queries.call(db, ids[0])
    assert (one["run"], one["text"], one["ended"]) == (runs[0], "ab", "complete")
    assert one["request_headers"] == [("Content-Encoding", "gzip"), ("x", "1"), ("x", "2")]
    assert queries.body(db, one["seq"], "request", one["request_headers"], 1 << 20) == prompt("hello")
    assert queries.body(db, one["seq"], "response", one["response_headers"], 1 << 20) == b"".join(
        stream("a", "b")
    )
    assert queries.body(db, one["seq"], "response", one["response_headers"], 10) == stream("a", "b")[0][:10]
    waiting = queries.call(db, ids[2])
    assert waiting["state"] == "pending"
    assert [p.data for p in queries.pieces(db, waiting["seq"], "response")] == [b"data: so far\n\n"]
    assert queries.call(db, "nothing") is None


def test_readers_cannot_write(recorded, tmp_path):
    db, *_ = recorded
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("delete from requests")
    with pytest.raises(sqlite3.OperationalError):
        queries.connect(tmp_path / "none.db")
