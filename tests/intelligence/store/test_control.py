from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from intelligence.store import control


def test_the_file_is_private_and_made_once(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        control.audit(db, "ana", "try", "it", {"a": 1}, None)
    control.prepare(tmp_path)
    assert (tmp_path / control.NAME).stat().st_mode & 0o077 == 0
    with control.reading(tmp_path) as db:
        (entry,) = control.audited(db, 10)
    assert (entry["actor"], entry["action"], entry["subject"]) == ("ana", "try", "it")
    assert (entry["before"], entry["after"]) == ('{"a": 1}', None)


def test_nothing_leaves_or_changes_the_audit_log(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        control.audit(db, "ana", "try", "it", None, {"reason": "why", "n": 1})
    for sql in (
        "delete from audit_log",
        "update audit_log set actor = 'bob'",
        "update audit_log set after = null",
        "update audit_log set after = null, left_mac = 'x'",
        "update audit_log set after = json_remove(after, '$.reason')",
        "update audit_log set after = json_remove(after, '$.reason'), left_mac = 'x', actor = 'bob'",
        "update audit_log set after = json_remove(after, '$.n'), left_mac = 'x'",
        "update audit_log set subject = 'that', left_mac = 'x'",
        "update audit_log set left_mac = 'x', mac = 'x'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), control.changing(tmp_path) as db:
            db.execute(sql)


def test_older_entries_page_by_page(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        for n in range(5):
            control.audit(db, "ana", "try", str(n))
    with control.reading(tmp_path) as db:
        first = control.audited(db, 2)
        second = control.audited(db, 2, first[-1]["id"])
    assert [e["subject"] for e in first + second] == ["4", "3", "2", "1"]


def test_a_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with pytest.raises(RuntimeError), control.changing(tmp_path) as db:
        control.audit(db, "ana", "try", "it")
        raise RuntimeError
    with control.reading(tmp_path) as db:
        assert control.audited(db, 10) == []


def test_reading_changes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), control.reading(tmp_path):
        pass
    assert not (tmp_path / control.NAME).exists()
    control.prepare(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"), control.reading(tmp_path) as db:
        control.audit(db, "ana", "try", "it")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('control', 'c999_later', '')"
        )
    with pytest.raises(control.ControlError, match="c999_later"):
        control.prepare(tmp_path)
