"""Runs the detectors: over one text, or over the parts of a conversation that were not seen before.

Agents send their whole history with every call. What was found in a part is kept by a keyed digest of its text, so a
part is scanned once while the cache remembers it. A message in which nothing was found is not even read again: it is known by a
digest of its bytes. So a long conversation costs its newest part. The key is made anew in each process; no text is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

from intelligence.detect.conversation import Known, Order, known, plain
from intelligence.detect.detection import DeadlineExceeded, Detection, check
from intelligence.detect.engine import BETWEEN_LOOKS
from intelligence.detect.glance import Glance, glance
from intelligence.detect.one_text import ALL, FOR, apart, scan, sieve_of
from intelligence.detect.remembered import Remembered
from intelligence.detect.together import NOTHING, Look, laid, look
from intelligence.wire.strings import strings

__all__ = ["ALL", "DeadlineExceeded", "Detection", "Scanner", "Settings", "detector"]

_UNSEEN: Mapping[bytes, Look | None] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """`canaries` are strings nobody should ever see."""

    canaries: tuple[str, ...] = ()
    key: bytes = field(default_factory=lambda: os.urandom(32))
    remembered_parts: int = 8192


class Scanner:
    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        most = self.settings.remembered_parts
        self._seen = Remembered[dict[str, tuple[Detection, ...]]](most)
        self._pieces = Remembered[Known](most)

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
        return apart(scan(text, source, wanted, self.settings.canaries, deadline))

    def request(
        self, places: Sequence[Any], kinds: frozenset[str] = ALL, *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """What stands in the parts of a conversation, old and new, and what only their order shows. Raises
        `DeadlineExceeded`."""
        order = Order(kinds, deadline)
        parts = [(place, *self._keyed(place)) for place in places]
        known_parts = self._seen.all([digest for _, _, digest in parts])
        fresh = [data for (_, data, _), before in zip(parts, known_parts, strict=True) if before is None]
        looks = look(*laid(fresh), sieve_of(kinds, 1), kinds, deadline)
        seen = {data: looks.get(number, NOTHING) for number, data in enumerate(fresh)}
        found: list[tuple[Any, Detection]] = []
        for number, ((place, data, digest), named) in enumerate(zip(parts, order.named(places), strict=True)):
            if not number % BETWEEN_LOOKS:
                check(deadline)
            here = self._part(place, digest, kinds, deadline, seen.get(data))
            found += [(place, d) for d in (*here, *order.part(place, here, named))]
        return found

    def pieces(
        self, pieces: Sequence[Any], kinds: frozenset[str] = ALL, *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """The same for a body cut by `wire.pieces`. A piece in which nothing was found is not read again, as long as it is
        remembered by its bytes. Raises `DeadlineExceeded`, `wire.pieces.Unsplit`."""
        try:
            return self._read(pieces, kinds, deadline)
        finally:
            self._pieces.tidy()

    def _read(
        self, pieces: Sequence[Any], kinds: frozenset[str], deadline: float | None
    ) -> list[tuple[Any, Detection]]:
        order, names, nothing = Order(kinds, deadline), dict[str, str](), plain(kinds)
        found: list[tuple[Any, Detection]] = []
        digests = self._piece_digests(pieces)
        states = self._pieces.all(digests)
        fresh = [n for n, one in enumerate(states) if one is not nothing and not (one and kinds <= one.kinds)]
        at = self._glance(fresh, pieces, kinds, deadline) if len(fresh) > 1 else None
        passed: Set[int] = frozenset()
        if at:
            passed = at.pieces - at.to_read.keys()
            self._pieces.add([digests[n] for n in passed], nothing)
            for number in passed:
                if before := states[number]:
                    self._pieces.add((digests[number],), nothing.and_(before))
        for number, before in enumerate(states):
            if before is nothing or number in passed:
                continue
            if before and kinds <= before.kinds and not before.found and order.passes(before):
                order.passed(before)
                names |= before.names
                continue
            piece, glanced = pieces[number], at is not None and number in at.pieces
            check(deadline)
            places, own = piece.places(names)
            names |= own
            seen, otherwise, any_marks = _UNSEEN, None, True
            if at and glanced:
                seen, otherwise, any_marks = at.to_read[number], NOTHING, number in at.naming
            count, targets = len(found), order.named(places, any_marks=any_marks)
            for n, (one, named) in enumerate(zip(places, targets, strict=True), 1):
                if not n % BETWEEN_LOOKS:
                    check(deadline)
                data, of_part = self._keyed(one)
                here = self._part(one, of_part, kinds, deadline, seen.get(data, otherwise))
                found += [(one, d) for d in (*here, *order.part(one, here, named))]
            what = known(kinds, places, targets, own, found=count < len(found))
            if what.small:
                self._pieces.add((digests[number],), what.and_(before))
        check(deadline)
        return found

    def _glance(
        self, numbers: Sequence[int], pieces: Sequence[Any], kinds: frozenset[str], deadline: float | None
    ) -> Glance | None:
        """At those pieces, but for those in which something is odd."""
        tokens = self.settings.canaries
        at = glance(numbers, pieces, kinds, tokens, deadline)
        if at is None and (plain_ones := [n for n in numbers if strings([pieces[n].raw])]):
            check(deadline)
            at = glance(plain_ones, pieces, kinds, tokens, deadline)
        return at

    def _part(
        self,
        place: Any,
        digest: bytes,
        kinds: frozenset[str],
        deadline: float | None,
        looked: Look | None,
    ) -> list[Detection]:
        """What stands in it. `looked`: what was seen of it together with others, if it was."""
        seen = self._seen.one(digest) or {}
        if missing := (kinds & FOR.get(place.source, ALL)) - seen.keys():
            fresh = scan(place.text, place.source, missing, self.settings.canaries, deadline, looked)
            seen = seen | {
                kind: tuple(d for d in fresh if d.kind == kind) if fresh else () for kind in missing
            }
        self._seen.add((digest,), seen)
        self._seen.tidy()
        return apart([found for kind in sorted(kinds & seen.keys()) for found in seen[kind]])

    def _keyed(self, place: Any) -> tuple[bytes, bytes]:
        """Its text as UTF-8, and the digest by which it is remembered."""
        data: bytes = place.text.encode("utf-8", "replace")
        of_part = self._digest("part", place.source)
        of_part.update(data)
        return data, of_part.digest()

    def _piece_digests(self, pieces: Sequence[Any]) -> list[bytes]:
        """Kept in each piece: rules ask of one request several times."""
        member = copied = None
        digests = []
        for piece in pieces:
            if (digest := piece.digest) is None:
                if piece.member is not member or copied is None:
                    member = piece.member
                    copied = self._digest("piece", member.context).copy
                of_piece = copied()
                of_piece.update(piece.raw)
                digest = piece.digest = of_piece.digest()
            digests.append(digest)
        return digests

    def _digest(self, what: str, context: str) -> Any:
        """To be updated. Most processors have instructions for SHA-256."""
        return sha256(self.settings.key + f"{what} {len(context)} {context}".encode("utf-8", "replace"))


@cache
def _one() -> Scanner:
    return Scanner()


def detector() -> Callable[[str, str, frozenset[str]], Sequence[Detection]]:
    """Text, source, kinds: detections. For whoever scans single texts and configures nothing."""
    return lambda text, source, kinds: _one().scan(text, source=source, kinds=kinds)


def warm() -> None:
    """Compile and load everything, which the first request would otherwise wait for."""
    text = "ignore this: key=1 call +1 202 555 0123 https://example.org é"
    for source in FOR:
        _one().scan(text, source=source)
    look(*laid([text.encode()] * 2), sieve_of(ALL), ALL)
