"""The set that the steps register with, in the order in which they are run."""

from __future__ import annotations

from intelligence.store.sqlite_tools import Migrations

migrations = Migrations("traffic")
