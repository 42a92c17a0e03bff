"""Log-ins: attempts, which are throttled, and the sessions that come of them.

An attempt is written down before its password is looked at, and stays unless the password was right: so neither attempts side
by side nor a restart get around the limits. They count by name and address together, by address, and by name;
the last is wide, as anybody could otherwise lock a person out. A name nobody has is treated as one that somebody has.

A session is a random token of 256 bits, of which `control.db` holds the SHA-256. It ends `IDLE_MS` after it was last used,
`LONGEST_MS` after the log-in, when the user logs out, gets another password or is removed. The role is the user's
at the moment of asking, never the session's.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from intelligence.store import accounts
from intelligence.store.control import audit, changing, now_ms, reading

IDLE_MS = 12 * 3600 * 1000
LONGEST_MS = 7 * 24 * 3600 * 1000
# Use is noted this exactly, so that reading pages seldom writes.
SEEN_MS = 60 * 1000

WINDOW_MS = 15 * 60 * 1000
MOST_BY_BOTH = 5
MOST_BY_ADDRESS = 20
MOST_BY_NAME = 50


class Throttled(Exception):
    """Too many attempts. The message is for the user."""


@dataclass(frozen=True)
class Login:
    """Who a token stands for, now."""

    user: str
    role: accounts.Role


COUNT = """
select total(user_sha256 = :user and address = :address) >= :by_both
    or total(address = :address) >= :by_address
    or total(user_sha256 = :user) >= :by_name
from login_attempts"""
LIVE = """
select user, role, seen_at from login_sessions join users on user = name
where token_sha256 = ? and login_sessions.created_at > ? and seen_at > ?"""


def log_in(data_dir: Path, name: str, password: str, address: str) -> str | None:
    """The token of a new session; `None` if name or password are wrong. Raises `Throttled`, `sqlite3.Error`."""
    name = name.strip().lower()
    with changing(data_dir) as db:
        _attempt(db, name, address)
        row = db.execute("select password_hash from users where name = ?", (name,)).fetchone()
        stored = row and row[0]
    if not accounts.matches(stored, password):
        return None
    token = secrets.token_urlsafe(32)
    with changing(data_dir) as db:
        # The user may have been removed, or given another password, while we looked.
        if not db.execute(
            "select 1 from users where name = ? and password_hash = ?", (name, stored)
        ).fetchone():
            return None
        now = now_ms()
        db.execute(
            "delete from login_attempts where user_sha256 = ? and address = ?", (_digest(name), address)
        )
        db.execute(
            "delete from login_sessions where created_at <= ? or seen_at <= ?",
            (now - LONGEST_MS, now - IDLE_MS),
        )
        db.execute(
            "insert into login_sessions values (?, ?, ?, ?, ?)", (_digest(token), name, now, now, address)
        )
        audit(db, name, "log in", name, None, {"address": address})
    return token


def look(data_dir: Path, token: str) -> Login | None:
    """Who is logged in by `token`. Raises `sqlite3.Error`."""
    now, digest = now_ms(), _digest(token)
    with reading(data_dir) as db:
        row = db.execute(LIVE, (digest, now - LONGEST_MS, now - IDLE_MS)).fetchone()
    if row is None:
        return None
    if now - row["seen_at"] >= SEEN_MS:
        with changing(data_dir) as db:
            db.execute("update login_sessions set seen_at = ? where token_sha256 = ?", (now, digest))
    return Login(row["user"], row["role"])


def log_out(data_dir: Path, token: str, *, everywhere: bool = False) -> None:
    """End the session of `token`, or all of its user's. Raises `sqlite3.Error`."""
    with changing(data_dir) as db:
        row = db.execute(
            "select user from login_sessions where token_sha256 = ?", (_digest(token),)
        ).fetchone()
        if row is None:
            return
        if everywhere:
            db.execute("delete from login_sessions where user = ?", (row["user"],))
        else:
            db.execute("delete from login_sessions where token_sha256 = ?", (_digest(token),))
        audit(db, row["user"], "log out everywhere" if everywhere else "log out", row["user"])


def end_sessions(db: sqlite3.Connection, actor: str, name: str) -> None:
    """Log another person out."""
    ended = db.execute("delete from login_sessions where user = ?", (name,)).rowcount
    audit(db, actor, "end sessions", name, {"sessions": ended}, {"sessions": 0})


def _attempt(db: sqlite3.Connection, name: str, address: str) -> None:
    """Write the attempt down. Raises `Throttled`."""
    now = now_ms()
    db.execute("delete from login_attempts where at <= ?", (now - WINDOW_MS,))
    user = _digest(name)
    limits = {"by_both": MOST_BY_BOTH, "by_address": MOST_BY_ADDRESS, "by_name": MOST_BY_NAME}
    if db.execute(COUNT, {"user": user, "address": address, **limits}).fetchone()[0]:
        raise Throttled(f"Too many attempts. Try again in {WINDOW_MS // 60_000} minutes.")
    db.execute("insert into login_attempts (at, user_sha256, address) values (?, ?, ?)", (now, user, address))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
