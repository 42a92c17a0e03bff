from __future__ import annotations

import os
from pathlib import Path

from datasette_plugins import units
from datasette_plugins.health import LAG_BYTES, problems
from intelligence.store.ids import uuid7
from intelligence.store.journal import RequestHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.status import ProcessStatus

HEAD = RequestHead("POST", "https", "api.openai.com", 443, "/v1/chat/completions", "HTTP/1.1", [])


def fill_journal(data_dir: Path, size: int) -> None:
    writer = JournalWriter(data_dir / "journal")
    writer.request(uuid7(), HEAD, b"x" * size)
    writer.close()


def test_all_is_well(data_dir: Path) -> None:
    with ProcessStatus(data_dir, "proxy", {"proxy": "127.0.0.1:8080"}), ProcessStatus(data_dir, "worker", {}):
        assert problems(data_dir) == []


def test_a_private_proxy_counts(data_dir: Path) -> None:
    with ProcessStatus(data_dir, "proxy-0198", {}), ProcessStatus(data_dir, "worker", {}):
        assert problems(data_dir) == []


def test_no_proxy(data_dir: Path) -> None:
    with ProcessStatus(data_dir, "worker", {}):
        (problem,) = problems(data_dir)
    assert (problem.level, problem.command) == ("error", "llmitm up")


def test_a_worker_that_is_missed(data_dir: Path) -> None:
    with ProcessStatus(data_dir, "proxy", {}):
        assert problems(data_dir) == []  # nothing to do for it
        fill_journal(data_dir, 2_000_000)
        (problem,) = problems(data_dir)
    assert problem.level == "warning"
    assert "2 MB wait in the journal" in problem.text


def test_a_worker_that_is_behind(data_dir: Path) -> None:
    fill_journal(data_dir, LAG_BYTES + 1)
    with ProcessStatus(data_dir, "proxy", {}), ProcessStatus(data_dir, "worker", {}):
        (problem,) = problems(data_dir)
    assert problem.text.startswith("The worker is behind")


def test_drops_come_first(data_dir: Path) -> None:
    fill_journal(data_dir, 2_000_000)
    with ProcessStatus(data_dir, "proxy", {}) as proxy:
        proxy.update(dropped_frames=3, dropped_bytes=5_000)
        found = problems(data_dir)
    assert found[0].as_json() == {
        "level": "error",
        "text": "3 journal entries (5 KB) could not be written. Is the disk full?",
        "command": None,
        "unread": False,
    }
    assert len(found) == 2


def test_since_when_one_that_was_killed_is_missed(data_dir: Path) -> None:
    killed = ProcessStatus(data_dir, "proxy", {})
    killed.__enter__()
    told_at = killed.path.stat().st_mtime_ns // 1_000_000
    os.close(killed._fd)  # what a kill does
    (problem,) = problems(data_dir)
    assert f"not running since {units.clock(told_at)}:" in problem.text
