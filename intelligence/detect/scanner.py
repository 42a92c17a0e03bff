"""Runs the detectors: over one text, or over the parts of a conversation that were not seen before.

Agents send their whole history with every call. What was found in a part is kept by a keyed digest of its text, so a
part is scanned once while the cache remembers it. A message in which nothing was found is not even read again: it is known by a
digest of its bytes. So a long conversation costs its newest part. The key is made anew in each process; no text is kept.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from itertools import islice
from typing import Any

from intelligence.detect.conversation import Known, Order, known
from intelligence.detect.detection import DeadlineExceeded, Detection, check
from intelligence.detect.one_text import ALL, FOR, scan, sieve_of
from intelligence.detect.together import SHORT_BYTES, Look, look

__all__ = ["ALL", "DeadlineExceeded", "Detection", "Scanner", "Settings", "detector"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`canaries` are strings nobody should ever see."""

    canaries: tuple[str, ...] = ()
    key: bytes = field(default_factory=lambda: os.urandom(32))
    remembered_parts: int = 4096


# Places, the names of tools in them; and of each place what stands in it, and the targets it names.
type _Read = tuple[list[Any], dict[str, str], list[list[Detection]], list[frozenset[int]]]


class Scanner:
    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._seen: OrderedDict[bytes, dict[str, tuple[Detection, ...]]] = OrderedDict()
        self._pieces: OrderedDict[bytes, Known] = OrderedDict()

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
        return scan(text, source, wanted, self.settings.canaries, deadline)

    def request(
        self, places: Sequence[Any], kinds: frozenset[str] = ALL, *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """What stands in the parts of a conversation, old and new, and what only their order shows. Raises
        `DeadlineExceeded`."""
        order = Order(kinds)
        found: list[tuple[Any, Detection]] = []
        parts = self._parts(places, kinds, deadline)
        for place, here, named in zip(places, parts, order.named(places), strict=True):
            found += [(place, d) for d in (*here, *order.part(place, here, named))]
        return found

    def pieces(
        self, pieces: Sequence[Any], kinds: frozenset[str] = ALL, *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """The same for a body cut by `wire.pieces`. A piece in which nothing was found is not read again, as long as it is
        remembered by its bytes. Raises `DeadlineExceeded`, `wire.pieces.Unsplit`."""
        order, names = Order(kinds), dict[str, str]()
        found: list[tuple[Any, Detection]] = []
        digests = self._piece_digests(pieces)
        unknown = self._unknown(pieces, digests, kinds, order, deadline)
        for number, (piece, digest) in enumerate(zip(pieces, digests, strict=True)):
            before = self._pieces.get(digest)
            if before and kinds <= before.kinds and order.passes(before):
                self._pieces.move_to_end(digest)
                order.passed(before)
                if before.names:
                    names |= before.names
                continue
            read = unknown.get(number)
            if read is None:
                places, own = piece.places(names)
                read = places, own, self._parts(places, kinds, deadline), order.named(places)
            places, own, parts, named = read
            names |= own
            count = len(found)
            for place, here, targets in zip(places, parts, named, strict=True):
                found += [(place, d) for d in (*here, *order.part(place, here, targets))]
            if count == len(found) and (clean := known(kinds, places, named, own)).small:
                self._keep(self._pieces, digest, clean.and_(before))
        return found

    def _unknown(
        self,
        pieces: Sequence[Any],
        digests: Sequence[bytes],
        kinds: frozenset[str],
        order: Order,
        deadline: float | None,
    ) -> dict[int, _Read]:
        """Pieces that have to be read, by number. Their parts are scanned together."""
        names, read = dict[str, str](), dict[int, tuple[list[Any], dict[str, str]]]()
        for number, (piece, digest) in enumerate(zip(pieces, digests, strict=True)):
            before = self._pieces.get(digest)
            if before and kinds <= before.kinds:
                names |= before.names
            else:
                check(deadline)
                read[number] = piece.places(names)
                names |= read[number][1]
        everywhere = [place for places, _ in read.values() for place in places]
        parts, named = iter(self._parts(everywhere, kinds, deadline)), iter(order.named(everywhere))
        return {
            number: (places, own, list(islice(parts, len(places))), list(islice(named, len(places))))
            for number, (places, own) in read.items()
        }

    def _parts(
        self, places: Sequence[Any], kinds: frozenset[str], deadline: float | None
    ) -> list[list[Detection]]:
        """What stands in each."""
        datas = [place.text.encode("utf-8", "replace") for place in places]
        digests = [self._digest(data, place.source) for data, place in zip(datas, places, strict=True)]
        looks = self._looks(places, datas, digests, kinds, deadline)
        found = [
            self._part(place, digest, kinds, deadline, looks.get(digest))
            for place, digest in zip(places, digests, strict=True)
        ]
        check(deadline)
        return found

    def _looks(
        self,
        places: Sequence[Any],
        datas: Sequence[bytes],
        digests: Sequence[bytes],
        kinds: frozenset[str],
        deadline: float | None,
    ) -> dict[bytes, Look]:
        """At those that nobody has seen, where it is several."""
        fresh: dict[str, dict[bytes, bytes]] = {}
        for place, data, digest in zip(places, datas, digests, strict=True):
            if len(data) <= SHORT_BYTES and digest not in self._seen:
                fresh.setdefault(place.source, {})[digest] = data
        found: dict[bytes, Look] = {}
        for source, some in fresh.items():
            wanted = kinds & FOR.get(source, ALL)
            if len(some) > 1 and (sieve := sieve_of(wanted)):
                found |= zip(some, look(list(some.values()), sieve, wanted, deadline), strict=True)
        return found

    def _part(
        self, place: Any, digest: bytes, kinds: frozenset[str], deadline: float | None, looked: Look | None
    ) -> list[Detection]:
        seen = self._seen.get(digest, {})
        if missing := (kinds & FOR.get(place.source, ALL)) - seen.keys():
            fresh = scan(place.text, place.source, missing, self.settings.canaries, deadline, looked)
            seen = seen | {
                kind: tuple(d for d in fresh if d.kind == kind) if fresh else () for kind in missing
            }
        self._keep(self._seen, digest, seen)
        return [found for kind in sorted(kinds & seen.keys()) for found in seen[kind]]

    def _keep[T](self, remembered: OrderedDict[bytes, T], digest: bytes, what: T) -> None:
        remembered[digest] = what
        remembered.move_to_end(digest)
        while len(remembered) > self.settings.remembered_parts:
            remembered.popitem(last=False)

    def _digest(self, data: bytes, source: str) -> bytes:
        return blake2b(data, digest_size=16, key=self.settings.key, person=source.encode()[:16]).digest()

    def _piece_digests(self, pieces: Sequence[Any]) -> list[bytes]:
        """Kept in each piece: rules ask of one request several times."""
        member = of_member = None
        for piece in pieces:
            if piece.digest is not None:
                continue
            if piece.member is not member or of_member is None:
                member, context = piece.member, piece.member.context
                of_member = blake2b(digest_size=16, key=self.settings.key, person=b"piece")
                of_member.update(f"{len(context)} {context}".encode("utf-8", "replace"))
            of_piece = of_member.copy()
            of_piece.update(piece.raw)
            piece.digest = of_piece.digest()
        return [piece.digest for piece in pieces]


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
