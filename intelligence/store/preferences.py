"""How a person likes the dashboard: rows of `settings` in `control.db`, one for each choice that is not the default."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from zoneinfo import available_timezones

from intelligence.store.control import audit

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")


class PreferenceError(Exception):
    """A choice there is not. The message is for the user."""


@dataclass(frozen=True)
class Preferences:
    """`time_zone` is an IANA name; empty means that of the machine. `start` is a path of the dashboard."""

    theme: str = "auto"
    density: str = "comfortable"
    time_zone: str = ""
    start: str = "/"


DEFAULTS = Preferences()


def of(db: sqlite3.Connection, user: str) -> Preferences:
    names = asdict(DEFAULTS)
    rows = db.execute("select name, value from settings where user = ?", (user,))
    return Preferences(**names | {name: value for name, value in rows if name in names})


def save(db: sqlite3.Connection, user: str, chosen: Preferences) -> None:
    """In the transaction of `db`, with its entry in the audit log. Raises `PreferenceError`."""
    _check(chosen)
    before, after = asdict(of(db, user)), asdict(chosen)
    changed = {name for name in after if before[name] != after[name]}
    for name in changed:
        if after[name] == getattr(DEFAULTS, name):
            db.execute("delete from settings where user = ? and name = ?", (user, name))
        else:
            db.execute("insert or replace into settings values (?, ?, ?)", (user, name, after[name]))
    if changed:
        audit(db, user, "set preferences", user, _only(before, changed), _only(after, changed))


def _check(chosen: Preferences) -> None:
    if chosen.theme not in THEMES:
        raise PreferenceError(f"there is no theme {chosen.theme!r}")
    if chosen.density not in DENSITIES:
        raise PreferenceError(f"there is no density {chosen.density!r}")
    if chosen.time_zone and chosen.time_zone not in available_timezones():
        raise PreferenceError(f"{chosen.time_zone!r} is no time zone; they are named like Europe/Vienna")
    if not chosen.start.startswith("/") or chosen.start[1:2] in ("/", "\\"):
        raise PreferenceError(f"{chosen.start!r} is no page of the dashboard")


def _only(values: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: values[name] for name in sorted(names)}
