from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from certs import files


def test_write_replaces_with_the_mode_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, b"one", 0o600)
    files.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_killed_writer_is_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"untouched")
    (tmp_path / ".draft-file").symlink_to(outside)
    files.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert outside.read_bytes() == b"untouched"
    assert not (tmp_path / ".draft-file").exists()


def test_a_write_that_fails_leaves_the_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write(path, b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_locked_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside = threading.Event()

    def enter() -> None:
        with files.locked(tmp_path):
            inside.set()

    thread = threading.Thread(target=enter)
    with files.locked(tmp_path):
        thread.start()
        assert not inside.wait(0.2)
    thread.join(5)
    assert inside.is_set()


def test_content_of_a_missing_file_is_none(tmp_path: Path) -> None:
    assert files.content(tmp_path / "missing") is None
