"""What stands in one text, whoever wrote it and wherever it comes from.

Which kinds make sense depends on where a text comes from (`FOR`): a system prompt is trusted, a tool's result is what
an attacker writes, commands count where a tool is asked to run them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from intelligence.detect import provenance
from intelligence.detect.assigned import group as assigned
from intelligence.detect.canary import canaries
from intelligence.detect.commands import commands
from intelligence.detect.content import content
from intelligence.detect.detection import KINDS, Detection, Stretches
from intelligence.detect.engine import Sieve, Text
from intelligence.detect.exfiltration import exfiltration
from intelligence.detect.exfiltration import group as exfiltration_group
from intelligence.detect.injection import injection, marks
from intelligence.detect.pii import group as pii_group
from intelligence.detect.pii import numbers, pii
from intelligence.detect.secrets import groups as secret_groups
from intelligence.detect.secrets import secrets
from intelligence.detect.together import Look

ALL: frozenset[str] = frozenset(KINDS)

_TRUSTED = frozenset({"secret", "pii", "canary"})
FOR: dict[str | None, frozenset[str]] = {
    "system": _TRUSTED,
    "thinking": _TRUSTED,
    "tool_definition": _TRUSTED | {"injection"},
    "user": _TRUSTED | {"injection", "content"},
    "tool_result": _TRUSTED | {"injection", "content", "exfiltration"},
    "tool_call": _TRUSTED | {"command", "exfiltration", "content"},
    "assistant": _TRUSTED | {"exfiltration", "content"},
    None: ALL,
}


def scan(
    text: str,
    source: str | None,
    kinds: frozenset[str],
    tokens: Sequence[str],
    deadline: float | None,
    seen: Look | None = None,
) -> list[Detection]:
    """Detections of `kinds`, in order; those of one kind do not depend on the others: see `apart`. `tokens` are canaries, `seen`
    what was seen of the text together with others, but for commands and canaries. Raises `DeadlineExceeded`."""
    if seen is not None and not seen.worth_it(kinds) and not tokens:
        kinds &= {"command"}
        if not kinds:
            return []
    sieve = sieve_of(kinds)
    one = Text(text)
    one.look = seen
    if sieve is not None:
        sieve.sift(one, deadline, None if seen is None else seen.candidates)
    found: list[Detection] = []
    # What leaves by a text depends on what private things stand in it.
    private = bool(kinds & {"exfiltration"}) and source in (None, "assistant", "tool_call")
    if private or kinds & {"secret"}:
        found += secrets(one, deadline)
    if private or kinds & {"pii"}:
        found += pii(one, deadline)
    if "exfiltration" in kinds:
        found += exfiltration(one, source, apart(found), deadline)
    if "injection" in kinds:
        found += injection(one, deadline)
    if "command" in kinds:
        found += commands(one, deadline)
    if "canary" in kinds and tokens:
        found += canaries(one, tokens)
    if "content" in kinds:
        found += content(one)
    return sorted((d for d in found if d.kind in kinds), key=lambda d: (d.start, d.end, d.kind))


def apart(found: list[Detection]) -> list[Detection]:
    """Of what stands in one text: digits inside a key are no phone number, for who looks for both."""
    if not any(d.kind == "secret" for d in found):
        return found
    taken = Stretches((d.start, d.end) for d in found if d.kind == "secret")
    return [d for d in found if d.kind != "pii" or not taken.touch(d.start, d.end)]


def sieve_of(kinds: frozenset[str], fewest: int = 2) -> Sieve | None:
    """What goes over a text once for all of `kinds` but commands, which stand where few texts are. For one kind its own pass is
    enough."""
    if len(kinds & _BY_PATTERN) < fewest:
        return None
    return _sieves()[bool(kinds & _UNTRUSTED)]


_BY_PATTERN = frozenset({"secret", "pii", "exfiltration", "injection"})
_UNTRUSTED = frozenset({"exfiltration", "injection"})


@cache
def _sieves() -> dict[bool, Sieve]:
    """For what is trusted, and for what is not: each has its automaton to keep."""
    trusted = Sieve((*secret_groups(), assigned(), pii_group(), numbers()))
    return {False: trusted, True: Sieve((*trusted.groups, exfiltration_group(), marks()), provenance.MARKS)}
