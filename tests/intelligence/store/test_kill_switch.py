"""Thrown and released by people: the switch first, then the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intelligence.policy.panic import panic_of
from intelligence.store import audit, control
from intelligence.store.kill_switch import NotWrittenDown, release, throw


def test_who_threw_it_and_why_is_in_the_log(tmp_path: Path) -> None:
    assert not release(tmp_path, "alice")
    assert not (tmp_path / control.NAME).exists()  # nothing was done
    assert throw(tmp_path, "observe", "alice", "looking") == panic_of(tmp_path)
    assert release(tmp_path, "bob", "seen")
    with control.reading(tmp_path) as db:
        told = [(e["actor"], e["action"], json.loads(e["after"])) for e in control.audited(db, 9)]
        assert audit.verify(db).faults == []
    assert told == [
        ("bob", "resume", {"reason": "seen"}),
        ("alice", "panic", {"mode": "observe", "reason": "looking"}),
    ]


def test_no_log_is_in_its_way(tmp_path: Path) -> None:
    (tmp_path / control.NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(NotWrittenDown):
        throw(tmp_path, "block", "alice")
    panic = panic_of(tmp_path)
    assert panic and panic.mode == "block"
    with pytest.raises(NotWrittenDown):
        release(tmp_path, "alice")
    assert panic_of(tmp_path) is None
