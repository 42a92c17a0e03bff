import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intelligence.store import auditing, backup, control, governing, restore
from intelligence.store import migrations as migrations_module
from intelligence.store.governing import Governed
from intelligence.store.jobs import JobError
from intelligence.store.journal import DecisionHead, GovernHead
from intelligence.store.migrations import open_database
from tests.intelligence.store.test_keeping import drained, record
from tests.intelligence.store.traffic import calls


@pytest.fixture
def database(tmp_path):
    record(tmp_path, "one", "two")
    drained(tmp_path)
    return tmp_path / "traffic.db"


def test_restoring_a_newer_one_is_refused(database, tmp_path, monkeypatch):
    path = backup.make(database)
    known = migrations_module.migrations._migrations
    monkeypatch.setattr(migrations_module.migrations, "_migrations", known[:-1])
    before = database.read_bytes()
    with pytest.raises(JobError, match="newer llmitm"):
        restore.restore(tmp_path, path)
    assert database.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_restoring_a_damaged_one_is_refused(database, tmp_path, damage):
    path = backup.make(database)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "cut": data[:middle],
            "flipped": data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :],
            "text": b"not a backup",
        }[damage]
    )
    before = database.read_bytes()
    with pytest.raises(JobError, match=r"damaged|no backup"):
        restore.restore(tmp_path, path)
    assert database.read_bytes() == before
    assert not (tmp_path / "traffic.db.restoring").exists()


def test_restoring_in_place_of_a_damaged_database(database, tmp_path):
    path = backup.make(database)
    database.write_bytes(b"damaged beyond all" * 1000)
    report = restore.restore(tmp_path, path)
    assert report["calls"] == 2
    with closing(open_database(database)) as db:
        assert len(calls(db)) == 2


def test_a_log_left_beside_is_not_played_into_what_comes(database, tmp_path):
    path = backup.make(database)
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("pragma wal_autocheckpoint = 0")
    writer.execute("delete from requests")
    restore.restore(tmp_path, path)
    writer.close()
    with closing(open_database(database)) as db:
        assert len(calls(db)) == 2
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("name", ["copy.db.zst", "copy.db"])
def test_room_is_asked_for_what_it_becomes(database, tmp_path, monkeypatch, name):
    """Not for what it is while compressed."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("create table wide (zeros blob)")
        db.execute("insert into wide values (zeroblob(5000000))")
        db.commit()
    path = backup.make(database, file=tmp_path / name)
    size, before = database.stat().st_size, database.read_bytes()
    for free, restored in ((size, False), (int(size * 1.06), True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: type("Disk", (), {"free": free}))
        if restored:
            assert restore.restore(tmp_path, path)["calls"] == 2
        else:
            with pytest.raises(JobError, match=r"unpacked beside the database first, and .* MB are needed"):
                restore.restore(tmp_path, path)
            assert database.read_bytes() == before
            assert not (tmp_path / "traffic.db.restoring").exists()


def test_decisions_after_a_restore_are_taken_into_the_audit_log(database, tmp_path):
    path = backup.make(database)

    def decide(rule):
        with closing(open_database(database)) as db:
            decision = DecisionHead(rule, "block", "enforce", True, "why")
            governing.store(db, [Governed(1, 1000, GovernHead("v1", "request", [decision] * 2))])
            db.commit()
            return auditing.take(db, tmp_path)

    assert decide("before") == 2
    restore.restore(tmp_path, path)
    assert decide("after") == 2


def people(tmp_path):
    with control.reading(tmp_path) as db:
        users = [name for (name,) in db.execute("select name from users order by name")]
        return users, db.execute("select count(*) from login_sessions").fetchone()[0]


def add(tmp_path, name):
    with control.changing(tmp_path) as db:
        db.execute("insert into users values (?, 'admin', 'hash', 1)", (name,))
        db.execute("insert into login_sessions values (?, ?, 1, 1, '::1')", (name.encode(), name))


def test_control_comes_back_and_everyone_logs_in_again(database, tmp_path):
    control.prepare(tmp_path)
    add(tmp_path, "ann")
    _, path = backup.make_all(tmp_path)
    add(tmp_path, "bob")
    before = database.read_bytes()
    with control.reading(tmp_path) as open_all_along:
        report = restore.restore(tmp_path, path)
        assert open_all_along.execute("select count(*) from users").fetchone()[0] == 1
    assert (report["users"], people(tmp_path)) == (1, (["ann"], 0))
    assert database.read_bytes() == before
    with control.reading(tmp_path) as db:
        assert control.audited(db, 1)[0]["action"] == "restore"
    # What was there can be brought back, too; also where there is no file any more.
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"control.db{suffix}").unlink(missing_ok=True)
    assert restore.restore(tmp_path, Path(report["replaced"]))["replaced"] is None
    assert people(tmp_path) == (["ann", "bob"], 0)


def test_control_of_a_newer_program_or_damaged_is_refused(database, tmp_path, monkeypatch):
    control.prepare(tmp_path)
    add(tmp_path, "ann")
    _, path = backup.make_all(tmp_path, file=tmp_path / "copy.db")
    monkeypatch.setattr(control.migrations, "_migrations", control.migrations._migrations[:-1])
    with pytest.raises(JobError, match="newer llmitm"):
        restore.restore(tmp_path, path)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(JobError):
        restore.restore(tmp_path, path)
    assert people(tmp_path) == (["ann"], 1)
