"""What detectors may see without anybody minding: allow-lists of the policy files and of people who looked at a detection.

An entry names the text itself, or its keyed digest. One whose last day is over counts no more, from the next day in UTC on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime

from intelligence.policy.evidence import seen_digest
from intelligence.policy.match import globs
from intelligence.policy.rule import Allowance

type Allowed = Callable[[str, str, str], bool]
"""Kind, type, text: whether it is allowed."""


def allowed(
    entries: Iterable[Allowance], key: bytes, today: Callable[[], date] | None = None
) -> Allowed | None:
    """None when there are no entries."""
    by_text: dict[str, list[tuple[Allowance, Callable[[str | None], bool]]]] = {}
    for entry in entries:
        named = globs(entry.type)
        by_text.setdefault(entry.value if entry.value is not None else f"hash:{entry.hash}", []).append(
            (entry, named)
        )
    if not by_text:
        return None
    today = today or (lambda: datetime.fromtimestamp(time.time(), UTC).date())

    def is_allowed(kind: str, type_: str, text: str) -> bool:
        candidates = by_text.get(text, []) + by_text.get(f"hash:{seen_digest(key, kind, text)}", [])
        return any(
            (entry.kind is None or entry.kind == kind)
            and named(type_)
            and (entry.until is None or today() <= entry.until)
            for entry, named in candidates
        )

    return is_allowed
