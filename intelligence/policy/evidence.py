"""Evidence of one call, read from its own bytes, and only as far as a rule asks.

The same for a request on its way out, an answer on its way back, and a stored exchange: so a backtest sees what the proxy saw.
A body that cannot be read has no texts to judge, and says so by raising `Unreadable`: a rule that needed them then fails as it
declares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from intelligence.detect.detection import Detection
from intelligence.detect.lazily import Scans
from intelligence.policy.facts import Facts, Found, Standing, ToolCall
from intelligence.policy.loops import going_round
from intelligence.policy.rule import LimitMatch, LoopMatch
from intelligence.policy.steps import Step, steps_of
from intelligence.rewrite.placeholder import placeholders
from intelligence.store.ids import keyed_hash
from intelligence.wire.files import files
from intelligence.wire.json_value import INVALID, count, decode, first, obj
from intelligence.wire.pieces import Piece, Unsplit, pieces
from intelligence.wire.places import Place, answer_places, places, tools
from intelligence.wire.request import Request, read_request

_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens")


class Unreadable(Exception):
    """There is no body, or none that can be read."""


class Limits(Protocol):
    def standing(self, rule: str, limit: LimitMatch, facts: Facts) -> Standing: ...


@dataclass(slots=True)
class CallEvidence:
    """`body` is decoded of its content-encoding; None when it was not kept, or `load` brings it when first asked for. `seconds`
    is what the detectors may take, once for all rules. `allowed` says of a detection whether somebody allowed it."""

    format: str | None
    operation: str | None
    path: str
    body: bytes | None
    scanner: Scans
    seconds: float
    answer: bool = False
    limits: Limits | None = None
    allowed: Callable[[str, str, str], bool] | None = None
    facts: Facts | None = None
    load: Callable[[], bytes | None] | None = None
    _value: Any = None
    _places: list[Place] | None = None
    _pieces: list[Piece] | None = None  # empty if it cannot be cut
    _request: Request | None = None
    _steps: list[Step] | None = None
    _found: dict[str, list[Found]] = field(default_factory=dict)

    def value(self) -> Any:
        """The body as a JSON value. Raises `Unreadable`."""
        if self._value is None:
            body = self._loaded()
            self._value = INVALID if body is None else decode(body)
        if not isinstance(self._value, dict | list):
            raise Unreadable("the body cannot be read")
        return self._value

    def _loaded(self) -> bytes | None:
        if self.load and self.body is None:
            self.body = self.load()
        return self.body

    def readable(self) -> bool:
        try:
            self.value()
        except Unreadable:
            return False
        return True

    def texts(self) -> list[Place]:
        if self._places is None:
            value = self.value()
            read = answer_places if self.answer else places
            self._places = read(self.format, self.operation, self.path, value)
        return self._places

    def read_as(self, other: CallEvidence) -> None:
        """Take over what was read of the same body already."""
        self.body, self.load = other.body, other.load
        self._value, self._places, self._request = other._value, other._places, other._request
        self._pieces = other._pieces
        self._steps, self._found = other._steps, dict(other._found)

    def said(self, places: list[Place]) -> None:
        """The texts, where they were read from elsewhere than the body."""
        self._places, self._pieces = places, []

    def files(self) -> Iterable[bytes]:
        """Of an answer that is judged text by text, none are known."""
        if self.answer and (self.body is None or self.load):
            return ()
        return files(self.value())

    def request(self) -> Request:
        if self._request is None:
            self.value()
            self._request = read_request(self.format, self.operation, self.path, self.body or b"")
        return self._request

    def tool_calls(self) -> Sequence[ToolCall]:
        """Of an answer, those in it; of a request, those of the last turn that called any."""
        if self.answer:
            return _joined(self.texts())
        for message in reversed(self.request().messages):
            if calls := [part for part in message.parts if part.type == "tool_call"]:
                return [ToolCall(part.name or "", part.text) for part in calls]
        return []

    def max_tokens(self) -> int | None:
        parameters = self.request().parameters if self.readable() else {}
        inner = obj(parameters.get("generationConfig")) | obj(parameters.get("inferenceConfig"))
        return first(*(count(parameters.get(key, inner.get(key))) for key in _MAX_TOKENS))

    def tool_definitions(self) -> Sequence[tuple[str, str]]:
        return [(tool.name, tool.pointer) for tool in tools(self.value())]

    def detections(self, kinds: frozenset[str]) -> Sequence[Found]:
        """Each kind is looked for once."""
        if missing := kinds - self._found.keys():
            fresh: dict[str, list[Found]] = {kind: [] for kind in missing}
            for place, seen in self._scanned(frozenset(missing)):
                if self.allowed and self.allowed(seen.kind, seen.type, place.text[seen.start : seen.end]):
                    continue
                if any(a <= seen.start and seen.end <= b for a, b in placeholders(place.text)):
                    continue  # put there by us
                found = Found(place, seen.start, seen.end, seen.kind, seen.type, seen.score)
                fresh.setdefault(seen.kind, []).append(found)
            self._found |= fresh
        return [found for kind in sorted(kinds) for found in self._found[kind]]

    def _scanned(self, kinds: frozenset[str]) -> list[tuple[Place, Detection]]:
        began = time.thread_time()
        try:
            return self._scanned_by(kinds, began + self.seconds)
        finally:
            self.seconds = max(self.seconds - (time.thread_time() - began), 0.0)

    def _scanned_by(self, kinds: frozenset[str], deadline: float) -> list[tuple[Place, Detection]]:
        """Piece by piece, where the body can be cut."""
        if self._pieces is None:
            try:
                self._pieces = (
                    [] if self.answer else pieces(self.format, self.operation, self._loaded() or b"")
                )
            except Unsplit:
                self._pieces = []
        if self._pieces:
            try:
                return self.scanner.pieces(self._pieces, kinds, deadline=deadline)
            except Unsplit:
                self._pieces = []
        return self.scanner.request(self.texts(), kinds, deadline=deadline)

    def limit(self, rule: str, limit: LimitMatch) -> Standing:
        if self.limits is None or self.facts is None:
            raise Unreadable("nothing is counted here")
        return self.limits.standing(rule, limit, self.facts)

    def loop(self, loop: LoopMatch) -> str | None:
        if self._steps is None:
            self._steps = steps_of(self.request().messages)
        return going_round(loop, self.request(), self._steps)


def _joined(texts: Sequence[Place]) -> list[ToolCall]:
    """Tool calls of an answer: arguments that are an object stand as several texts."""
    calls: dict[tuple[str, str], list[str]] = {}
    for place in texts:
        if place.source == "tool_call":
            calls.setdefault((place.call_id or place.pointer, place.tool or ""), []).append(place.text)
    return [ToolCall(name, "\n".join(words)) for (_, name), words in calls.items()]


def seen_digest(key: bytes, kind: str, text: str) -> str:
    """By which a person allows what a detector saw, without its text being kept."""
    return keyed_hash(key, b"seen", kind.encode(), text.encode("utf-8", "surrogatepass"))
