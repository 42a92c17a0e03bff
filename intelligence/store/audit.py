"""The audit log: who changed or decided what, in a chain that shows any later edit, removal, reorder or truncation.

Each entry carries an HMAC over itself and the HMAC before it. The key is `data/audit.key`, outside the database, so whoever can
write `control.db` alone can forge nothing; the last entry is anchored in `data/audit.head`, so cutting off the end shows as well.
Who can write both files and read the key can rewrite history: to hold against that, keep a copy of the head elsewhere
(`llmitm audit head`).

Entries of before the chain was kept have no HMAC; the first chained one is linked to how many they are and to what they say.

Forgetting takes words out of entries: what somebody typed or a call said. Who did what to what, and when, stays. Such an entry
keeps its HMAC, on which the next one stands, and gets another over what is left and the first: so the chain and heads kept
elsewhere hold, and who lacks the key can take nothing out.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KEY, HEAD = "audit.key", "audit.head"
COLUMNS = ("id", "at", "actor", "action", "subject", "before", "after")
# What may be taken out: of `before` and `after`, and where the subject is a name that somebody made up.
WORDS = ("$.reason", "$.failed", "$.query", "$.start")
LEFT = "left:"
NAMED = ("save search", "remove search")

_LAST = "select id, mac from audit_log order by id desc limit 1"
_ENTRY = f"select {', '.join(COLUMNS)}, mac from audit_log"  # noqa: S608
_SEALED = f"select {', '.join(COLUMNS)}, mac, left_mac from audit_log order by id"  # noqa: S608
# Entries without an HMAC are older than almost anything that holds such words.
_LEFT = f"""
select id, at, actor, action, iif(action in {NAMED}, '', subject) as of,
    json_remove(before, {str(WORDS)[1:-1]}) as was, json_remove(after, {str(WORDS)[1:-1]}) as is_, mac
from audit_log where id = ? and mac is not null and left_mac is null
    and (of <> subject or was is not json(before) or is_ is not json(after))"""  # noqa: S608
_LEAVE = "update audit_log set subject = ?, before = ?, after = ?, left_mac = ? where id = ?"
_INSERT = """
insert into audit_log (id, at, actor, action, subject, before, after, mac) values (?, ?, ?, ?, ?, ?, ?, ?)"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry, as anchored."""

    id: int
    mac: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and at which entry it shows."""

    id: int
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """`chained` entries were checked, `before_chain` are older than the chain, `after_head` were written after the anchor was
    (a process died between; sound by themselves), `forgotten` had words taken out."""

    entries: int
    chained: int
    before_chain: int
    after_head: int
    faults: list[Fault]
    forgotten: int = 0


def append(
    db: sqlite3.Connection,
    at: int,
    actor: str,
    action: str,
    subject: str,
    before: Any = None,
    after: Any = None,
) -> None:
    """Inside the caller's transaction, begun as a writer. Raises `sqlite3.Error`, `OSError`."""
    folder = _folder(db)
    last = db.execute(_LAST).fetchone()
    key = key_of(folder)
    id_ = (last[0] if last else 0) + 1
    previous = last[1] if last and last[1] else _genesis(db, key)
    entry = (id_, at, actor, action, subject, _json(before), _json(after))
    db.execute(_INSERT, (*entry, _mac(key, previous, entry)))


def anchor(db: sqlite3.Connection) -> None:
    """After the commit: tell the head what the last entry is. Raises `OSError`."""
    last = db.execute(_LAST).fetchone()
    if last is None or last[1] is None:
        return
    path = _folder(db) / HEAD
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with closing(os.fdopen(fd, "r+", encoding="utf-8")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        there = _parsed(file.read())
        if there and there.id >= last[0]:
            return
        file.seek(0)
        file.write(json.dumps(asdict(Head(last[0], last[1]))) + "\n")
        file.truncate()


def forget(db: sqlite3.Connection, ids: Iterable[int]) -> int:
    """Take the words out of these entries, in the caller's transaction. Returns how many had any. Raises `sqlite3.Error`,
    `OSError`."""
    count = 0
    for id_ in ids:
        row = db.execute(_LEFT, (id_,)).fetchone()
        if row is not None:
            entry, mac = tuple(row)[:-1], row[-1]
            db.execute(_LEAVE, (*entry[4:], _mac(key_of(_folder(db)), LEFT + mac, entry), id_))
            count += 1
    return count


def head(folder: Path) -> Head | None:
    """What is anchored; None where nothing is, or nothing that can be read."""
    return read_head(folder / HEAD)


def read_head(path: Path) -> Head | None:
    """The same of a copy that was kept elsewhere."""
    try:
        return _parsed(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def verify(db: sqlite3.Connection, given: Head | None = None) -> Report:
    """Every entry, in order. `given` is a head kept elsewhere. Raises `sqlite3.Error`, `OSError`."""
    folder = _folder(db)
    faults: list[Fault] = []
    entries = chained = before_chain = after_head = forgotten = 0
    key = key_of(folder) if (folder / KEY).exists() else b""
    anchors = {one.id: one.mac for one in (head(folder), given) if one}
    if (
        not (folder / HEAD).exists()
        and db.execute("select 1 from audit_log where mac is not null").fetchone()
    ):
        faults.append(Fault(0, f"{folder / HEAD} is gone: entries cut off at the end would not show"))
    previous: str | None = None
    expected = 1
    for row in db.execute(_SEALED):
        entry, mac, left = tuple(row)[:-2], row[-2], row[-1]
        entries += 1
        if entry[0] != expected:
            faults.append(Fault(entry[0], f"{entry[0] - expected} entries before it are missing"))
        expected = entry[0] + 1
        if mac is None:
            before_chain += 1
            if previous is not None:
                faults.append(Fault(entry[0], "it has no seal, though those before it have"))
            continue
        if previous is None:
            previous = _genesis(db, key)
        forgotten += left is not None
        if not hmac.compare_digest(_mac(key, previous if left is None else LEFT + mac, entry), left or mac):
            faults.append(Fault(entry[0], "it, or the one before it, is not what was written"))
        chained += 1
        previous = mac
        if entry[0] in anchors and anchors[entry[0]] != mac:
            faults.append(Fault(entry[0], "it is not the one that was anchored"))
        after_head += bool(anchors) and entry[0] > max(anchors)
    last = expected - 1
    faults += [
        Fault(id_, f"the log ended with entry {id_} once; now it ends with {last}")
        for id_ in anchors
        if id_ > last
    ]
    return Report(entries, chained, before_chain, after_head, faults, forgotten)


def entries(
    db: sqlite3.Connection, since_ms: int | None = None, until_ms: int | None = None
) -> Iterator[dict[str, Any]]:
    """Of a period, oldest first."""
    where = " where (?1 is null or at >= ?1) and (?2 is null or at < ?2) order by id"
    for row in db.execute(_ENTRY + where, (since_ms, until_ms)):
        yield dict(zip((*COLUMNS, "mac"), row, strict=True))


def key_of(folder: Path) -> bytes:
    """Made at first use, 0600. Raises `OSError`."""
    path = folder / KEY
    with suppress(FileExistsError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(32))
    return path.read_bytes()


def _genesis(db: sqlite3.Connection, key: bytes) -> str:
    """What the first chained entry follows: the entries of before."""
    digest = hashlib.sha256()
    for row in db.execute(f"{_ENTRY} where mac is null order by id"):
        digest.update(_canonical(tuple(row)[:-1]))
    return hmac.new(key, b"genesis" + digest.digest(), "sha256").hexdigest()


def _mac(key: bytes, previous: str, entry: tuple[Any, ...]) -> str:
    return hmac.digest(key, previous.encode() + _canonical(entry), "sha256").hex()


def _canonical(entry: tuple[Any, ...]) -> bytes:
    return json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode()


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _folder(db: sqlite3.Connection) -> Path:
    (path,) = (row[2] for row in db.execute("pragma database_list") if row[1] == "main")
    return Path(path).parent


def _parsed(text: str) -> Head | None:
    try:
        value = json.loads(text)
        return Head(int(value["id"]), str(value["mac"]))
    except (ValueError, KeyError, TypeError):
        return None
