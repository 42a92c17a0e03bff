"""Values put back where an answer has their placeholders, for the client alone.

In a stream only what may be the beginning of a placeholder waits for the next event, so less than the length of one. In
arguments that are JSON in a string a value is escaped once more. Signed parts keep their placeholders: the client has to send
them back as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from intelligence.policy.holding import Channel
from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Edit, Rewrite
from intelligence.rewrite.placeholder import MARK, beginning, escaped, placeholders
from intelligence.wire.json_value import INVALID, decode
from intelligence.wire.place import Place
from intelligence.wire.places import answer_places


class Restoring:
    """A screen (`holding`). `values` by their placeholders."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._escaped = escaped(values)
        self._names = sorted(values)

    def more(self, channel: Channel) -> None:
        self._settle(channel, beginning(channel.open, self._names))

    def end(self, channel: Channel) -> None:
        self._settle(channel, len(channel.open))

    def _settle(self, channel: Channel, upto: int) -> None:
        text, at = channel.open[:upto], channel.settled
        if channel.piece.tool.guarded is None:
            values = self._escaped if channel.piece.json else self._values
            channel.edits += [(at + a, at + b, new) for a, b, new in self._found(text, values)]
        channel.settle(at + upto)

    @staticmethod
    def _found(text: str, values: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
        for start, end in placeholders(text):
            if (value := values.get(text[start:end])) is not None:
                yield start, end, value

    def whole(self, places: list[Place]) -> list[Edit]:
        return [
            Edit(place.pointer, start, end, value)
            for place in places
            if MARK in place.text and place.guarded is None and place.source != "thinking"
            for start, end, value in self._found(
                place.text, self._escaped if is_json(place) else self._values
            )
        ]

    def unseen(self, why: str) -> None:
        """The placeholder stays."""

    def body(self, body: bytes, format: str | None, operation: str | None, path: str) -> bytes:
        """Of a whole answer."""
        if MARK.encode() not in body or (value := decode(body)) is INVALID:
            return body
        edits = self.whole(answer_places(format, operation, path, value))
        return apply(body, [Rewrite("restore", "", edits)]).body if edits else body


def is_json(place: Place) -> bool:
    """Whether a text is JSON itself: the arguments of a call, in formats that give them as a string."""
    return (
        place.source == "tool_call"
        and place.pointer.endswith("/arguments")
        and place.text.lstrip()[:1] in ("{", "[")
    )
