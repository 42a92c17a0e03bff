"""The lists that rules look things up in: how many entries of each are in force, and what is wrong with those that are fetched.

What came last of a feed that is behind stays in force meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intelligence.policy import feeds, handed
from intelligence.policy.feeds import State
from intelligence.policy.rule import List


@dataclass(frozen=True)
class PolicyList:
    """`source` is a file or a url; `entries` is None before a feed came for the first time; `fetched_at` is Unix ms, and None
    for a file. `fault` says why a feed is behind."""

    name: str
    kind: str
    source: str
    is_feed: bool
    entries: int | None
    fetched_at: float | None = None
    fault: str | None = None


def broken(data_dir: Path) -> list[PolicyList]:
    """The feeds in force that are behind."""
    if not feeds.states(data_dir):
        return []
    return [one for one in read(data_dir, handed.summary(data_dir) or {}) if one.fault]


def read(data_dir: Path, in_force: dict[str, Any]) -> list[PolicyList]:
    """The lists of a set as `handed.summary` gives it, by name."""
    states = feeds.states(data_dir)
    return [_list(name, one, states.get(name)) for name, one in sorted(in_force.get("lists", {}).items())]


def _list(name: str, one: dict[str, Any], state: State | None) -> PolicyList:
    url = one.get("url")
    source, entries = str(url or one.get("file", "")), one.get("entries")
    if not url or state is None or state.url != url:
        return PolicyList(name, one["kind"], source, bool(url), entries)
    at = state.fetched_at and state.fetched_at * 1000
    every = one.get("every", List.model_fields["every"].default)
    return PolicyList(name, one["kind"], source, True, entries, at, state.behind(every))
