"""The kill switch as people use it: thrown or released, and written into the audit log.

The switch comes first: no log may keep it from being thrown. What cannot be written down is raised once it is done.
"""

from __future__ import annotations

from pathlib import Path

from intelligence.policy.panic import Mode, Panic, panic_of, raise_panic
from intelligence.policy.panic import resume as release_switch
from intelligence.store import control

SUBJECT = "kill switch"


class NotWrittenDown(Exception):
    """It is done, but the audit log does not have it. The message is for the user."""


def throw(data_dir: Path, mode: Mode, by: str, reason: str = "") -> Panic:
    """Raises `OSError` when it could not be thrown, `NotWrittenDown`."""
    before = panic_of(data_dir)
    thrown = raise_panic(data_dir, mode, by, reason)
    _write_down(data_dir, by, "panic", before, {"mode": mode, "reason": reason})
    return thrown


def release(data_dir: Path, by: str, reason: str = "") -> bool:
    """Whether there was anything to end. Raises `OSError`, `NotWrittenDown`."""
    before = panic_of(data_dir)
    if not release_switch(data_dir):
        return False
    _write_down(data_dir, by, "resume", before, {"reason": reason})
    return True


def _write_down(data_dir: Path, by: str, action: str, before: Panic | None, said: dict[str, str]) -> None:
    was = {"mode": before.mode, "by": before.by} if before else None
    try:
        control.prepare(data_dir)
        with control.changing(data_dir) as db:
            control.audit(db, by, action, SUBJECT, was, said)
    except Exception as e:  # whatever it is, the switch stands as it was asked for
        raise NotWrittenDown(f"the audit log could not be written: {e}") from e
