import os
import sqlite3
from contextlib import closing

import pytest
import sqlite_utils

from intelligence.store.migrations import SchemaError, migrations, open_database

# DESIGN: other people's tools hold on to these names and their order.
CALLS = (
    "id session_id started_at user client provider operation host path model response_model stream state status_code "
    "finish_reason input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens usage_raw cost_usd "
    "ttft_ms duration_ms chunks text tool_calls error_type error_message decision pattern_id"
).split()


def test_the_view_calls_has_the_columns_it_promises(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as db:
        assert [column[0] for column in db.execute("select * from calls").description] == CALLS


def test_private_wal_and_ready_to_shrink(tmp_path):
    with closing(open_database(tmp_path / "new" / "traffic.db")) as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)
        assert db.execute("pragma auto_vacuum").fetchone() == (2,)
        assert db.execute("pragma foreign_keys").fetchone() == (1,)
        modes = {
            name: os.stat(tmp_path / "new" / name).st_mode & 0o777 for name in os.listdir(tmp_path / "new")
        }
    assert modes == dict.fromkeys(["traffic.db", "traffic.db-wal", "traffic.db-shm"], 0o600)


def test_opening_again_changes_nothing(tmp_path):
    for _ in range(2):
        with closing(open_database(tmp_path / "traffic.db")) as db:
            applied = migrations.applied(sqlite_utils.Database(db))
            assert [step.name for step in applied] == [step.name for step in migrations._migrations]


def test_a_database_of_a_newer_program_is_refused_untouched(tmp_path):
    path = tmp_path / "traffic.db"
    with closing(open_database(path)) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('traffic', 'm999_later', '')"
        )
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"traffic\.db was made by a newer llmitm .*m999_later.*Upgrade"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_said(tmp_path):
    path = tmp_path / "traffic.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(path)


def test_deleting_a_request_takes_along_what_belongs_to_it(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as db:
        db.execute("""insert into requests (seq, id, run, state, started_at, websocket, body_redacted, truncated)
            values (1, 'a', 'r', 'complete', 1, 0, 0, 0)""")
        db.execute("insert into responses (request, body_redacted) values (1, 0)")
        db.execute("insert into bodies (request, kind, part, bytes, data) values (1, 'request', 0, 0, '')")
        db.execute("delete from requests")
        assert db.execute(
            "select (select count(*) from responses) + (select count(*) from bodies)"
        ).fetchone() == (0,)
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("insert into responses (request, body_redacted) values (7, 0)")
