import json
import sqlite3
from contextlib import closing

import pytest

from intelligence.store import reading, settle
from intelligence.store.drain import Drain
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import backlog, read_some
from tests.intelligence.store.traffic import call, prompt, rows, stream


@pytest.fixture
def record(tmp_path):
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        yield journal, db, drain


def test_what_fills_the_context(record):
    journal, db, drain = record
    call(journal, stream("a", "b"), body=prompt("hello"))
    call(journal, stream("long " * 20, done=False), body=prompt("y" * 4000))  # stopped: no usage
    call(journal, stream("a"), body=b"no JSON")
    drain.step()
    assert read_some(db, Prices()) == 3
    told, guessed = rows(db, "select * from contexts order by request")
    assert (told["new_tokens"], told["scaled"], told["estimated_output_tokens"]) == (7, 1, None)
    assert (guessed["new_tokens"], guessed["scaled"], guessed["estimated_output_tokens"]) == (1000, 0, 25)
    assert rows(db, "select input_tokens, output_tokens, cost_usd from calls")[1] == {
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
    }


def test_a_strange_call_does_not_hold_up_the_others(record, monkeypatch, caplog):
    journal, db, drain = record
    strange = call(journal, stream("a"), body=prompt("strange"))
    call(journal, stream("a"), body=prompt("plain"))
    drain.step()
    real = reading._body

    def fail(db, row):
        if row["id"] == strange:
            raise ValueError("strange")
        return real(db, row)

    monkeypatch.setattr(reading, "_body", fail)
    assert read_some(db, Prices()) == 2 and backlog(db) == 0
    assert strange in caplog.text
    assert len(rows(db, "select * from contexts")) == 1


def test_a_failed_commit_leaves_the_queue(record, monkeypatch):
    journal, db, drain = record
    call(journal, stream("a"), body=prompt("x"))
    drain.step()
    with monkeypatch.context() as m:
        m.setattr(reading, "_DONE", "delete from nowhere where request = ?")
        with pytest.raises(sqlite3.OperationalError):
            read_some(db, Prices())
    assert backlog(db) == 1 and rows(db, "select * from search_texts") == []
    assert read_some(db, Prices()) == 1
    assert len(rows(db, "select * from search_texts")) == 2


def test_calls_of_before_costs_were_kept_are_settled(record):
    journal, db, drain = record
    for _ in range(3):
        call(journal, stream("a"), body=prompt("x"))
    drain.step()
    wanted = rows(db, "select * from costs"), rows(db, "select * from rollup_hourly")
    db.execute("delete from costs")
    db.execute("delete from rollup_hourly")
    db.execute("delete from rollup_daily")
    db.execute("update to_read set settled = 0")
    while read_some(db, Prices(), calls=2):
        pass
    costs, sums = rows(db, "select * from costs order by request"), rows(db, "select * from rollup_hourly")
    assert costs == wanted[0] and len(costs) == 3
    assert [row | {"id": 0, "cost_usd": 0} for row in sums] == [
        row | {"id": 0, "cost_usd": 0} for row in wanted[1]
    ]
    assert sums[0]["cost_usd"] == pytest.approx(wanted[1][0]["cost_usd"])


@pytest.mark.parametrize("text", [None, "", "[1]", "{", '{"a": 1}', json.dumps({"cost": "x"})])
def test_any_usage_is_read(text):
    assert settle._raw(text) in (None, {"a": 1}, {"cost": "x"})


def test_the_tier_of_service_sets_the_price(record):
    from tests.intelligence.store.traffic import JSON, request_head

    journal, db, drain = record
    answer = {
        "model": "gpt-5-2025-08-07",
        "object": "chat.completion",
        "service_tier": "flex",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    call(journal, [json.dumps(answer).encode()], head=request_head(model="gpt-5", stream=False), headers=JSON)
    drain.step()
    (row,) = rows(db, "select service_tier, first_byte_ms, gap_max_ms, gap_p95_ms from responses")
    assert row["service_tier"] == "flex" and row["first_byte_ms"] >= 0
    assert row["gap_max_ms"] is None and row["gap_p95_ms"] is None
    before = 1_795_000_000_000
    db.execute("update requests set started_at = ?", (before,))
    settle.settle(db, [1], Prices())
    assert rows(db, "select usd from costs")[0]["usd"] == pytest.approx((1000 * 1.25 + 100 * 10) / 2e6)
