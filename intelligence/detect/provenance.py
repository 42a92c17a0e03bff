"""Who asked for this tool call? An instruction that came in a tool's result, followed by a call that serves it.

No wording gives such an attack away: "send the report to eve@example.org" is a fine sentence. What gives it away is
where it stands and what follows. So this looks at *targets* (addresses, hosts, accounts): one that a tool call is
aimed at, that no user, system prompt or tool definition has ever named, and that a tool's result brought in. With an
injection in that result it is two signals; with a tool that acts on the world, one.

Targets are told apart by their hashes, with the key of this process: no text is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from intelligence.detect.detection import Detection
from intelligence.detect.engine import Text, compiled, spans
from intelligence.detect.together import laid

_TARGET = compiled(
    r"(?i)[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,100}\.[a-z]{2,24}|https?://[a-z0-9.-]{3,100}|\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b|\b[0-9]{8,20}\b",
    capture=False,
)
# Where one is, one of these is.
MARKS = (
    r"(?i)[a-z0-9._%+-]@[a-z0-9.-]{4}",
    r"(?i)https?://[a-z0-9.-]{3}",
    r"(?i)\b[a-z]{2}[0-9]{2}[a-z0-9]{11}",
    r"\b[0-9]{8}",
)
_ACTS = compiled(
    r"(?i)send|mail|post|publish|upload|transfer|pay|purchase|order|delete|remove|write|create|update|share|invite|grant|exec|shell|bash|run|deploy|merge|push|forward|reply|message|http|request|fetch|curl|book"
)
# Targets kept of each text: a page full of addresses is no instruction to write to all of them.
_MOST = 500


def targets(texts: Sequence[str], deadline: float | None = None) -> list[frozenset[int]]:
    """Hashes of those that each text names. Time is linear in the texts. Raises `DeadlineExceeded`."""
    # No target has a line end in it.
    joined, starts, _ = laid(Text(text).data for text in texts)
    begins = starts.tolist()
    found: dict[int, set[int]] = {}
    for start, end in spans(_TARGET, joined, deadline):
        of_text = found.setdefault(bisect_right(begins, start) - 1, set())
        if len(of_text) < _MOST:
            of_text.add(hash(joined[start:end].lower()))
    return [frozenset(found.get(number, ())) for number in range(len(texts))]


def served(
    place: Any, asked: AbstractSet[int], brought: Mapping[int, bool], deadline: float | None = None
) -> list[Detection]:
    """In a tool call: the targets that were `brought` and not `asked` for. `brought` says whether an injection came with it.
    Raises `DeadlineExceeded`."""
    text = Text(place.text)
    acts = _ACTS.search((place.tool or "").encode()) is not None
    detections = []
    for start, end in spans(_TARGET, text.data, deadline):
        name = text.data[start:end].lower()
        target = hash(name)
        if target in asked or target not in brought:
            continue
        if brought[target] or (acts and not name.startswith(b"http")):
            score = 0.9 if brought[target] else 0.6
            detections.append(
                Detection("injection", "provenance", score, *text.span(start, end), "injection.provenance")
            )
    return detections
