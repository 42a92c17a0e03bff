"""Forgetting a user or a session so that no byte of it stays under `data/`: not in the database, its log, its free pages, its
search index, nor in the journal.

In this order, so that a kill at any point is made good by doing all of it again: what the journal holds is stored; in segments
that a proxy still writes, the frames of the calls are overwritten with sound but empty ones; what people typed about them goes
from `control.db` (see `forget_control`); the rows go, with what only they referred to; the database is written anew into a fresh
file from what is left, which takes the place of the old one.
Calls that are going on are forgotten too, and what still comes of them is not stored; those bytes leave with their segment.
Backups are only touched when asked for: then all go, and a new one is made. What other people's calls share (a system prompt
that many send) is theirs too, and stays.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from intelligence.store import auditing, backup, forget_control, restore, rollups, session_sums, sweep
from intelligence.store.drain import Drain
from intelligence.store.ids import UUID_CHARS
from intelligence.store.jobs import JobError
from intelligence.store.journal import FRAME, NO_CALL, PAYLOAD, Kind
from intelligence.store.journal_reader import JournalError, SegmentReader, is_live, segments

MATCH = {
    "user": "select id from requests where user = :name",
    "session": "select id from calls where session_id = :name",
}
# A WebSocket is forgotten as a whole.
WHOLE_CALL = "select seq, id, run from requests where id >= :id and id < :id || '/'"
# Those of before costs were kept are in no sum until the worker gets to them.
SUMMED = "select 1 where not exists (select 1 from to_read where request = ? and settled = 0)"
BATCH = 500
PLACES = "select segment, position from journal_positions"


def matching(db: sqlite3.Connection, what: str, name: str) -> list[str]:
    """The ids of the calls, without what tells the responses on one WebSocket apart. `what`: `user` or `session`."""
    return sorted({call_id[:UUID_CHARS] for (call_id,) in db.execute(MATCH[what], {"name": name})})


def forget(
    db: sqlite3.Connection, drain: Drain, data_dir: Path, what: str, name: str, *, backups: bool
) -> dict[str, Any]:
    """Closes `db` and `drain`: the database is another file afterwards. Raises `JobError`, `sqlite3.Error`, `OSError`."""
    journal, database = data_dir / "journal", data_dir / "traffic.db"
    try:
        backup.room(data_dir, database.stat().st_size)
    except backup.BackupError as e:
        raise JobError(f"the database is written anew without what is forgotten, and {e}") from None
    _store_all(drain, journal)
    ids = matching(db, what, name)
    left_alone = _blank(journal, dict(db.execute(PLACES).fetchall()), ids)
    forget_control.forget(db, data_dir, set(ids), name if what == "user" else None)
    rows = going_on = 0
    for start in range(0, len(ids), BATCH):
        gone, open_ = _delete(db, ids[start : start + BATCH])
        rows, going_on = rows + gone, going_on + open_
    auditing.go_on(db, data_dir)
    if what == "user":
        _name(db, name)
    _merge_search(db)
    drain.close()
    _rewrite(db, database)
    removed = _clean_backups(data_dir) if backups else []
    return {
        "calls": rows,
        "going_on": going_on,
        "left_alone": [str(path) for path in left_alone],
        "backups_removed": [str(path) for path in removed],
        "backups_left": [str(path) for path in backup.stored(data_dir)] if not backups else [],
    }


def _store_all(drain: Drain, journal: Path) -> None:
    """What the journal held when this began; more may have come since."""
    until = {path.name: path.stat().st_size for path in segments(journal)}
    while drain.step():
        done = drain.positions
        if all(done.get(name, 0) >= size or not (journal / name).exists() for name, size in until.items()):
            return


def _blank(journal: Path, positions: dict[str, int], ids: Iterable[str]) -> list[Path]:
    """Overwrite what is stored of these calls. Returns the segments that cannot be read, and so were not looked into."""
    calls = {bytes.fromhex(call_id.replace("-", "")) for call_id in ids}
    unread = []
    for path in segments(journal):
        try:
            reader = SegmentReader(path)
        except FileNotFoundError:
            continue
        except JournalError:
            unread.append(path)
            continue
        with closing(reader):
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                start = reader.start
                for frame in reader.frames(over=not is_live(path)):
                    if frame.end > positions.get(path.name, 0):
                        break
                    if frame.call in calls:
                        at = start + frame.skipped
                        os.pwrite(fd, _empty(reader.head.marker, frame.end - at), at)
                    start = frame.end
                os.fsync(fd)
            finally:
                os.close(fd)
    return unread


def _empty(marker: bytes, size: int) -> bytes:
    """A sound frame of this size, of no call and a kind that readers pass over."""
    payload = PAYLOAD.pack(Kind.OTHER, NO_CALL, 0).ljust(size - FRAME.size, b"\0")
    return FRAME.pack(marker, len(payload), zlib.crc32(payload)) + payload


def _delete(db: sqlite3.Connection, ids: list[str]) -> tuple[int, int]:
    """Returns how many rows went, and how many calls of these were going on."""
    found = [row for call_id in ids for row in db.execute(WHOLE_CALL, {"id": call_id})]
    seqs = [(seq,) for seq, _, _ in found]
    db.execute("begin immediate")
    try:
        let_go = sweep.held(db, [seq for (seq,) in seqs])
        in_sessions = {
            session
            for seq in seqs
            for (session,) in db.execute("select session from turns where request = ?", seq)
            if session is not None
        }
        going_on = [
            (call_id[:UUID_CHARS], run)
            for seq, call_id, run in found
            if db.execute("select 1 from open_calls where request = ?", (seq,)).fetchone()
        ]
        db.executemany("insert or ignore into forgotten (call, run) values (?, ?)", going_on)
        db.executemany("delete from events where call = ?", [(call_id,) for _, call_id, _ in found])
        rollups.take_out(db, [seq for (seq,) in seqs if db.execute(SUMMED, (seq,)).fetchone()])
        db.executemany("delete from requests where seq = ?", seqs)
        sweep.sweep(db, let_go)
        sweep.sessions(db, in_sessions)
        session_sums.again(db, in_sessions)
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
    return len(found), len(going_on)


def _rewrite(db: sqlite3.Connection, database: Path) -> None:
    """The database anew, from what is in it: nothing of what was deleted can be left between."""
    fresh = database.with_name("traffic.db.rewritten")
    os.close(backup.private_file(fresh))
    try:
        db.execute("vacuum into ?", (str(fresh),))
        db.close()
        fd = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        restore.put_in_place(fresh, database, None)
    finally:
        fresh.unlink(missing_ok=True)


def _clean_backups(data_dir: Path) -> list[Path]:
    """Make one of what is left, then remove those of before."""
    old = [path for path in (data_dir / backup.FOLDER).glob("*") if path.is_file()]
    backup.make_all(data_dir, "daily")
    for path in old:
        path.unlink(missing_ok=True)
    return sorted(old)


def _name(db: sqlite3.Connection, user: str) -> None:
    """A user's name where it stands without a call. Only in tables that this database has."""
    for table in _tables_with(db, "user"):
        db.execute(f'delete from "{table}" where user = ?', (user,))  # noqa: S608 - a name from the schema


def _tables_with(db: sqlite3.Connection, column: str) -> list[str]:
    sql = """
        select t.name from sqlite_schema t, pragma_table_info(t.name) c
        where t.type = 'table' and c.name = ? and t.sql not like 'create virtual%'"""
    return [name for (name,) in db.execute(sql, (column,))]


def _merge_search(db: sqlite3.Connection) -> None:
    """A search index keeps the words of what was deleted until its segments are merged."""
    sql = (
        "select name from sqlite_schema where type = 'table' and sql like 'create virtual table%using fts5%'"
    )
    for (name,) in db.execute(sql).fetchall():
        db.execute(f"""insert into "{name}" ("{name}") values ('optimize')""")  # noqa: S608 - a name from the schema
