"""`control.db`: what people decide, as opposed to what was recorded. Its schema, its transactions, and the audit log.

Any of our processes writes it, in transactions so short that none waits long for another. It is a file of its own, so that the
dashboard can read `traffic.db` without being able to write it, and SQL typed there never meets a password hash.

Whatever a person changes is written down by `audit`, in the transaction that changes it: who, when, what, before and after.
Triggers let nothing leave `audit_log`, and nothing change in it but what `audit.forget` takes out. That keeps the program honest;
who writes the file itself is found out by the chain that `audit` keeps.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from intelligence.store.audit import HEAD, anchor, append
from intelligence.store.sqlite_tools import Migrations, sqlite_utils

NAME = "control.db"
WAIT_SECONDS = 10

migrations = Migrations("control")


class ControlError(Exception):
    """`control.db` must not be touched. The message is for the user."""


def prepare(data_dir: Path) -> None:
    """Make the file, or bring it up to date. Raises `ControlError`, `sqlite3.Error`, `OSError`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / NAME
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with closing(_open(path)) as db:
        db.execute("pragma journal_mode = wal")
        refuse_newer(db, path)
        migrations.apply(sqlite_utils.Database(db))


@contextmanager
def reading(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """A connection to look with. Raises `sqlite3.Error`, also if the file is not there."""
    with closing(_open(data_dir / NAME)) as db:
        db.execute("pragma query_only = on")
        yield db


@contextmanager
def changing(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """One transaction, begun as a writer: what is read in it stays true until its end. Raises `sqlite3.Error`."""
    with closing(_open(data_dir / NAME)) as db:
        db.execute("begin immediate")
        try:
            yield db
        except BaseException:
            db.execute("rollback")
            raise
        db.execute("commit")
        if db.total_changes:
            anchor(db)


def replace(data_dir: Path, source: sqlite3.Connection, name: str) -> None:
    """Put another one's content in its place, at once for everyone; `name` is what the audit log says it was. Nobody is logged in
    afterwards. Raises `sqlite3.Error`."""
    with closing(_open(data_dir / NAME)) as db:
        source.backup(db)
    (data_dir / HEAD).unlink(missing_ok=True)  # it is of the log that was; the new one tells of the change
    with changing(data_dir) as db:
        db.execute("delete from login_sessions")
        audit(db, "llmitm restore", "restore", NAME, None, {"file": name})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def audit(
    db: sqlite3.Connection, actor: str, action: str, subject: str, before: Any = None, after: Any = None
) -> None:
    """Write down that `actor` did `action` to `subject`. `before` and `after` are JSON values without secrets."""
    append(db, now_ms(), actor, action, subject, before, after)


def audited(
    db: sqlite3.Connection,
    limit: int,
    before_id: int | None = None,
    *,
    actor: str | None = None,
    action: str | None = None,
) -> list[dict[str, Any]]:
    """The latest entries first, those older than entry `before_id`; of one who, or one what."""
    where = "".join(
        f" and {name} = ?{n}" for name, value, n in (("actor", actor, 3), ("action", action, 4)) if value
    )
    rows = db.execute(
        "select id, at, actor, action, subject, before, after from audit_log "  # noqa: S608
        f"where id < coalesce(?1, 9223372036854775807){where} order by id desc limit ?2",
        (before_id, limit, actor, action)[: 4 if action else 3 if actor else 2],
    )
    return [dict(row) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    """Never makes the file: one without a schema would be of no use to anyone."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    db.row_factory = sqlite3.Row
    db.execute("pragma foreign_keys = on")
    db.execute("pragma secure_delete = on")
    return db


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raises `ControlError` if the file knows migrations that this program does not."""
    known = {step.name for step in migrations.pending(sqlite_utils.Database(memory=True))}
    applied = {step.name for step in migrations.applied(sqlite_utils.Database(db))}
    if newer := sorted(applied - known):
        raise ControlError(
            f"{path} was made by a newer llmitm (it has {', '.join(newer)}). "
            "Upgrade llmitm, or set store.dir in mitm.toml to another folder."
        )


@migrations()
def c001_people(db: sqlite_utils.Database) -> None:
    for statement in (
        """
        create table users (
            name text primary key,
            role text not null check (role in ('viewer', 'reviewer', 'admin')),
            password_hash text not null,
            created_at integer not null
        ) strict, without rowid
        """,
        # The browser holds the token; here is only its SHA-256, so that a copy of this file logs nobody in.
        """
        create table login_sessions (
            token_sha256 blob primary key,
            user text not null references users (name) on delete cascade,
            created_at integer not null,
            seen_at integer not null,
            address text not null
        ) strict, without rowid
        """,
        "create index login_sessions_user on login_sessions (user)",
        # Log-ins that failed or are being checked. Names are hashed: people type passwords there by mistake.
        """
        create table login_attempts (
            id integer primary key,
            at integer not null,
            user_sha256 blob not null,
            address text not null
        ) strict
        """,
        "create index login_attempts_at on login_attempts (at)",
        """
        create table settings (
            user text not null,
            name text not null,
            value text not null,
            primary key (user, name)
        ) strict, without rowid
        """,
        """
        create table audit_log (
            id integer primary key autoincrement,
            at integer not null,
            actor text not null,
            action text not null,
            subject text not null,
            before text,
            after text
        ) strict
        """,
        """
        create trigger audit_log_no_update before update on audit_log
        begin select raise(abort, 'audit_log is append-only'); end
        """,
        """
        create trigger audit_log_no_delete before delete on audit_log
        begin select raise(abort, 'audit_log is append-only'); end
        """,
    ):
        db.execute(statement)


@migrations()
def c002_saved_searches(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table saved_searches (
            id integer primary key,
            user text not null,
            name text not null,
            query text not null,
            sort text not null,
            shared integer not null,
            created_at integer not null,
            unique (user, name)
        ) strict
    """)


@migrations()
def c010_audit_chain(db: sqlite_utils.Database) -> None:
    db.execute("alter table audit_log add column mac text")
    # How far the decisions in traffic.db have been taken into the log.
    db.execute(
        "create table audited_decisions (one integer primary key check (one = 1), last integer not null) strict"
    )
    db.execute("insert into audited_decisions values (1, 0)")


@migrations()
def c020_reviews(db: sqlite_utils.Database) -> None:
    # `digest` is that of what was seen, or names a decision.
    db.execute("""
        create table reviews (
            digest text primary key,
            kind text not null,
            type text not null,
            call text not null,
            verdict text not null check (verdict in ('confirmed', 'dismissed', 'allowed')),
            user text not null,
            at integer not null,
            reason text not null,
            until text
        ) strict, without rowid
    """)
    db.execute("create index reviews_allowed on reviews (at) where verdict = 'allowed'")


@migrations()
def c021_policy_history(db: sqlite_utils.Database) -> None:
    # NULL: there was, or is, no such file.
    db.execute("""
        create table policy_history (
            id integer primary key,
            file text not null,
            at integer not null,
            user text not null,
            reason text not null,
            before text,
            after text
        ) strict
    """)
    db.execute("create index policy_history_file on policy_history (file, id)")


@migrations()
def c022_audit_filters(db: sqlite_utils.Database) -> None:
    db.execute("create index audit_log_actor on audit_log (actor, id)")
    db.execute("create index audit_log_action on audit_log (action, id)")


@migrations()
def c023_audit_forgets(db: sqlite_utils.Database) -> None:
    # Over what is left of an entry of which words were taken out.
    db.execute("alter table audit_log add column left_mac text")
    db.execute("drop trigger audit_log_no_update")
    words = "'$.reason', '$.failed', '$.query', '$.start'"
    db.execute(f"""
        create trigger audit_log_no_update before update on audit_log
        when old.mac is null or old.left_mac is not null or new.left_mac is null
            or (new.id, new.at, new.actor, new.action, new.mac) is not (old.id, old.at, old.actor, old.action, old.mac)
            or new.subject not in (old.subject, '')
            or new.before is not json_remove(old.before, {words})
            or new.after is not json_remove(old.after, {words})
        begin select raise(abort, 'audit_log is append-only'); end
    """)
