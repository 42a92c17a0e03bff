"""Runs the detectors: over one text, or over the parts of a conversation that were not seen before.

Agents send their whole history with every call. What was found in a part is kept by a keyed digest of its text, so a
part is scanned once while the cache remembers it, and a long conversation costs its newest part. The key is made anew
in each process; nothing of a text is kept.

Which kinds make sense depends on where a text comes from (`FOR`): a system prompt is trusted, a tool's result is what
an attacker writes, commands count where a tool is asked to run them.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any

from intelligence.detect.assigned import group as assigned
from intelligence.detect.canary import canaries
from intelligence.detect.commands import commands
from intelligence.detect.commands import group as command_group
from intelligence.detect.content import content
from intelligence.detect.detection import KINDS, DeadlineExceeded, Detection, check
from intelligence.detect.engine import Sieve, Text
from intelligence.detect.exfiltration import carried, exfiltration
from intelligence.detect.exfiltration import group as exfiltration_group
from intelligence.detect.injection import injection, marks
from intelligence.detect.pii import group as pii_group
from intelligence.detect.pii import numbers, pii
from intelligence.detect.provenance import provenance
from intelligence.detect.secrets import groups as secret_groups
from intelligence.detect.secrets import secrets

__all__ = ["ALL", "DeadlineExceeded", "Detection", "Scanner", "Settings", "detector"]

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


@dataclass(frozen=True, slots=True)
class Settings:
    """`canaries` are strings nobody should ever see."""

    canaries: tuple[str, ...] = ()
    key: bytes = field(default_factory=lambda: os.urandom(32))
    remembered_parts: int = 4096


class Scanner:
    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._seen: OrderedDict[bytes, dict[str, tuple[Detection, ...]]] = OrderedDict()
        self._asked: tuple[tuple[Any, ...], list[bytes]] = ((), [])

    def scan(
        self,
        text: str,
        *,
        source: str | None = None,
        kinds: frozenset[str] = ALL,
        deadline: float | None = None,
    ) -> list[Detection]:
        """Detections in `text`, in order. `deadline` is a value of `time.thread_time`. Raises `DeadlineExceeded`."""
        wanted = kinds & FOR.get(source, ALL)
        found = _scan(text, source, wanted, self.settings.canaries, deadline)
        return sorted(found, key=lambda d: (d.start, d.end, d.kind))

    def request(
        self, places: Sequence[Any], kinds: frozenset[str] = ALL, *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """What stands in the parts of a conversation, old and new, and what only their order shows. Raises
        `DeadlineExceeded`."""
        found: list[tuple[int, Detection]] = []
        for index, (place, digest) in enumerate(zip(places, self._digests(places), strict=True)):
            found += [(index, d) for d in self._part(place, digest, kinds, deadline)]
        check(deadline)
        found += self._between(places, found, kinds)
        return [(places[index], detection) for index, detection in found]

    def _digests(self, places: Sequence[Any]) -> list[bytes]:
        """Of each part; rules ask of one request kind by kind."""
        last = self._asked
        if (asked := tuple(places)) != last[0]:
            last = self._asked = (asked, [self._digest(place.text, place.source) for place in places])
        return last[1]

    def _digest(self, text: str, source: str) -> bytes:
        data, person = text.encode("utf-8", "replace"), source.encode()[:16]
        return blake2b(data, digest_size=16, key=self.settings.key, person=person).digest()

    def _part(
        self, place: Any, digest: bytes, kinds: frozenset[str], deadline: float | None
    ) -> Iterable[Detection]:
        text, source = place.text, place.source
        seen = self._seen.pop(digest, {})
        missing = (kinds & FOR.get(source, ALL)) - seen.keys()
        if missing:
            fresh: dict[str, list[Detection]] = {kind: [] for kind in missing}
            for detection in self.scan(text, source=source, kinds=missing, deadline=deadline):
                fresh[detection.kind].append(detection)
            seen = seen | {kind: tuple(found) for kind, found in fresh.items()}
        self._seen[digest] = seen
        while len(self._seen) > self.settings.remembered_parts:
            self._seen.popitem(last=False)
        return [d for kind in sorted(kinds & seen.keys()) for d in seen[kind]]

    def _between(
        self, places: Sequence[Any], found: Sequence[tuple[int, Detection]], kinds: frozenset[str]
    ) -> list[tuple[int, Detection]]:
        """What no part shows by itself."""
        if all(place.source != "tool_call" for place in places):
            return []
        more: list[tuple[int, Detection]] = []
        if "injection" in kinds:
            injected: dict[int, list[Detection]] = {}
            for index, detection in found:
                if detection.kind == "injection":
                    injected.setdefault(index, []).append(detection)
            more += provenance(places, injected)
        if {"exfiltration", "secret"} <= kinds:
            earlier: list[str] = []
            by_place: dict[int, list[str]] = {}
            for index, detection in found:
                if detection.kind == "secret" and places[index].source != "tool_call":
                    by_place.setdefault(index, []).append(places[index].text[detection.start : detection.end])
            for index, place in enumerate(places):
                earlier += by_place.get(index, [])
                if place.source == "tool_call" and earlier:
                    more += [(index, d) for d in carried(earlier[-_SECRETS_FOLLOWED:], place.text)]
        return more


# Of a conversation, so many secrets are looked for in later tool calls.
_SECRETS_FOLLOWED = 64


def _scan(
    text: str, source: str | None, kinds: frozenset[str], tokens: Sequence[str], deadline: float | None
) -> list[Detection]:
    one = Text(text)
    if (sieve := _sieve(kinds)) is not None:
        sieve.sift(one, deadline)
    found: list[Detection] = []
    # What leaves by a text depends on what private things stand in it.
    private = bool(kinds & {"exfiltration"}) and source in (None, "assistant", "tool_call")
    if private or kinds & {"secret"}:
        found += secrets(one, deadline)
    if private or kinds & {"pii"}:
        # Digits inside a key are no phone number.
        taken = [(d.start, d.end) for d in found]
        found += [d for d in pii(one, deadline) if not any(d.start < b and a < d.end for a, b in taken)]
    if "exfiltration" in kinds:
        found += exfiltration(one, source, tuple(found), deadline)
    if "injection" in kinds:
        found += injection(one, deadline)
    if "command" in kinds:
        found += commands(one, deadline)
    if "canary" in kinds and tokens:
        found += canaries(one, tokens)
    if "content" in kinds:
        found += content(one)
    return [d for d in found if d.kind in kinds]


def _sieve(kinds: frozenset[str]) -> Sieve | None:
    """What goes over a text once for all of `kinds`. For one kind its own pass is enough."""
    if len(kinds & _BY_PATTERN) < 2:
        return None
    return _sieves()["command" in kinds, bool(kinds & {"exfiltration", "injection"})]


_BY_PATTERN = frozenset({"secret", "pii", "exfiltration", "injection", "command"})


@cache
def _sieves() -> dict[tuple[bool, bool], Sieve]:
    """Three, for what is trusted, for what is not, and for what is run: each has its automaton to keep."""
    trusted = Sieve((*secret_groups(), assigned(), pii_group(), numbers()))
    untrusted = Sieve((*trusted.groups, exfiltration_group(), marks()))
    run = Sieve((*untrusted.groups, command_group()))
    return {(False, False): trusted, (False, True): untrusted, (True, False): run, (True, True): run}


@cache
def _one() -> Scanner:
    return Scanner()


def detector() -> Callable[[str, str, frozenset[str]], Sequence[Detection]]:
    """Text, source, kinds: detections. For whoever scans single texts and configures nothing."""
    return lambda text, source, kinds: _one().scan(text, source=source, kinds=kinds)


def warm() -> None:
    """Compile and load everything, which the first request would otherwise wait for."""
    for source in FOR:
        _one().scan("ignore this: key=1 call +1 202 555 0123 https://example.org é", source=source)
