"""What policy said of one call, what detectors saw in it, and what was changed in it, for its page.

What was seen or changed is untrusted text, or text that somebody did not want to be sent; where the record must not keep it, it
is not there to be shown. Where it is, those who must not read secrets see what was sent only. What changed is shown word by
word, with the words around it as they were sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from datasette_plugins.excerpt import at
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from intelligence.rewrite.diff import Hunk, hunks
from intelligence.wire.json_value import decode

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


# Of a body larger than this, the words around a change are not looked up.
MOST_BYTES = 2_000_000


@dataclass
class Governed:
    """Rows of the tables of these names, as dictionaries; a rewrite has `hunks` where there are words to show. `hidden` says that
    there is more than who asks may see."""

    decisions: list[dict[str, Any]] = field(default_factory=list)
    detections: list[dict[str, Any]] = field(default_factory=list)
    rewrites: list[dict[str, Any]] = field(default_factory=list)
    hidden: bool = False

    def __bool__(self) -> bool:
        return bool(self.decisions or self.detections or self.rewrites)


def read(db: sqlite3.Connection, seq: int, sent: bytes = b"", mask: Mask = NOTHING_HIDDEN) -> Governed:
    """`sent` is the request's recorded body. Empty where nothing was, and in a record that has no such tables yet."""

    def rows(sql: str) -> list[dict[str, Any]]:
        with suppress(sqlite3.OperationalError):
            return [dict(row) for row in db.execute(sql, {"seq": seq, "most": MOST})]
        return []

    found = Governed(rows(DECISIONS), rows(DETECTIONS), rows(REWRITES))
    text_at = _texts(sent if len(sent) <= MOST_BYTES else b"")
    for said in found.decisions:
        said["reason"] = said["reason"] and mask.text(said["reason"])
    for one in found.rewrites:
        if mask and one["before"] is not None:
            one["before"], found.hidden = None, True
        one["after"] = one["after"] and mask.text(one["after"])
        text = text_at(one["pointer"]) if one["direction"] == "request" else None
        one["hunks"] = _hunks(one, mask.text(text) if isinstance(text, str) else None)
    return found


def _texts(sent: bytes) -> Callable[[str], Any]:
    """What stands at a pointer of a body that is read when it is first asked for."""
    body = cache(lambda: decode(sent))
    return lambda pointer: at(body(), pointer)


def _hunks(row: dict[str, Any], text: str | None) -> list[Hunk] | None:
    """`text` is what was sent at the pointer. None where nothing can be shown word by word."""
    before, after = row["before"], row["after"]
    if not after:
        return None
    if text and after in text:
        return hunks(text.replace(after, before or "", 1), text, context=120)
    return None if before is None else hunks(before, after)
