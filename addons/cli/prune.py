"""`llmitm prune`: take content that is old or too much, or forget a user or a session for good."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from addons.cli.store_job import database, do, settings

if TYPE_CHECKING:
    from intelligence.config import Store
    from intelligence.store.retention import Limits

UNITS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Age(click.ParamType[int]):
    """Seconds, of `30d`."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+)([hdwy])", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no age such as 12h, 30d, 8w or 1y", param, ctx)
        return int(match[1]) * UNITS[match[2]]


class Size(click.ParamType[int]):
    """Bytes, of `5GB`."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", str(value).strip(), re.IGNORECASE)
        if match is None:
            self.fail(f"{value!r} is no size such as 500MB or 5GB", param, ctx)
        return int(float(match[1]) * SIZES[match[2].upper()])


@click.command()
@click.option("--older-than", type=Age(), help="Take the content of calls older than this: 12h, 30d, 8w, 1y.")
@click.option(
    "--keep-bytes", type=Size(), help="Take the oldest content until the database is this small: 5GB."
)
@click.option("--forget-user", metavar="NAME", help="Remove every trace of this user's calls.")
@click.option("--forget-session", metavar="ID", help="Remove every trace of this session.")
@click.option(
    "--backups",
    is_flag=True,
    help="With --forget-…: remove the backups too, and make a new one of what is left.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def command(
    older_than: int | None,
    keep_bytes: int | None,
    forget_user: str | None,
    forget_session: str | None,
    backups: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the record smaller. Content goes: bodies, text, arguments, headers. The calls stay, with their counts and
    costs. Without an option, what [store] of mitm.toml says is done now instead of within the hour.

    Forgetting leaves nothing: rows, search index, free pages and journal. It writes the database anew, which needs room for
    a second copy and a minute per few GB. Backups still hold what was forgotten unless --backups is given.

    \b
    Example:
      llmitm prune --dry-run --older-than 90d
      llmitm prune --keep-bytes 5GB
      llmitm prune --forget-user ann --backups
    """
    forgets = [("user", forget_user), ("session", forget_session)]
    chosen = [(what, name) for what, name in forgets if name is not None]
    if len(chosen) > 1 or (chosen and (older_than is not None or keep_bytes is not None)):
        raise click.UsageError("forget one user or one session at a time, and nothing else with it")
    if backups and not chosen:
        raise click.UsageError("--backups goes with --forget-user or --forget-session")
    store = settings()
    database(store)
    if chosen:
        what, name = chosen[0]
        report = _forget(store, what, name, backups=backups, dry_run=dry_run)
        click.echo(json.dumps(report) if as_json else _forgotten(report, what, name, dry_run=dry_run))
    else:
        report = _prune(store, _limits(store, older_than, keep_bytes), dry_run=dry_run)
        click.echo(json.dumps(report) if as_json else _pruned(report, dry_run=dry_run))


def _limits(store: Store, older_than: int | None, keep_bytes: int | None) -> Limits:
    from intelligence.store.retention import Limits, limits

    if older_than is None and keep_bytes is None:
        return limits(store.raw_days, store.retention_days, store.max_bytes)
    before_ms = None if older_than is None else int((time.time() - older_than) * 1000)
    return Limits(before_ms, before_ms, keep_bytes)


def _prune(store: Store, limits: Limits, *, dry_run: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from intelligence.store import queries, retention

    if not dry_run:
        return do(store, "prune", asdict(limits))
    with closing(queries.connect(database(store))) as db:
        return retention.survey(db, limits)


def _forget(store: Store, what: str, name: str, *, backups: bool, dry_run: bool) -> dict[str, Any]:
    from intelligence.store import backup, forget, queries

    if not dry_run:
        return do(store, "forget", {"what": what, "name": name, "backups": backups})
    try:
        with closing(queries.connect(database(store))) as db:
            ids = forget.matching(db, what, name)
    except sqlite3.Error as e:
        raise click.ClickException(str(e)) from None
    kept = [str(path) for path in backup.stored(store.dir)]
    return {
        "calls": len(ids),
        "backups_removed": kept if backups else [],
        "backups_left": [] if backups else kept,
    }


def _pruned(report: dict[str, Any], *, dry_run: bool) -> str:
    goes = "would go" if dry_run else "went"
    size = f"{_size(report['bytes_before'])} → {'about ' if dry_run else ''}{_size(report['bytes_after'])}"
    if not (report["raw"] or report["content"]):
        return f"Nothing {goes}: {_size(report['bytes_before'])}, all within the limits."
    return (
        f"The content of {_calls(report['content'])} {goes}, and the raw answers of {_calls(report['raw'])} more; "
        f"their counts stay. Database: {size}."
    )


def _forgotten(report: dict[str, Any], what: str, name: str, *, dry_run: bool) -> str:
    if dry_run:
        lines = [f"{_calls(report['calls'])} of {what} {name} would be forgotten."]
    else:
        lines = [f"{_calls(report['calls'])} of {what} {name} forgotten; the database was written anew."]
        if report["going_on"]:
            lines.append(
                f"{_calls(report['going_on'])} of these still going on: what comes is not stored, and leaves the journal "
                "when its segment does."
            )
        lines += [f"Not looked into, as it cannot be read: {path}" for path in report["left_alone"]]
    removed = "Would be removed" if dry_run else "Removed"
    lines += [f"{removed}: {path}" for path in report["backups_removed"]]
    if report["backups_left"]:
        lines.append("These backups still hold what they held; --backups removes them:")
        lines += [f"  {path}" for path in report["backups_left"]]
    return "\n".join(lines)


def _calls(n: int) -> str:
    return f"{n:,} call" if n == 1 else f"{n:,} calls"


def _size(n: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if n >= size:
            return f"{n / size:,.1f} {unit}"
    return f"{n / 1000:,.0f} kB"
