"""`llmitm status`: each process, its addresses, and what is not stored or not read yet."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from addons.cli import suite
from intelligence.store.status import Status, read_statuses, unread

COLOURS = {"up": "green", "starting": "yellow", "died": "red", "down": "bright_black"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait until everything is up and the journal is stored; exit 1 if that takes longer.",
)
def command(as_json: bool, wait: float | None) -> None:
    """Show each process's state and addresses, what of the journal is not stored yet, how many stored calls wait to be read
    (for search), and what was lost.

    \b
    Example:
      llmitm status
      llmitm status --wait 30
      llmitm status --json | jq .journal.lag_bytes
    """
    config = suite.load()
    ready = suite.wait_until(lambda: is_ready(config.data_dir), wait or 0)
    report = state(config.data_dir)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    sys.exit(0 if ready or wait is None else 1)


def is_ready(data_dir: Path) -> bool:
    """Whether all three processes are up and the journal is stored to its end."""
    living = suite.running(data_dir)
    return all(living.is_up(name) for name in suite.PROCESSES) and suite.lag(data_dir)[0] == 0


def state(data_dir: Path) -> dict[str, Any]:
    """What `--json` prints. `state` of a process: `up`, `starting`, `died` (left without a word), `down`."""
    found = {s.name: s for s in read_statuses(data_dir)}
    names = [*suite.PROCESSES, *(name for name, s in found.items() if name.startswith("proxy-") and s.alive)]
    lag_bytes, segments = suite.lag(data_dir)
    proxies = [s.counters for s in found.values() if s.name.startswith("proxy")]
    return {
        "data_dir": str(data_dir),
        "ready": is_ready(data_dir),
        "processes": [_process(name, found.get(name)) for name in names],
        "journal": {
            "lag_bytes": lag_bytes,
            "segments": segments,
            "dropped_frames": sum(counters.get("dropped_frames", 0) for counters in proxies),
            "dropped_bytes": sum(counters.get("dropped_bytes", 0) for counters in proxies),
        },
        "unread": unread(data_dir),
    }


def _process(name: str, status: Status | None) -> dict[str, Any]:
    if status is None:
        return {
            "name": name,
            "state": "down",
            "pid": None,
            "started_at": None,
            "addresses": {},
            "counters": {},
        }
    listens = bool(status.addresses) or name == "worker"
    state_ = ("up" if listens else "starting") if status.alive else "died"
    return {
        "name": name,
        "state": state_,
        "pid": status.pid or None,
        "started_at": status.started_at or None,
        "addresses": status.addresses if status.alive else {},
        "counters": status.counters,
    }


def _show(report: dict[str, Any]) -> None:
    rows = [_row(process) for process in report["processes"]]
    wide = max(len(name) for name, *_ in rows)
    for name, state_, detail, addresses in rows:
        first, *more = addresses or [""]
        line = f"{name:<{wide}}  {click.style(f'{state_:<8}', fg=COLOURS[state_])}  {detail:<24}  {first}"
        click.echo(line.rstrip())
        for address in more:
            click.echo(f"{'':<{wide + 38}}{address}")
    journal = report["journal"]
    click.echo(
        f"journal: {f'{journal["lag_bytes"]:,} bytes wait for the worker' if journal['lag_bytes'] else 'all stored'}"
    )
    if report["unread"]:
        click.echo(f"search: {report['unread']:,} calls wait to be read")
    if journal["dropped_frames"]:
        lost = f"{journal['dropped_frames']:,} pieces of the record were lost ({journal['dropped_bytes']:,} bytes)"
        click.secho(f"{lost}; is the disk full?", fg="red")
    click.echo(f"data: {report['data_dir']}")
    if all(state_ in ("down", "died") for _, state_, *_ in rows):
        click.echo(f"Nothing runs. Start it with: {suite.program()} up")


def _row(process: dict[str, Any]) -> tuple[str, str, str, list[str]]:
    """(name, state, pid and age, addresses)"""
    if process["state"] not in ("up", "starting"):
        return process["name"], process["state"], "", []
    addresses = dict(process["addresses"])
    if web_url := process["counters"].get("web_url"):
        addresses["mitmweb"] = web_url
    lines = [
        address if "://" in address else f"http://{suite.reachable(address)}/"
        for address in addresses.values()
    ]
    detail = f"pid {process['pid'] or '?'}, {_ago(process['started_at'] or 0)}"
    return process["name"], process["state"], detail, lines


def _ago(started_at: int) -> str:
    seconds = max(0, int(time.time() - started_at / 1000))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
