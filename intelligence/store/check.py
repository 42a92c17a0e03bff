"""Is `traffic.db` sound? Everything that can be derived again is derived again and compared. Reads one snapshot, writes nothing,
and may run beside the worker; a large record takes minutes.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import zstandard

from intelligence.store import bodies, queries, views
from intelligence.store.journal_reader import JournalError, SegmentReader, is_live
from intelligence.store.migrations import SchemaError, migrations, refuse_newer
from intelligence.store.sqlite_tools import sqlite_utils
from intelligence.store.tree import key_of
from intelligence.store.tree_rows import unpack_part

SHOWN = 3
RESTORE = "put a backup in its place: `llmitm restore` with the newest file of data/backups"
REPORT = "the record is readable; please report this with the output of `llmitm doctor --db --json`"

# Rows that point at nothing, or that nothing points at. Each says what it found.
ORPHANS = {
    "an answer without its call": "select request from responses where request not in (select seq from requests)",
    "a body without its call": "select id from bodies where request not in (select seq from requests)",
    "a waiting piece of a call that is over": """
        select c.id from open_chunks c where c.request not in (select request from open_calls)""",
    "a pending call that nobody waits for": """
        select id from requests where state = 'pending' and substr(id, 1, 36) not in
            (select q.id from open_calls o join requests q on q.seq = o.request)""",
    "a turn whose last message is not there": """
        select request from turns where tip > 0 and tip not in (select id from nodes)""",
    "a turn whose envelope is not there": """
        select request from turns where envelope is not null and envelope not in (select id from envelopes)""",
    "a step of a conversation without the one before": """
        select id from nodes where parent > 0 and parent not in (select id from nodes)""",
    "a step of a conversation without its message": """
        select id from nodes where message not in (select id from messages)""",
    "an envelope without a part": """
        select envelope from envelope_parts where message not in (select id from messages)""",
    "a conversation that no call ends at": """
        select id from nodes n where not exists (select 1 from nodes c where c.parent = n.id)
            and not exists (select 1 from turns where tip = n.id)""",
    "an envelope of no call": """
        select id from envelopes where id not in (select envelope from turns where envelope is not null)""",
    "a message of no call": """
        select id from messages where id not in (select message from nodes)
            and id not in (select message from envelope_parts)""",
    "a session without a call": "select id from sessions where seq not in (select session from turns where session is not null)",
}
BODIES = "select id, request, kind, part, bytes, data, arrivals from bodies order by request, kind, part"
HASH = """
select id, body_sha256 from requests where seq = ? and body_sha256 is not null and not body_redacted
    and not truncated and not websocket"""
MESSAGES = "select id, hash, kind, bytes, data, text from messages"
SEARCHED = """
select (select count(*) from search_texts), (select count(*) from search_texts_fts_docsize),
    (select count(*) from search_texts t join search_texts_fts_docsize d on d.id = t.id)"""
SUMS = """
with kept as (
    select hour, sum(requests) as n, sum(input_tokens) as i, sum(output_tokens) as o from rollup_hourly group by 1),
added as (
    select q.started_at / 3600000 * 3600000 as hour, count(*) as n, sum(r.input_tokens) as i, sum(r.output_tokens) as o
    from requests q left join responses r on r.request = q.seq
    where q.state <> 'pending' and q.seq not in (select request from to_read where settled = 0) group by 1)
select coalesce(k.hour, a.hour), k.n, k.i, k.o, a.n, a.i, a.o from kept k full join added a on a.hour = k.hour"""

SUMS_OF_DAYS = """
with kept as (
    select day, sum(requests) as n, sum(input_tokens) as i, sum(output_tokens) as o from rollup_daily group by 1),
added as (
    select hour / 86400000 * 86400000 as day, sum(requests) as n, sum(input_tokens) as i, sum(output_tokens) as o
    from rollup_hourly group by 1)
select coalesce(k.day, a.day), k.n, k.i, k.o, a.n, a.i, a.o from kept k full join added a on a.day = k.day"""


SUMS_OF_WEEKS = SUMS_OF_DAYS.replace(
    "hour / 86400000 * 86400000", "(hour - 345600000) / 604800000 * 604800000 + 345600000"
)
SUMS_OF_WEEKS = SUMS_OF_WEEKS.replace("rollup_daily", "rollup_weekly").replace("day", "week")
SUMS_OF_SESSIONS = """
with added as (
    select t.session, count(*) as n, sum(q.state = 'error') as e, sum(r.input_tokens) as i, sum(r.output_tokens) as o,
        round(sum(c.usd), 6) as u
    from turns t join requests q on q.seq = t.request left join responses r on r.request = t.request
        left join costs c on c.request = t.request
    where t.session is not null and q.state <> 'pending' group by t.session)
select s.id, s.ended, s.errors, s.input_tokens, s.output_tokens, s.cost_usd, coalesce(a.n, 0), coalesce(a.e, 0), a.i, a.o, a.u
from sessions s left join added a on a.session = s.seq
where (s.ended, s.errors) is not (coalesce(a.n, 0), coalesce(a.e, 0)) or s.input_tokens is not a.i or s.output_tokens is not a.o
    or (s.cost_usd is null) is not (a.u is null) or abs(s.cost_usd - a.u) > 0.00001"""


@dataclass(frozen=True)
class Finding:
    """`problem` is None where all is well; `detail` then says what was looked at."""

    name: str
    detail: str
    problem: str | None = None
    fix: str = ""


def check(data_dir: Path) -> Iterator[Finding]:
    """Each as soon as it is known; ends early when the file cannot be read any further."""
    database = data_dir / "traffic.db"
    if not database.exists():
        yield Finding("database", f"{database} is not there: nothing was recorded yet")
        return
    try:
        with closing(queries.connect(database, timeout_seconds=30)) as db:
            db.row_factory = None
            db.execute("begin")
            refuse_newer(db, database)
            if older := [step.name for step in migrations.pending(sqlite_utils.Database(db))]:
                yield Finding(
                    "schema", f"of an older llmitm; the worker adds {', '.join(older)} when it starts"
                )
                return
            for name, look, fix in CHECKS:
                yield _found(name, look(db, data_dir), fix)
    except SchemaError as e:
        yield Finding("schema", "", str(e), "upgrade llmitm")
    except sqlite3.DatabaseError as e:
        yield Finding("database", "", f"{database} cannot be read: {e}", RESTORE)


def _found(name: str, look: Iterator[str], fix: str) -> Finding:
    """`look` gives what is wrong, one line each, and at last what was looked at, after `ok: `."""
    wrong: list[str] = []
    count, detail = 0, ""
    for line in look:
        if line.startswith("ok: "):
            detail = line.removeprefix("ok: ")
        else:
            count += 1
            wrong = [*wrong, line][:SHOWN]
    more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
    return Finding(name, detail, "; ".join(wrong) + more if wrong else None, fix if wrong else "")


def _integrity(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    for (line,) in db.execute("pragma integrity_check"):
        if line != "ok":
            yield line
    (pages,) = db.execute("pragma page_count").fetchone()
    yield f"ok: {pages:,} pages"


def _foreign_keys(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    for table, row, parent, _number in db.execute("pragma foreign_key_check"):
        yield f"row {row} of {table} points at a row of {parent} that is not there"
    yield "ok: every row has what it points at"


def _views(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    there = dict(db.execute("select name, sql from sqlite_schema where type = 'view'").fetchall())
    wanted = {name: f"CREATE VIEW {name} as {select}" for name, select in views.VIEWS.items()}
    for name in wanted.keys() | there.keys():
        if there.get(name) != wanted.get(name):
            yield f"the view {name} is not this program's"
    for name in wanted.keys() & there.keys():
        try:
            db.execute(f'select * from "{name}" limit 1').fetchall()  # noqa: S608 - a name from the schema
        except sqlite3.OperationalError as e:
            yield f"the view {name} cannot be read: {e}"
    yield f"ok: {', '.join(wanted)}"


def _orphans(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    for what, sql in ORPHANS.items():
        for (row,) in db.execute(sql):
            yield f"{what} ({row})"
    yield "ok: none"


def _bodies(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """That each can be unpacked, parts follow one another, and a request's hash is that of its bytes."""
    count, last, next_part, sha = 0, (0, ""), 0, hashlib.sha256()
    for row_id, request, kind, part, size, data, arrivals in db.execute(BODIES):
        count += 1
        if (request, kind) != last:
            yield from _hash(db, last, sha)
            last, next_part, sha = (request, kind), 0, hashlib.sha256()
        if part != next_part:
            yield f"body {row_id}: part {part} comes where {next_part} should"
        next_part = part + 1
        try:
            plain = bodies.decompress(data)
            pieces = list(bodies.unpack(plain, bodies.decompress(arrivals))) if arrivals else []
        except (zstandard.ZstdError, ValueError) as e:
            yield f"body {row_id} cannot be unpacked: {e}"
            continue
        if len(plain) != size or (arrivals and sum(len(piece.data) for piece in pieces) != size):
            yield f"body {row_id} is {len(plain)} bytes and should be {size}"
        sha.update(plain)
    yield from _hash(db, last, sha)
    yield f"ok: {count:,} unpacked, hashes as recorded"


def _hash(db: sqlite3.Connection, body: tuple[int, str], sha: hashlib._Hash) -> Iterator[str]:
    seq, kind = body
    if kind == "request" and (row := db.execute(HASH, (seq,)).fetchone()) and row[1] != sha.hexdigest():
        yield f"the request body of {row[0]} has another hash than was recorded"


def _messages(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    count = 0
    for row_id, key, kind, size, data, text in db.execute(MESSAGES):
        count += 1
        try:
            plain = unpack_part(data, text)
        except zstandard.ZstdError as e:
            yield f"message {row_id} cannot be unpacked: {e}"
            continue
        if len(plain) != size or key_of(kind, plain) != key:
            yield f"message {row_id} is not what its hash says"
    yield f"ok: {count:,} unpacked, hashes derived again"


def _positions(db: sqlite3.Connection, data_dir: Path) -> Iterator[str]:
    """Where storing goes on in each segment of the journal must be the border of a frame."""
    count = 0
    for name, position in db.execute(queries.POSITIONS).fetchall():
        path = data_dir / "journal" / name
        try:
            reader = SegmentReader(path)
        except (
            FileNotFoundError,
            JournalError,
        ):  # stored and removed; or damaged at its head, which the worker logs
            continue
        with closing(reader):
            count += 1
            borders = (frame.end for frame in reader.frames(over=not is_live(path)) if frame.end >= position)
            if position > reader.start and next(borders, None) != position:
                yield f"{name}: stored up to {position}, where no frame ends"
    yield f"ok: {count} segments"


def _search(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """Each text is in the index once, and nothing else is."""
    texts, indexed, both = db.execute(SEARCHED).fetchone()
    if not texts == indexed == both:
        yield f"{texts:,} texts, {indexed:,} in the index, {both:,} of them the same"
    yield f"ok: {texts:,} texts"


def _hours(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """The hours' sums, added up again from the calls."""
    return _sums(db, "hour", SUMS)


def _days(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """The days' sums, added up again from the hours'."""
    return _sums(db, "day", SUMS_OF_DAYS)


def _sums(db: sqlite3.Connection, period: str, sql: str) -> Iterator[str]:
    count = 0
    for begin, *counts in db.execute(sql):
        count += 1
        kept, added = counts[:3], counts[3:]
        if kept != added:
            yield f"{period} {begin}: requests, input and output tokens are {kept} and should be {added}"
    yield f"ok: {count:,} {period}s"


def _weeks(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """The weeks' sums, added up again from the hours'."""
    return _sums(db, "week", SUMS_OF_WEEKS)


def _session_sums(db: sqlite3.Connection, _: Path) -> Iterator[str]:
    """What stands in the row of each session, added up again from its calls."""
    for session, *counts in db.execute(SUMS_OF_SESSIONS):
        kept, added = tuple(counts[:5]), tuple(counts[5:])
        yield f"session {session}: calls, errors, tokens and cost are {kept} and should be {added}"
    (count,) = db.execute("select count(*) from sessions").fetchone()
    yield f"ok: {count:,} sessions"


Look = Callable[[sqlite3.Connection, Path], Iterator[str]]
CHECKS: tuple[tuple[str, Look, str], ...] = (
    ("integrity", _integrity, RESTORE),
    ("foreign keys", _foreign_keys, RESTORE),
    ("views", _views, "start the worker once; it puts them right"),
    ("orphans", _orphans, REPORT),
    ("bodies", _bodies, RESTORE),
    ("messages", _messages, RESTORE),
    ("journal", _positions, REPORT),
    ("search", _search, REPORT),
    ("hourly sums", _hours, REPORT),
    ("daily sums", _days, REPORT),
    ("weekly sums", _weeks, REPORT),
    ("session sums", _session_sums, REPORT),
)
