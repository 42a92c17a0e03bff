"""Logging of our processes: to stderr, and to `data/logs/<process>.log` (0600, rotated).

`text` is for people, `json` is one object a line: `time` (UTC), `level`, `process`, `logger`, `message`, and `error` with
the traceback where there is one. Prompt text is logged at debug only; that is a rule for those who log, not kept here.
A log file that cannot be written stops nobody.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import time
from pathlib import Path
from typing import IO

from intelligence.config import Log

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 3


def configure_logging(settings: Log, process: str, data_dir: Path | None = None) -> None:
    """Send the root logger to stderr and, with `data_dir`, to `data_dir/logs/<process>.log`. Replaces what was set before."""
    formatter = JsonFormatter(process) if settings.format == "json" else TextFormatter(process)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    problem = None
    if data_dir is not None:
        try:
            handlers.append(_file_handler(data_dir / "logs" / f"{process}.log"))
        except OSError as e:
            problem = e
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(settings.level.upper())
    logging.raiseExceptions = False  # a full disk must not print a traceback for each line
    if problem:
        root.warning("no log file: %s", problem)


def _file_handler(path: Path) -> logging.Handler:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _PrivateRotatingFile(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> IO[str]:  # type: ignore[override]
        def private(name: str, flags: int) -> int:
            return os.open(name, flags | os.O_CLOEXEC, 0o600)

        return open(self.baseFilename, self.mode, encoding=self.encoding, errors="replace", opener=private)


def _utc(created: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) + f".{int(created * 1000) % 1000:03d}Z"


class TextFormatter(logging.Formatter):
    """`12:00:00 worker  INFO  message`, local time."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process:<9} %(levelname)-7s %(message)s", "%H:%M:%S")


class JsonFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
