from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from intelligence.store import control, preferences
from intelligence.store.preferences import DEFAULTS, PreferenceError, Preferences


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        yield db


def test_each_person_has_their_own(db: sqlite3.Connection) -> None:
    chosen = Preferences("dark", "compact", "Europe/Vienna", "/traffic")
    preferences.save(db, "ana", chosen)
    assert preferences.of(db, "ana") == chosen
    assert preferences.of(db, "bob") == DEFAULTS
    preferences.save(db, "ana", DEFAULTS)
    assert preferences.of(db, "ana") == DEFAULTS
    assert db.execute("select count(*) from settings").fetchone()[0] == 0


def test_only_what_changed_is_written_down(db: sqlite3.Connection) -> None:
    preferences.save(db, "ana", Preferences(theme="dark"))
    preferences.save(db, "ana", Preferences(theme="dark"))
    (entry,) = control.audited(db, 10)
    assert (json.loads(entry["before"]), json.loads(entry["after"])) == ({"theme": "auto"}, {"theme": "dark"})


@pytest.mark.parametrize(
    "wrong",
    [
        Preferences(theme="pink"),
        Preferences(density="dense"),
        Preferences(time_zone="Mars/Olympus"),
        Preferences(time_zone="../../etc/passwd"),
        Preferences(start="https://evil.example"),
        Preferences(start="//evil.example"),
        Preferences(start="/\\evil.example"),
    ],
)
def test_what_there_is_not(db: sqlite3.Connection, wrong: Preferences) -> None:
    with pytest.raises(PreferenceError):
        preferences.save(db, "ana", wrong)
    assert preferences.of(db, "ana") == DEFAULTS
