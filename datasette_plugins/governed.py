"""What policy said of one call, what detectors saw in it, and what was changed in it, for its page.

What was seen or changed is untrusted text, or text that somebody did not want to be sent; where the record must not keep it, it
is not there to be shown.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MOST = 200

DECISIONS = """
    select rule, action, mode, acted, reason, failed, direction from decisions where request = :seq order by id limit :most
"""
DETECTIONS = """
    select kind, type, score, source, pointer, direction, rule, count(*) as times from detections where request = :seq
    group by kind, type, source, pointer, direction, rule order by min(id) limit :most
"""
REWRITES = """
    select rule, reason, pointer, direction, substr(before, 1, 2000) as before, substr(after, 1, 2000) as after
    from rewrites where request = :seq order by id limit :most
"""


@dataclass
class Governed:
    """Rows of the tables of these names, as dictionaries."""

    decisions: list[dict[str, Any]] = field(default_factory=list)
    detections: list[dict[str, Any]] = field(default_factory=list)
    rewrites: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.decisions or self.detections or self.rewrites)


def read(db: sqlite3.Connection, seq: int) -> Governed:
    """Empty where nothing was, and in a record that has no such tables yet."""

    def rows(sql: str) -> list[dict[str, Any]]:
        with suppress(sqlite3.OperationalError):
            return [dict(row) for row in db.execute(sql, {"seq": seq, "most": MOST})]
        return []

    return Governed(rows(DECISIONS), rows(DETECTIONS), rows(REWRITES))
