"""The kill switch: a file that every proxy looks at several times a second.

`block`: no new request or frame passes, open streams are closed with their connections. `observe`: every rule is as if in shadow
mode. It holds until somebody resumes, through any restart; a file that is there but cannot be read counts as `block`.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from intelligence.policy.handed import FOLDER
from intelligence.private_file import write_private

NAME = "panic.json"
type Mode = Literal["block", "observe"]


@dataclass(frozen=True, slots=True)
class Panic:
    mode: Mode
    by: str
    at_ms: int
    reason: str = ""


def raise_panic(data_dir: Path, mode: Mode, by: str, reason: str = "") -> Panic:
    """Raises `OSError`."""
    panic = Panic(mode, by, time.time_ns() // 1_000_000, reason)
    write_private(data_dir / FOLDER / NAME, json.dumps(asdict(panic)).encode())
    return panic


def resume(data_dir: Path) -> bool:
    """Whether there was anything to end. Raises `OSError`."""
    path = data_dir / FOLDER / NAME
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def panic_of(data_dir: Path) -> Panic | None:
    """What is in force now."""
    try:
        data = (data_dir / FOLDER / NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        return Panic("block", "unknown", 0, f"the panic file cannot be read: {e.strerror}")
    try:
        value = json.loads(data)
        mode: Mode = "observe" if value["mode"] == "observe" else "block"
        return Panic(mode, str(value["by"]), int(value["at_ms"]), str(value.get("reason", "")))
    except (ValueError, KeyError, TypeError):
        return Panic("block", "unknown", 0, "the panic file is damaged")
