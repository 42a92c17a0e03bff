import os
import shutil
import sqlite3
import threading
from contextlib import closing

import pytest
import zstandard

from intelligence.store import backup, control, migrations
from intelligence.store.migrations import SchemaError, open_database
from tests.intelligence.store.test_keeping import drained, record
from tests.intelligence.store.test_killed import older
from tests.intelligence.store.traffic import calls


@pytest.fixture
def database(tmp_path):
    record(tmp_path, "one", "two")
    drained(tmp_path)
    return tmp_path / "traffic.db"


def unpacked(path):
    plain = path.with_suffix(".plain")
    with path.open("rb") as packed, plain.open("wb") as out:
        zstandard.ZstdDecompressor().copy_stream(packed, out)
    return plain


def test_a_backup_is_private_whole_and_leaves_no_draft(database):
    path = backup.make(database)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with closing(sqlite3.connect(unpacked(path))) as db:
        assert len(calls(db)) == 2


def test_a_backup_is_of_one_moment_though_the_worker_writes(database, monkeypatch):
    monkeypatch.setattr(backup, "PAGES", 1)
    stop = threading.Event()

    def write():
        with closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as db:
            while not stop.is_set():
                db.execute("begin immediate")
                db.execute("insert into events (at, kind, message, data) values (1, 'a', '', '')")
                db.execute("insert into events (at, kind, message, data) values (1, 'b', '', '')")
                db.execute("commit")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        paths = [backup.make(database) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    for path in paths:
        with closing(sqlite3.connect(unpacked(path))) as db:
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
            assert dict(db.execute("select kind, count(*) from events group by 1")) in (
                {},
                {"a": (n := db.execute("select count(*) / 2 from events").fetchone()[0]), "b": n},
            )


def test_a_named_file(database, tmp_path):
    path = backup.make(database, file=tmp_path / "mine.db")
    with closing(sqlite3.connect(path)) as db:
        assert len(calls(db)) == 2
    with pytest.raises(backup.BackupError, match="there already"):
        backup.make(database, file=path)


def test_rotation_leaves_what_a_person_made(database, tmp_path):
    mine = backup.make(database)
    daily = [backup.make(database, "daily") for _ in range(3)]
    assert backup.rotate(tmp_path, "daily", 2) == daily[:1]
    assert backup.stored(tmp_path) == sorted([mine, *daily[1:]])


def test_due_once_a_day(database, tmp_path):
    assert backup.is_due(tmp_path)
    made = backup.make(database, "daily").stat().st_mtime
    assert not backup.is_due(tmp_path, now=made + 86_000)
    assert backup.is_due(tmp_path, now=made + 86_400)


def test_no_room_is_said_before(database, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Disk", (), {"free": 1000}))
    with pytest.raises(backup.BackupError, match="0 MB are free"):
        backup.make(database)


def test_a_migration_makes_one_first(database, tmp_path):
    older(tmp_path)
    open_database(database).close()
    (made,) = backup.stored(tmp_path, "migration")
    with closing(sqlite3.connect(unpacked(made))) as db:
        columns = [row[1] for row in db.execute("pragma table_info(requests)")]
    assert "pruned" not in columns
    open_database(database).close()
    assert backup.stored(tmp_path, "migration") == [made]


def test_without_room_for_it_nothing_is_migrated(database, tmp_path, monkeypatch):
    older(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Disk", (), {"free": 1000}))
    with pytest.raises(SchemaError, match="must be backed up"):
        open_database(database)


def test_it_goes_to_the_disk_bit_by_bit(database, monkeypatch):
    with closing(sqlite3.connect(database)) as db:
        db.execute("create table more (data blob)")
        db.executemany("insert into more values (?)", [(os.urandom(1 << 20),) for _ in range(12)])
        db.commit()
    monkeypatch.setattr(backup, "SYNC_BYTES", 1 << 20)
    sizes, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (sizes.append(os.fstat(fd).st_size), sync(fd)))
    backup.make(database)
    copied = len(sizes) - sizes[::-1].index(max(sizes))
    for grown in (sizes[:copied], sizes[copied:-1]):  # the last is the folder
        steps = [b - a for a, b in zip([0, *grown], grown, strict=False)]
        assert len(steps) > 2 and max(steps) < 6 << 20


@pytest.mark.parametrize("looks", range(4))
def test_it_is_given_up_at_any_look(database, monkeypatch, looks):
    monkeypatch.setattr(backup, "PAGES", 40)
    monkeypatch.setattr(backup, "BLOCK", 200_000)
    left = iter(range(looks))
    with pytest.raises(backup.Stopped):
        backup.make(database, stop=lambda: next(left, None) is None)
    assert list((database.parent / backup.FOLDER).iterdir()) == []


@pytest.mark.parametrize("when", ["the copy is made", "the steps are run"])
def test_a_migration_is_given_up_and_gone_on_with(database, tmp_path, monkeypatch, when):
    older(tmp_path)
    monkeypatch.setattr(migrations, "STOP_INSTRUCTIONS", 1)
    copied = when == "the steps are run"
    with pytest.raises(backup.Stopped):
        open_database(database, lambda: not copied or bool(backup.stored(tmp_path, "migration")))
    assert len(backup.stored(tmp_path, "migration")) == copied
    with closing(sqlite3.connect(database)) as db:
        applied = {name for (name,) in db.execute("select name from _sqlite_migrations")}
    assert "m030_keeping" not in applied
    with closing(open_database(database)) as db:
        assert len(calls(db)) == 2
        db.execute("insert into forgotten (call, run) values ('x', 'y')")


def test_control_is_backed_up_beside_and_rotated_with_it(database, tmp_path):
    assert backup.make_all(tmp_path)[1] is None
    control.prepare(tmp_path)
    made = [backup.make_all(tmp_path, "daily") for _ in range(3)]
    assert all(beside and beside.name.startswith("control-") for _, beside in made)
    assert backup.rotate(tmp_path, "daily", 1) == [
        *[path for path, _ in made[:2]],
        *[beside for _, beside in made[:2]],
    ]
    named = backup.make_all(tmp_path, file=tmp_path / "copy.db")
    assert named == (tmp_path / "copy.db", tmp_path / "control-copy.db")
    (tmp_path / "copy.db").unlink()
    with pytest.raises(backup.BackupError, match=r"control-copy\.db is there already"):
        backup.make_all(tmp_path, file=tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
