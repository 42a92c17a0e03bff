from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from intelligence.store import accounts, control
from tests.rig.passwords import cheap_passwords  # noqa: F401

GOOD = "correct horse battery"
HARD = accounts._hasher


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        accounts.add(db, "test", "ana", "admin", GOOD)
        yield db


def test_every_change_is_written_down_without_the_password(db: sqlite3.Connection) -> None:
    accounts.add(db, "ana", "bob", "viewer", GOOD)
    accounts.set_role(db, "ana", "bob", "reviewer")
    accounts.set_role(db, "ana", "bob", "reviewer")  # changes nothing
    accounts.set_password(db, "bob", "bob", "another " + GOOD)
    accounts.remove(db, "ana", "bob")
    entries = control.audited(db, 10)[::-1][1:]
    assert [(e["actor"], e["action"], e["subject"]) for e in entries] == [
        ("ana", "add user", "bob"),
        ("ana", "set role", "bob"),
        ("bob", "set password", "bob"),
        ("ana", "remove user", "bob"),
    ]
    assert (json.loads(entries[1]["before"]), json.loads(entries[1]["after"])) == (
        {"role": "viewer"},
        {"role": "reviewer"},
    )
    assert "argon2" not in str(entries) and GOOD not in str(entries)


def test_hashes_are_as_hard_as_the_standard_says() -> None:
    assert HARD().hash(GOOD).startswith("$argon2id$v=19$m=65536,t=3,")


def test_passwords_are_argon2id_hashes(db: sqlite3.Connection) -> None:
    (stored,) = db.execute("select password_hash from users").fetchone()
    assert stored.startswith("$argon2id$")
    assert accounts.matches(stored, GOOD)
    assert not accounts.matches(stored, GOOD + "!")
    assert not accounts.matches("damaged", GOOD)
    assert not accounts.matches(None, "nobody has this password")
    assert not accounts.matches(stored, GOOD + "x" * 2000)


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_bad_passwords(db: sqlite3.Connection, password: str) -> None:
    with pytest.raises(accounts.AccountError, match="12 to 1,024 characters"):
        accounts.add(db, "ana", "bob", "viewer", password)


@pytest.mark.parametrize("name", ["", "Bob", "b ob", "-bob", "x" * 65, "bob\n", "local", "<b>"])
def test_bad_names(db: sqlite3.Connection, name: str) -> None:
    with pytest.raises(accounts.AccountError):
        accounts.add(db, "ana", name, "viewer", GOOD)


def test_what_cannot_be_done(db: sqlite3.Connection) -> None:
    for wrong in (
        lambda: accounts.add(db, "ana", "ana", "viewer", GOOD),
        lambda: accounts.add(db, "ana", "bob", "owner", GOOD),  # type: ignore[arg-type]
        lambda: accounts.set_role(db, "ana", "bob", "viewer"),
        lambda: accounts.set_password(db, "ana", "bob", GOOD),
        lambda: accounts.remove(db, "ana", "bob"),
    ):
        with pytest.raises(accounts.AccountError):
            wrong()


def test_one_admin_stays(db: sqlite3.Connection) -> None:
    with pytest.raises(accounts.AccountError, match="only admin"):
        accounts.remove(db, "ana", "ana")
    with pytest.raises(accounts.AccountError, match="only admin"):
        accounts.set_role(db, "ana", "ana", "viewer")
    accounts.add(db, "ana", "bob", "admin", GOOD)
    accounts.remove(db, "ana", "ana")
    assert [(u.name, u.role, u.seen_at) for u in accounts.users(db)] == [("bob", "admin", None)]
