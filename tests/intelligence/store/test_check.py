from contextlib import closing

import pytest

from intelligence.store.bodies import compress
from intelligence.store.check import check
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from tests.intelligence.store.test_keeping import drained, record
from tests.intelligence.store.test_killed import older
from tests.intelligence.store.traffic import call, prompt, stream


@pytest.fixture
def data_dir(tmp_path):
    """Some calls stored; one proxy still writes."""
    record(tmp_path, "one", "two")
    journal = JournalWriter(tmp_path / "journal")
    call(journal, stream("three"), body=prompt("three"))
    drained(tmp_path)
    yield tmp_path
    journal.close()


def wrong(data_dir):
    return {found.name: found.problem for found in check(data_dir) if found.problem}


def test_all_is_well(data_dir):
    found = list(check(data_dir))
    assert [f.problem for f in found] == [None] * 12
    assert {f.name: f.detail for f in found}["journal"] == "1 segments"


def test_nothing_there(tmp_path):
    assert [(f.name, f.problem) for f in check(tmp_path)] == [("database", None)]
    assert list(tmp_path.iterdir()) == []


BREAKS = {
    "orphans": [
        "delete from open_calls",
        "insert into nodes (parent, message) values (0, 1000)",
        "insert into sessions (id, started_at, last_at, requests, last_request, scope) values ('s', 0, 0, 0, 0, x'')",
        "delete from envelopes where id = 1",
        "insert into open_chunks (request, data, arrivals) values (1, x'', x'')",
    ],
    "bodies": [
        "update bodies set data = x'00' where id = 1",
        "update bodies set bytes = bytes + 1 where id = 1",
        "update bodies set part = 7 where id = 1",
    ],
    "messages": [
        "update messages set hash = zeroblob(16) where id = 1",
        "update messages set data = x'00' where id = 1",
    ],
    "foreign keys": ["update responses set request = 99 where request = 1"],
    "views": ["create view mine as select 1", "drop view calls"],
    "journal": ["update journal_positions set position = position - 1"],
    "search": [
        "insert into search_texts (request, role, text) values (1, 'user', 'w'); delete from search_texts_fts_docsize"
    ],
    "hourly sums": ["update rollup_hourly set input_tokens = input_tokens + 1"],
    "daily sums": [
        "update rollup_daily set requests = requests + 1",
        "delete from rollup_daily",
        "update rollup_daily set day = day + 86400000",
    ],
    "weekly sums": ["update rollup_weekly set input_tokens = input_tokens + 1", "delete from rollup_weekly"],
    "session sums": [
        "update sessions set ended = ended + 1",
        "update sessions set cost_usd = coalesce(cost_usd, 0) + 1",
        "update sessions set input_tokens = null",
    ],
}


@pytest.mark.parametrize(("name", "sql"), [(name, sql) for name, sqls in BREAKS.items() for sql in sqls])
def test_what_is_wrong_is_named(data_dir, name, sql):
    with closing(open_database(data_dir / "traffic.db")) as db:
        db.execute("pragma foreign_keys = off")
        if name == "orphans" and "open_calls" in sql:
            db.execute("update requests set state = 'pending' where seq = 1")
        db.executescript(sql)
    found = wrong(data_dir)
    assert name in found
    assert found.keys() - {name} <= {
        "orphans",
        "hourly sums",
        "daily sums",
        "weekly sums",
        "session sums",
        "foreign keys",
    }


def test_a_request_body_kept_whole_is_held_against_its_hash(data_dir):
    with closing(open_database(data_dir / "traffic.db")) as db:
        db.execute("update requests set body_sha256 = 'abc' where seq = 1")
        db.execute(
            "insert into bodies (request, kind, part, bytes, data) values (1, 'request', 0, 2, ?)",
            (compress(b"{}"),),
        )
    assert "another hash" in wrong(data_dir)["bodies"]


def test_damaged_pages(data_dir):
    path = data_dir / "traffic.db"
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    assert wrong(data_dir)


def test_no_database(data_dir):
    (data_dir / "traffic.db").write_bytes(b"nothing of the kind" * 500)
    found = [f for f in check(data_dir) if f.problem]
    assert "cannot be read" in found[-1].problem and "llmitm restore" in found[-1].fix


def test_one_of_a_newer_program(data_dir):
    with closing(open_database(data_dir / "traffic.db")) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('traffic', 'm999', '')"
        )
    assert "newer llmitm" in wrong(data_dir)["schema"]


def test_one_of_an_older_program_is_told_but_not_wrong(data_dir):
    older(data_dir)
    assert [(f.name, f.problem) for f in check(data_dir)] == [("schema", None)]
