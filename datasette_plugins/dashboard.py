"""What one running dashboard consists of, found from the Datasette it lives in.

The plugin is installed for every Datasette of this environment, but acts only in the one that `server.build` made: hooks
ask `of`, and stay silent when it gives `None`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from datasette_plugins.feed import Feed
from datasette_plugins.mask import Masking
from datasette_plugins.overview.content import Contents
from datasette_plugins.traffic import Traffic

if TYPE_CHECKING:
    from datasette.app import Datasette


@dataclass(frozen=True, eq=False)
class Dashboard:
    data_dir: Path
    hosts: frozenset[str]  # the `Host` headers it answers to
    traffic: Traffic
    feed: Feed
    masking: Masking
    policy_dir: Path
    auth: Literal["none", "password"] = "none"
    origins: frozenset[str] = frozenset()  # more addresses that browsers reach it at
    password_checks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    policy_checks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    contents: Contents = field(default_factory=Contents)


_dashboards: WeakKeyDictionary[Datasette, Dashboard] = WeakKeyDictionary()


def install(datasette: Datasette, dashboard: Dashboard) -> None:
    _dashboards[datasette] = dashboard


def of(datasette: Datasette) -> Dashboard | None:
    return _dashboards.get(datasette)


def here(datasette: Datasette) -> Dashboard:
    """For code that runs only in a dashboard. Raises `KeyError` elsewhere."""
    return _dashboards[datasette]
