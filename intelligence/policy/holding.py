"""A streamed answer on its way through a screen: bytes in, bytes out.

Events pass as they came, byte for byte, unless something in them is changed, and in the order they came. Held back is only an
event some of whose text the screen has not settled yet, and what stands behind it. What a screen settles it may have edited:
then only the strings that carry the edited span are written anew, the new text in the first of them. A screen may stop the
answer: nothing that was not settled leaves, and the stream is over.

The outcome does not depend on where the bytes are cut. Memory is bounded by what the screen holds back and by the frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Edit, Rewrite
from intelligence.wire import deltas
from intelligence.wire.deltas import DeltaReader, Deltas, Piece
from intelligence.wire.frames import Frame, Frames
from intelligence.wire.json_value import INVALID, decode
from intelligence.wire.place import Place

# Events of no text that may wait behind one that is held, in bytes.
MAX_WAITING = 8 * 1024 * 1024
MAX_CHANNELS = 10_000


@dataclass(slots=True)
class Channel:
    """One text as it comes. `text` is what a screen still wants to see of it, from code point `base` on; up to `settled` it may
    leave, with `edits` (start, end, new text), none of which crosses that point."""

    piece: Piece
    text: str = ""
    base: int = 0
    settled: int = 0
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    passing: bool = False

    @property
    def length(self) -> int:
        return self.base + len(self.text)

    @property
    def open(self) -> str:
        """What is not settled."""
        return self.text[max(0, self.settled - self.base) :]

    def settle(self, upto: int, keep: int = 0) -> None:
        """`keep`: how much of the settled text is to be seen again."""
        self.settled = upto
        drop = max(0, upto - keep - self.base)
        self.text, self.base = self.text[drop:], self.base + drop


class Screen(Protocol):
    """Looks at what comes. Each may raise `Stop`."""

    def more(self, channel: Channel) -> None:
        """Some text came."""
        ...

    def end(self, channel: Channel) -> None:
        """No more will come; all is to be settled."""
        ...

    def whole(self, places: list[Place]) -> Iterable[Edit]:
        """Texts that an event tells whole; what is to be edited in them."""
        ...

    def unseen(self, why: str) -> None:
        """Something could not be looked at, or not be edited."""
        ...


class Stop(Exception):
    """The answer ends here."""


@dataclass(slots=True)
class _Waiting:
    frame: Frame
    pieces: list[tuple[Channel, int, int, str]] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)


class Holding:
    """`stopped` once the screen stopped the answer; `begun` once a frame left."""

    def __init__(self, frames: Frames, screen: Screen) -> None:
        self._frames = frames
        self._screen = screen
        self._reader = DeltaReader()
        self._channels: dict[deltas.Channel, Channel] = {}
        self._coming: deque[Frame] = deque()
        self._queue: deque[_Waiting] = deque()
        self._out: list[bytes] = []
        self._waiting = 0
        self._lost = False
        self.stopped = False
        self.begun = False

    def feed(self, data: bytes) -> bytes:
        return self._through(self._frames.feed(data))

    def finish(self) -> bytes:
        """At the end of the stream."""
        out = self._through(self._frames.finish())
        if not self.stopped:
            try:
                self._end_all()
            except Stop:
                self.stopped = True
            self._release()
        return out + self._left()

    def abandon(self) -> bytes:
        """All that is here, as it came, but for what was to leave: for one who gives up screening, whatever raised and where."""
        frames = [*(one.frame for one in self._queue), *self._coming]
        self._queue.clear()
        self._coming.clear()
        return self._left() + b"".join(frame.raw for frame in frames) + self._frames.rest()

    def _through(self, frames: list[Frame]) -> bytes:
        self._coming.extend(frames)
        while self._coming and not self.stopped:
            try:
                if self._frames.lost and not self._lost:
                    self._lost = True
                    self._screen.unseen("an event is too long")
                self._take(self._coming.popleft())
            except Stop:
                self.stopped = True
            self._release()
        return self._left()

    def _left(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        self.begun = self.begun or bool(out)
        return out

    def _take(self, frame: Frame) -> None:
        one = _Waiting(frame)
        self._queue.append(one)
        self._waiting += len(frame.raw)
        over = frame.data[:6] == b"[DONE]"
        try:
            told = None
            if frame.data[:1] in (b"{", b"["):
                value = decode(frame.data)
                if value is not INVALID:
                    told = self._reader.read(frame.name, value)
                elif not over:
                    self._screen.unseen("an event cannot be read")
            self._look(one, told, over)
        except Stop:
            if self._queue and self._queue[-1] is one:
                self._queue.pop()  # it is what the answer was stopped for
            raise
        if self._waiting > MAX_WAITING:
            self._screen.unseen("too much would have to be held back")
            self._end_all()

    def _look(self, one: _Waiting, told: Deltas | None, over: bool) -> None:
        pieces = [(piece, self._channel(piece)) for piece in told.pieces] if told else []
        for piece, channel in pieces:
            start = channel.length
            channel.text += piece.text
            one.pieces.append((channel, start, channel.length, piece.pointer))
        for _, channel in pieces:
            self._screen.more(channel)
        if told:
            for ended in told.ended:
                self._end(ended)
            if told.whole:
                one.edits += self._screen.whole(told.whole)
        if over or (told and told.over):
            self._end_all()

    def _channel(self, piece: Piece) -> Channel:
        channel = self._channels.get(piece.channel)
        if channel is None:
            if len(self._channels) >= MAX_CHANNELS:
                self._end_all()
            channel = self._channels[piece.channel] = Channel(piece)
        return channel

    def _end(self, beginning: tuple[Any, ...]) -> None:
        for key in [key for key in self._channels if _begins(key, beginning)]:
            self._screen.end(self._channels.pop(key))

    def _end_all(self) -> None:
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            self._screen.end(channel)

    def _release(self) -> None:
        queue = self._queue
        while queue and all(end <= channel.settled for channel, _, end, _ in queue[0].pieces):
            try:
                self._out.append(self._written(queue[0]))
            except Stop:
                self.stopped = True
                break
            self._waiting -= len(queue.popleft().frame.raw)
        if self.stopped:
            queue.clear()

    def _written(self, one: _Waiting) -> bytes:
        edits = list(one.edits)
        for channel, start, end, pointer in one.pieces:
            edits += _local(channel, start, end, pointer)
        if not edits:
            return one.frame.raw
        written = apply(one.frame.data, [Rewrite("answer", "", edits, redacts=True)])
        if written.refused:
            self._screen.unseen(written.refused[0].why)
        return one.frame.holding(written.body) if written.splices else one.frame.raw


def _begins(channel: deltas.Channel, beginning: tuple[Any, ...]) -> bool:
    return isinstance(channel, tuple) and channel[: len(beginning)] == beginning


def _local(channel: Channel, start: int, end: int, pointer: str) -> list[Edit]:
    """What of a channel's edits falls into the piece from `start` to `end`, which leaves now, before any later one."""
    edits = []
    for a, b, text in channel.edits:
        if start <= a < end:
            edits.append(Edit(pointer, a - start, min(b, end) - start, text))
        elif a < start < b:
            edits.append(Edit(pointer, 0, min(b, end) - start, ""))
    channel.edits = [edit for edit in channel.edits if edit[1] > end]
    return edits
