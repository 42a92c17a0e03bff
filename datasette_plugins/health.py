"""What the reader of any page should know about the suite: is it recording, is the record up to date."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from datasette_plugins import policy_lists, units
from datasette_plugins.policy_lists import PolicyList
from intelligence.policy import handed
from intelligence.policy.panic import panic_of
from intelligence.store.status import Status, journal_lag, read_statuses

# The worker is a moment behind a busy proxy; this much it is not, unless something is wrong.
LAG_BYTES = 20_000_000


@dataclass(frozen=True)
class Problem:
    """`level` is `error` (something is lost or not recorded) or `warning`; `command` is what to type, if that helps. With one
    that is `unread`, a page that shows nothing must not say that there is nothing."""

    level: str
    text: str
    command: str | None = None
    unread: bool = False

    def as_json(self) -> dict[str, str | bool | None]:
        return asdict(self)


def problems(data_dir: Path) -> list[Problem]:
    """The worst first; empty when all is well."""
    found = []
    every = read_statuses(data_dir)
    statuses = [s for s in every if s.alive]
    proxies = [s for s in statuses if s.name == "proxy" or s.name.startswith("proxy-")]
    worker = any(s.name == "worker" for s in statuses)
    try:
        lag, _ = journal_lag(data_dir)
    except (sqlite3.Error, OSError) as e:
        lag = 0
        damaged = isinstance(e, sqlite3.DatabaseError) and not isinstance(e, sqlite3.OperationalError)
        what, command = (
            (f" One of {data_dir / 'backups'} can take its place:", "llmitm restore FILE")
            if damaged
            else ("", None)
        )
        found.append(
            Problem("error", f"The record in {data_dir} cannot be read: {e}.{what}", command, unread=True)
        )

    if panic := panic_of(data_dir):
        what = "All calls are stopped" if panic.mode == "block" else "Rules only tell, none acts"
        why = f": {panic.reason}" if panic.reason else "."
        thrown = f"The kill switch is thrown, by {panic.by}. {what}{why}"
        found.append(Problem("error", thrown, "llmitm policy resume"))
    if wrong := handed.fault(data_dir):
        first, _, more = wrong.partition("\n")
        text = f"The policy files are not in force; the set before is. {first}{' …' if more else ''}"
        found.append(Problem("error", text, "llmitm policy test"))
    for proxy in proxies:
        if dropped := proxy.counters.get("dropped_frames"):
            lost = units.size(proxy.counters.get("dropped_bytes"))
            found.append(
                Problem(
                    "error", f"{dropped:,} journal entries ({lost}) could not be written. Is the disk full?"
                )
            )
    if not proxies:
        found.append(
            Problem(
                "error",
                f"The proxy is not running{_since(every, 'proxy')}: nothing is being recorded. Start the suite:",
                "llmitm up",
            )
        )
    if not worker and lag:
        since = _since(every, "worker")
        waiting = f"The worker is not running{since}: {units.size(lag)} wait in the journal, and nothing is lost. Start it:"
        found.append(Problem("warning", waiting, "llmitm worker"))
    elif lag > LAG_BYTES:
        found.append(
            Problem("warning", f"The worker is behind: {units.size(lag)} of the journal are not stored yet.")
        )
    found += map(_feed_problem, policy_lists.broken(data_dir))
    return sorted(found, key=lambda problem: problem.level != "error")


def _feed_problem(feed: PolicyList) -> Problem:
    """Rules that look into a list that never came cannot be judged."""
    text = f"The list {feed.name} is not up to date: {feed.fault}"
    if feed.entries is None:
        return Problem(
            "error", f"{text}. There is nothing to fall back on: rules that need it fail as they say."
        )
    return Problem("warning", f"{text}. What came {units.clock(feed.fetched_at)} stays in force.")


def _since(statuses: list[Status], name: str) -> str:
    """When one that did not end in order was last heard of; else nobody knows, and this is empty."""
    told_at = next((s.told_at for s in statuses if s.name == name and not s.alive), 0)
    return f" since {units.clock(told_at)}" if told_at else ""
