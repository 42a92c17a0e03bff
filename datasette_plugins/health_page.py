"""`/-/health`: whether the suite does its work, and what to look at if it does not.

Everything is read when the page is asked for: status files, the journal's folder, the databases' files, the record's events,
the certificate, the configuration as a process started now would have it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request, Response

from datasette_plugins import certificate, dashboard
from datasette_plugins.access import GOVERN, mask_for, may, page
from datasette_plugins.mask import Mask
from intelligence.config import Config, ConfigError, load_config
from intelligence.config_sources import settings
from intelligence.policy.panic import panic_of
from intelligence.store.status import Status, journal_lag, read_statuses

if TYPE_CHECKING:
    from datasette.app import Datasette

PROCESSES = ("proxy", "worker", "dashboard")
DATABASES = ("traffic.db", "control.db")
EVENTS = (
    "select at, kind, message, data, call from events where kind <> 'pass_through' order by id desc limit 30"
)
PASSED_THROUGH = "select at, message, data from events where kind = 'pass_through' order by id desc limit 200"
ERRORS = """
    select id, started_at, coalesce(response_model, model) as model, provider, error_type,
        substr(error_message, 1, 4000) as error_message, status_code
    from calls where started_at >= :since and state = 'error' order by started_at desc limit 10"""
ERRORS_SPAN_MS = 7 * 86_400_000


@dataclass(frozen=True)
class File:
    name: str
    size: int | None  # None: not there yet
    log_size: int  # of its write-ahead log


@page
async def health(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    now_ms = time.time_ns() // 1_000_000
    db = here.traffic.attached(datasette)
    mask = await mask_for(datasette, request)
    recorded = await db.execute_fn(lambda conn: _recorded(conn, now_ms, mask)) if db else {}
    context = await asyncio.to_thread(_context, here.data_dir, now_ms)
    context |= {
        "errors": [],
        "events": [],
        "passed_through": [],
        "slow": here.traffic.slow.worst(),
        "calls_path": datasette.urls.path("/-/calls/"),
        "now_ms": now_ms,
        "may_govern": may(request.actor, GOVERN.name),
    } | recorded
    return Response.html(await datasette.render_template("llmitm_health.html", context, request=request))


def _recorded(conn: sqlite3.Connection, now_ms: int, mask: Mask) -> dict[str, Any]:
    hosts: dict[str, dict[str, Any]] = {}
    for event in conn.execute(PASSED_THROUGH):
        data = _object(event["data"])
        key = f"{data.get('host')} {data.get('client_address')}"
        known = hosts.setdefault(
            key,
            {
                "host": data.get("host") or "unknown",
                "client": data.get("client_address") or "unknown",
                "at": event["at"],
                "message": event["message"],
                "times": 0,
            },
        )
        known["times"] += 1
    return {
        "passed_through": list(hosts.values())[:40],
        "events": [dict(event) | {"message": mask.text(event["message"])} for event in conn.execute(EVENTS)],
        "errors": [_error(row, mask) for row in conn.execute(ERRORS, {"since": now_ms - ERRORS_SPAN_MS})],
    }


def _error(row: sqlite3.Row, mask: Mask) -> dict[str, Any]:
    return dict(row) | {
        "error_message": mask.text(row["error_message"] or "", cut=len(row["error_message"] or "") == 4000)[
            :300
        ]
    }


def _context(data_dir: Path, now_ms: int) -> dict[str, Any]:
    statuses = read_statuses(data_dir)
    lag_bytes: int | None
    lag_segments: int | None
    try:
        lag_bytes, lag_segments = journal_lag(data_dir)
    except (sqlite3.Error, OSError):
        lag_bytes = lag_segments = None
    config, config_error = _config()
    cert = certificate.read(config.certs.dir) if config else None
    return {
        "data_dir": data_dir,
        "panic": panic_of(data_dir),
        "processes": _processes(statuses),
        "lag_bytes": lag_bytes,
        "lag_segments": lag_segments,
        "dropped_frames": sum(s.counters.get("dropped_frames") or 0 for s in statuses),
        "dropped_bytes": sum(s.counters.get("dropped_bytes") or 0 for s in statuses),
        "files": [_file(data_dir / name) for name in DATABASES],
        "journal_bytes": _folder_size(data_dir / "journal"),
        "certificate": cert,
        "days_left": cert.days_left(now_ms) if cert else None,
        "config_path": config.path if config else None,
        "config_error": config_error,
        "settings": settings(config) if config else [],
        "changed_later": _started_before(config, statuses) if config else [],
    }


def _config() -> tuple[Config | None, str | None]:
    try:
        return load_config(), None
    except ConfigError as e:
        return None, str(e)


def _processes(statuses: list[Status]) -> list[Status]:
    """The three of the suite, running or not, then private proxies that live."""
    known = {s.name: s for s in statuses}
    three = [known.get(name) or Status(name, alive=False) for name in PROCESSES]
    return three + [s for s in statuses if s.name not in PROCESSES and s.alive]


def _started_before(config: Config, statuses: list[Status]) -> list[str]:
    """Processes that began before the configuration was last written."""
    try:
        changed_ms = config.path.stat().st_mtime * 1000
    except OSError:
        return []
    return [s.name for s in statuses if s.alive and s.started_at < changed_ms]


def _file(path: Path) -> File:
    return File(path.name, _size(path), _size(path.with_name(f"{path.name}-wal")) or 0)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _folder_size(folder: Path) -> int:
    return sum(_size(path) or 0 for path in folder.glob("*"))


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
