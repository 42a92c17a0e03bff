"""People who may use the dashboard: names, roles, passwords. In `control.db`, each change with its entry in the audit log.

Functions take the connection of a transaction (`control.changing`) and the name of who asks. Passwords are kept as argon2id
hashes with the parameters of the library, which are RFC 9106's second choice (64 MiB, three passes). There is always one admin
once there is one. A name is lower-case and never one that other actors have in the audit log.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from intelligence.store.control import audit, now_ms

Role = Literal["viewer", "reviewer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME_FORM = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
# `local` is who uses a dashboard without log-in.
RESERVED = frozenset({"local"})
LEAST_LENGTH = 12
# More would only give a stranger a way to keep us busy.
MOST_LENGTH = 1024


class AccountError(Exception):
    """What was asked cannot be done. The message is for the user."""


@dataclass(frozen=True)
class User:
    name: str
    role: Role
    created_at: int
    seen_at: int | None  # of a session that still stands


USERS = """
select name, role, users.created_at, max(seen_at) as seen_at
from users left join login_sessions on user = name group by name order by name"""


def users(db: sqlite3.Connection) -> list[User]:
    return [User(**dict(row)) for row in db.execute(USERS)]


def add(db: sqlite3.Connection, actor: str, name: str, role: Role, password: str) -> None:
    """Raises `AccountError`."""
    if not NAME_FORM.fullmatch(name) or name in RESERVED:
        raise AccountError(
            f"{name!r} cannot be a name: use up to 64 of a-z, 0-9 and . _ @ -, beginning with a letter or digit"
            if name not in RESERVED
            else f"{name!r} is reserved for a dashboard without log-in"
        )
    if _role(db, name) is not None:
        raise AccountError(f"there is a user {name!r} already")
    db.execute("insert into users values (?, ?, ?, ?)", (name, _known(role), hashed(password), now_ms()))
    audit(db, actor, "add user", name, None, {"role": role})


def set_role(db: sqlite3.Connection, actor: str, name: str, role: Role) -> None:
    """In force at the user's next request. Raises `AccountError`."""
    before = _existing(db, name)
    if before == _known(role):
        return
    _keep_an_admin(db, name, before)
    db.execute("update users set role = ? where name = ?", (role, name))
    audit(db, actor, "set role", name, {"role": before}, {"role": role})


def set_password(db: sqlite3.Connection, actor: str, name: str, password: str) -> None:
    """Ends all sessions of the user. Raises `AccountError`."""
    _existing(db, name)
    db.execute("update users set password_hash = ? where name = ?", (hashed(password), name))
    db.execute("delete from login_sessions where user = ?", (name,))
    audit(db, actor, "set password", name)


def remove(db: sqlite3.Connection, actor: str, name: str) -> None:
    """With the user's sessions, preferences and saved searches. Raises `AccountError`."""
    before = _existing(db, name)
    _keep_an_admin(db, name, before)
    db.execute("delete from settings where user = ?", (name,))
    db.execute("delete from saved_searches where user = ?", (name,))
    db.execute("delete from users where name = ?", (name,))
    audit(db, actor, "remove user", name, {"role": before}, None)


def hashed(password: str) -> str:
    """Takes some 50 ms and 64 MiB. Raises `AccountError` for a password that is no good."""
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise AccountError(f"a password has {LEAST_LENGTH} to {MOST_LENGTH:,} characters")
    return _hasher().hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`; `None`, of a user there is not, takes as long and never matches."""
    try:
        right = _hasher().verify(stored or _nobody(), password[:MOST_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None and len(password) <= MOST_LENGTH


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash("nobody has this password")


def _role(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("select role from users where name = ?", (name,)).fetchone()
    return row and str(row[0])


def _existing(db: sqlite3.Connection, name: str) -> str:
    if (role := _role(db, name)) is None:
        raise AccountError(f"there is no user {name!r}")
    return role


def _known(role: str) -> str:
    if role not in ROLES:
        raise AccountError(f"{role!r} is no role; roles are {', '.join(ROLES)}")
    return role


def _keep_an_admin(db: sqlite3.Connection, name: str, role: str) -> None:
    if (
        role == "admin"
        and not db.execute("select 1 from users where role = 'admin' and name <> ?", (name,)).fetchone()
    ):
        raise AccountError(f"{name!r} is the only admin; make another one first")
