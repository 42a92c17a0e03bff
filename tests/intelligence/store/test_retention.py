import sqlite3
from contextlib import closing

import pytest

from intelligence.store import retention
from intelligence.store.check import check
from intelligence.store.migrations import open_database
from intelligence.store.retention import DAY_MS, Limits, limits, survey, used_bytes
from intelligence.store.tree_rows import body as request_body
from tests.intelligence.store.test_keeping import drained, record
from tests.intelligence.store.traffic import body, calls, rows

ALL = 2**60


@pytest.fixture
def db(tmp_path):
    """Ten calls, each a day older than the one before it."""
    record(tmp_path, *(f"call {n} {str(n) * 3000}" for n in range(10)))
    drained(tmp_path)
    with closing(open_database(tmp_path / "traffic.db")) as found:
        now = found.execute("select max(started_at) from requests").fetchone()[0]
        found.execute("update requests set started_at = ? - (10 - seq) * ?", (now, DAY_MS))
        # Moved by hand: the hours' sums stay where they were.
        yield found


def at(db, days):
    (now,) = db.execute("select max(started_at) from requests").fetchone()
    return now - days * DAY_MS


def prune(db, **wanted):
    steps = retention.prune(db, Limits(**wanted))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def left(db):
    """By call: its raw answer, its text, its request."""
    return [
        (bool(body(db, i, "response")), row["text"] is not None, request_body(db, seq) is not None)
        for (seq, i), row in zip(
            db.execute("select seq, id from requests order by seq").fetchall(),
            calls(db).values(),
            strict=True,
        )
    ]


def test_raw_answers_go_first_then_all_content_and_counts_stay(db):
    before = list(calls(db).values())
    report = prune(db, raw_before_ms=at(db, 2), content_before_ms=at(db, 6))
    assert (report["content"], report["raw"]) == (3, 4)
    assert left(db) == [(False, False, False)] * 3 + [(False, True, True)] * 4 + [(True, True, True)] * 3
    marks = [mark for (mark,) in db.execute("select pruned from requests order by seq")]
    assert marks == ["content"] * 3 + ["raw"] * 4 + [None] * 3
    for old, new in zip(before, calls(db).values(), strict=True):
        assert {k: v for k, v in new.items() if k != "text"} == {k: v for k, v in old.items() if k != "text"}


def test_nothing_that_is_left_refers_to_what_went(db, tmp_path):
    db.execute("delete from search_texts")
    db.execute("insert into search_texts (request, role, text) select seq, 'user', 'word' from requests")
    prune(db, content_before_ms=at(db, 4))
    kept = rows(db, "select distinct first_request from messages where kind = 'message'")
    assert {row["first_request"] for row in kept} == {6, 7, 8, 9, 10}
    assert {request for (request,) in db.execute("select request from search_texts")} == {6, 7, 8, 9, 10}
    assert [f.problem for f in check(tmp_path) if f.problem and f.name != "hourly sums"] == []


def test_pruned_again_takes_nothing(db):
    prune(db, content_before_ms=ALL)
    report = prune(db, content_before_ms=ALL, raw_before_ms=ALL)
    assert (report["content"], report["raw"]) == (0, 0)


def test_by_bytes_the_oldest_go_until_it_fits(db):
    db.execute("update bodies set data = zeroblob(200000) where kind = 'response'")
    most = used_bytes(db) - 500_000
    report = prune(db, max_bytes=most)
    assert report["bytes_after"] <= most
    marks = [mark for (mark,) in db.execute("select pruned from requests order by seq")]
    taken = marks.count("raw")
    assert taken > 2 and marks == ["raw"] * taken + [None] * (10 - taken)


def test_space_is_handed_back(db, tmp_path):
    db.execute("update bodies set data = zeroblob(200000)")
    db.execute("pragma wal_checkpoint(truncate)").fetchone()
    before = (tmp_path / "traffic.db").stat().st_size
    prune(db, content_before_ms=ALL)
    db.execute("pragma wal_checkpoint(truncate)").fetchone()
    assert db.execute("pragma freelist_count").fetchone() == (0,)
    assert (tmp_path / "traffic.db").stat().st_size < before / 2


def test_survey_says_it_beforehand_and_changes_nothing(db, tmp_path):
    wanted = {"raw_before_ms": at(db, 2), "content_before_ms": at(db, 6)}
    with closing(sqlite3.connect(f"file:{tmp_path}/traffic.db?mode=ro", uri=True)) as reader:
        said = survey(reader, Limits(**wanted))
    did = prune(db, **wanted)
    assert (said["content"], said["raw"]) == (did["content"], did["raw"]) == (3, 4)


def test_a_call_that_goes_on_loses_nothing(db):
    db.execute("update requests set state = 'pending' where seq = 1")
    db.execute("insert into open_calls values (2, 0, 0, 0, 0, 0)")
    prune(db, content_before_ms=ALL)
    assert left(db)[:3] == [(True, True, True), (True, True, True), (False, False, False)]


def test_names_of_tools_stay_without_their_arguments(db):
    db.execute("""update responses set tool_calls = '[{"id": "1", "name": "read", "arguments": "secret"}]'""")
    db.execute("update responses set tool_calls = null where request = 1")
    prune(db, content_before_ms=ALL)
    found = [row["tool_calls"] for row in calls(db).values()]
    assert found == [None] + ['["read"]'] * 9
    assert "secret" not in str(rows(db, "select tool_calls from responses"))


def test_zero_is_for_ever():
    assert limits(0, 0, 0) == Limits()
    assert limits(1, 2, 3, now_ms=10 * DAY_MS) == Limits(9 * DAY_MS, 8 * DAY_MS, 3)
