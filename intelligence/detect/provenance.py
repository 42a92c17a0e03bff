"""Who asked for this tool call? An instruction that came in a tool's result, followed by a call that serves it.

No wording gives such an attack away: "send the report to eve@example.org" is a fine sentence. What gives it away is
where it stands and what follows. So this looks at *targets* (addresses, hosts, accounts): one that a tool call is
aimed at, that no user, system prompt or tool definition has ever named, and that a tool's result brought in. With an
injection in that result it is two signals; with a tool that acts on the world, one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intelligence.detect.detection import Detection
from intelligence.detect.engine import Text, compiled, spans

_TARGET = compiled(
    r"(?i)[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,100}\.[a-z]{2,24}|https?://[a-z0-9.-]{3,100}|\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b|\b[0-9]{8,20}\b",
    capture=False,
)
_ACTS = compiled(
    r"(?i)send|mail|post|publish|upload|transfer|pay|purchase|order|delete|remove|write|create|update|share|invite|grant|exec|shell|bash|run|deploy|merge|push|forward|reply|message|http|request|fetch|curl|book"
)
# Targets kept of each text: a page full of addresses is no instruction to write to all of them.
_MOST = 500


def provenance(
    places: Sequence[Any], injected: Mapping[int, Sequence[Detection]]
) -> list[tuple[int, Detection]]:
    """(index of the tool call's place, detection). `places` in order, as `wire.places` gives them; `injected` are
    injections found, by index.

    Time is linear in the texts.
    """
    asked: set[bytes] = set()
    brought: dict[bytes, bool] = {}
    found: list[tuple[int, Detection]] = []
    for index, place in enumerate(places):
        if place.source == "tool_call":
            found += [(index, d) for d in _served(place, asked, brought)]
        elif place.source == "tool_result":
            for target in _targets(place.text):
                brought[target] = brought.get(target, False) or bool(injected.get(index))
        elif place.source in ("user", "system", "tool_definition"):
            asked |= _targets(place.text)
    return found


def _served(place: Any, asked: set[bytes], brought: Mapping[bytes, bool]) -> list[Detection]:
    text = Text(place.text)
    detections = []
    for start, end in spans(_TARGET, text.data):
        target = text.data[start:end].lower()
        if target in asked or target not in brought:
            continue
        acts = _ACTS.search((place.tool or "").encode()) is not None
        if brought[target] or (acts and not target.startswith(b"http")):
            score = 0.9 if brought[target] else 0.6
            detections.append(
                Detection("injection", "provenance", score, *text.span(start, end), "injection.provenance")
            )
    return detections


def _targets(text: str) -> set[bytes]:
    data = Text(text).data
    targets: set[bytes] = set()
    for start, end in spans(_TARGET, data):
        targets.add(data[start:end].lower())
        if len(targets) >= _MOST:
            break
    return targets
