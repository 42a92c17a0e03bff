"""`python -m tests.bench.million [--calls N] FOLDER`: a `data/traffic.db` as a year of traffic would leave it, in minutes.

For looking at pages and measuring queries. Rows are made in bulk beside the journal, from a seeded generator: much the same calls
every time, but for their dates, which end now. A tenth of them is made; the nine tenths before have the same conversations at
other times, under their own ids. What can be is the product's own: schema, hashes, envelopes, costs, sums. Every request can be
put together again and has the hash it should, so `llmitm doctor --db` finds the file sound. Raw answers are there for the last
few thousand calls, as retention would have left them. All calls have ended.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from intelligence.store import bodies, rollups, session_sums
from intelligence.store.batch import INSERT_BODY
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.settle import settle
from intelligence.store.tree import split
from intelligence.store.tree_rows import Tree
from tests.bench.conversation import COLUMNS, Call, Conversation, Ids
from tests.bench.talk import Talk, stream
from tests.bench.workplaces import Workplace, workplaces

DAY_MS = 86_400_000
PARTS = 10
DAYS = 6 * 7  # of a part
RAW_CALLS = 3_000
BATCH = 20_000
HOURS = (1, 1, 1, 1, 1, 1, 2, 4, 8, 12, 13, 12, 8, 11, 13, 13, 12, 9, 6, 4, 3, 3, 2, 1)
FAST = ("foreign_keys = off", "synchronous = off", "journal_mode = memory", "cache_size = -1000000")
INDEXES = "select name, sql from sqlite_schema where type = 'index' and sql is not null and tbl_name in"
# Where nobody worked.
UNUSED = (
    "delete from envelopes where id not in (select envelope from turns)",
    "delete from envelope_parts where envelope not in (select id from envelopes)",
    "delete from messages where kind <> 'message' and id not in (select message from envelope_parts)",
)
EVENT = "insert into events (at, kind, message, data) values (?, 'config_reloaded', 'mitm.toml was read again', '{}')"
# What a call of the last part has, so many calls and ms before: column, and where it is not the same, its SQL.
MOVED = {
    "seq": "seq - :calls",
    "request": "request - :calls",
    "last_request": "last_request - :calls",
    "started_at": "started_at - :ms",
    "last_at": "last_at - :ms",
    "ended_at": "ended_at - :ms",
    "id": "printf('%08x-%04x', (started_at - :ms) >> 16, (started_at - :ms) & 65535) || substr(id, 14)",
}
COPIED = {
    "requests": MOVED,
    "responses": MOVED,
    "costs": MOVED,
    "contexts": MOVED,
    "search_texts": MOVED | {"id": "id - 4 * :calls"},
    "turns": MOVED | {"parent": "parent - :calls", "session": "session + :sessions"},
    "sessions": MOVED | {"seq": "seq + :sessions", "parent": "parent + :sessions"},
}
TABLES = ("turns", "nodes", "messages", "requests", "sessions", "search_texts")


def schedule(rng: random.Random, calls: int, until_ms: int) -> list[tuple[int, int]]:
    """When each call begins, in order, and the number of its session: more every month, few at night and on weekends."""
    found: list[tuple[int, int]] = []
    session = 0
    while len(found) < calls:
        day = until_ms // DAY_MS - DAYS + 1 + int(DAYS * rng.random() ** 0.8)
        if (day + 4) % 7 in (0, 6) and rng.random() < 0.75:
            continue
        hour = rng.choices(range(24), HOURS)[0]
        at = day * DAY_MS + hour * 3_600_000 + rng.randrange(3_600_000)
        kind = rng.random()
        length = (
            1
            if kind < 0.45
            else rng.randint(2, 12)
            if kind < 0.8
            else min(int(rng.expovariate(1 / 40)) + 12, 120)
        )
        for _ in range(length):
            if at >= until_ms or len(found) == calls:
                break
            found.append((at, session))
            at += int(rng.lognormvariate(9.5, 1.0)) + 1
        session += 1
    found.sort()
    return found


def envelopes(db: sqlite3.Connection, places: list[Workplace]) -> list[int]:
    """Stored by the product; the messages that this takes are removed again."""
    tree = Tree(db)
    found = []
    for place in places:
        cut = split(place.prefix + b'{"role":"user"},{"role":"assistant"}]}')
        assert cut is not None
        found.append(tree.put(cut, 1, place.format).envelope)
    db.execute("delete from messages where kind = 'message'")
    db.execute("delete from nodes")
    return found


def fill(db: sqlite3.Connection, calls: int, until_ms: int) -> None:
    made = calls // PARTS
    db.execute("begin")
    times = last_part(db, made, (PARTS - 1) * made, until_ms)
    (sessions,) = db.execute("select count(*) from sessions").fetchone()
    session_sums.again(db, range(1, sessions + 1))
    for n in range(1, PARTS):
        copy(db, made * (PARTS - 1), {"calls": n * made, "ms": n * DAYS * DAY_MS, "sessions": n * sessions})
        print(f"\r{(n + 1) * made:,} calls", end="", flush=True)
    db.execute("update messages set first_request = max(first_request - ?, 1)", ((PARTS - 1) * made,))
    for start in range(1, made * (PARTS - 1) + 1, BATCH):
        rollups.add(db, range(start, min(start + BATCH, made * (PARTS - 1) + 1)))
    for at in random.Random(2).sample(times, min(500, len(times))):
        db.execute(EVENT, (at,))
    for sql in UNUSED:
        db.execute(sql)
    db.execute("commit")


def copy(db: sqlite3.Connection, after: int, moved: dict[str, int]) -> None:
    """The calls after `after`, and their sessions, once more."""
    for table, changed in COPIED.items():
        columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
        values = [changed.get(column, column) for column in columns]
        last = "request" if "request" in columns else "last_request" if table == "sessions" else "seq"
        db.execute(
            f"insert into {table} ({', '.join(columns)}) select {', '.join(values)} from {table} where {last} > :after",
            moved | {"after": after},
        )


def last_part(db: sqlite3.Connection, calls: int, before: int, until_ms: int) -> list[int]:
    """Make these calls, numbered from `before` on. Returns when they began."""
    rng = random.Random(1)
    talk = Talk(rng)
    places, weights = workplaces(rng)
    times = schedule(rng, calls, until_ms)
    left = Counter(session for _, session in times)
    held = envelopes(db, places)
    agents = [n for n, place in enumerate(places) if place.agent]
    scripts = [n for n, place in enumerate(places) if not place.agent]
    chances = {id(group): [weights[n] for n in group] for group in (agents, scripts)}
    ids = Ids(db)
    going_on: dict[int, Conversation] = {}
    latest: dict[tuple[str, str], Conversation] = {}
    rows: dict[str, list[tuple]] = {}
    prices = Prices()
    unwritten: list[int] = []
    for seq, (at, session) in enumerate(times, before + 1):
        conversation = going_on.get(session)
        if conversation is None:
            group = agents if left[session] > 8 or rng.random() < 0.3 else scripts
            place = rng.choices(group, chances[id(group)])[0]
            who = (places[place].user, places[place].client)
            first = latest.get(who)
            parent = first if first and places[place].agent and at - first.at < 300_000 else None
            conversation = Conversation(rng, talk, ids, places[place], held[place], parent)
            going_on[session] = latest[who] = conversation
        call = conversation.call(seq, at)
        for table, row in call.rows:
            rows.setdefault(table, []).append(row)
        if before + calls - seq < RAW_CALLS and call.answer:
            rows.setdefault(INSERT_BODY, []).append(_raw(call, conversation.place.format))
        left[session] -= 1
        if not left[session]:
            rows.setdefault("sessions", []).append(going_on.pop(session).session_row())
        unwritten.append(seq)
        if len(unwritten) == BATCH or seq == before + calls:
            _write(db, rows)
            settle(db, unwritten, prices)
            db.execute("delete from to_read")
            unwritten.clear()
            print(f"\r{seq - before:,} calls", end="", flush=True)
    return [at for at, _ in times]


def _raw(call: Call, format: str) -> tuple:
    assert call.answer
    at_us = 0
    pieces = []
    for data in stream(format, call.answer):
        at_us += 20_000
        pieces.append(bodies.Piece(at_us, data))
    data, arrivals = bodies.pack(pieces)
    return (call.seq, "response", 0, len(data), bodies.compress(data), bodies.compress(arrivals))


def _write(db: sqlite3.Connection, rows: dict[str, list[tuple]]) -> None:
    for table, found in rows.items():
        if found:
            marks = ", ".join("?" * len(found[0]))
            columns = COLUMNS.get(table, "")
            db.executemany(
                table if " " in table else f"insert into {table} ({columns}) values ({marks})", found
            )
        found.clear()


def _without_indexes(db: sqlite3.Connection) -> Iterator[None]:
    """Indexes and the triggers of the search come after the rows: that is many times faster."""
    marks = ", ".join("?" * len(TABLES))
    dropped = db.execute(f"{INDEXES} ({marks})", TABLES).fetchall()
    triggers = db.execute("select name, sql from sqlite_schema where type = 'trigger'").fetchall()
    for name, _ in dropped:
        db.execute(f"drop index {name}")
    for name, _ in triggers:
        db.execute(f"drop trigger {name}")
    yield
    for _, sql in (*dropped, *triggers):
        db.execute(sql)
    db.execute("insert into search_texts_fts (search_texts_fts) values ('rebuild')")


def make(folder: Path, calls: int) -> Path:
    """The database; it must not be there yet."""
    path = folder / "data" / "traffic.db"
    if path.exists():
        raise FileExistsError(path)
    with closing(open_database(path)) as db:
        for pragma in FAST:
            db.execute(f"pragma {pragma}")
        around = _without_indexes(db)
        next(around)
        fill(db, calls, time.time_ns() // 1_000_000)
        print(", then the indexes", flush=True)
        next(around, None)
        db.execute("pragma journal_mode = wal")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.million", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    begin = time.monotonic()
    try:
        path = make(options.folder, options.calls)
    except FileExistsError as e:
        print(f"{e} is there already: name another folder, or remove it first", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e9:.2f} GB in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
