"""The calls on a WebSocket: a row for each response asked for.

The first keeps the id of the socket's own row, which is there from its opening on; response n > 1 is `<id>.<n>`. Each has as
request body the JSON that the protocol puts together for it, and `started_at`, `ttft_ms` and `duration_ms` from when it was
asked for (the first row: `started_at` is the opening). The messages as they came are kept once, with the socket's own row.

What the splitter knows is not stored: after a restart of the worker it is told all messages of a socket that is still open
again, from the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece
from intelligence.store.calls import Call, Row, answer_columns, header_columns
from intelligence.store.journal import EndHead
from intelligence.store.outcome import outcome
from intelligence.wire.answer import Answer
from intelligence.wire.websocket import Began, CallSplitter, Ended, Event, FirstToken


@dataclass(slots=True)
class Turn:
    """A response that was asked for and has not ended. Times are from the opening of the socket."""

    number: int
    at_us: int
    first_us: int | None = None
    chunks: int = 0


@dataclass(slots=True)
class Told:
    """What a message had to say: responses asked for, and responses that ended."""

    began: list[tuple[Turn, Began]] = field(default_factory=list)
    ended: list[tuple[Turn, Answer]] = field(default_factory=list)


class Socket:
    def __init__(self, call: Call, row: Row, told_before: Iterable[Piece]) -> None:
        """`row`: of the socket's own request."""
        self.row = row
        self.asked = 0
        self._splitter = CallSplitter(call.format, row["model"])
        self._turns: dict[int, Turn] = {}
        for piece in told_before:
            self.message(piece)

    def message(self, piece: Piece) -> Told:
        flags = piece.flags or 0
        events = self._splitter.feed(bool(flags & FROM_CLIENT), bool(flags & TEXT), piece.data)
        return self._told(events, piece.at_us, from_server=not flags & FROM_CLIENT)

    def finish(self, at_us: int) -> Told:
        return self._told(self._splitter.finish(), at_us, from_server=False)

    def _told(self, events: list[Event], at_us: int, *, from_server: bool) -> Told:
        told = Told()
        for event in events:
            if isinstance(event, Began):
                turn = self._turns[event.call] = Turn(event.call, at_us)
                self.asked += 1
                told.began.append((turn, event))
        if from_server:
            for turn in self._turns.values():
                turn.chunks += 1
        for event in events:
            if isinstance(event, FirstToken):
                self._turns[event.call].first_us = at_us
            elif isinstance(event, Ended):
                told.ended.append((self._turns.pop(event.call), event.answer))
        return told


def row_id(call: Call, number: int) -> str:
    return call.id if number == 0 else f"{call.id}.{number + 1}"


def asked_columns(began: Began) -> Row:
    """What a response being asked for says of its request."""
    return {"model": began.request.model, "stream": True, "body_bytes": len(began.body)}


def request_row(socket: Socket, call: Call, turn: Turn, began: Began, seq: int) -> Row:
    """The row of response n > 1."""
    row = socket.row | asked_columns(began)
    row["model"] = began.request.model or socket.row["model"]
    return row | {
        "seq": seq,
        "id": row_id(call, turn.number),
        "state": "pending",
        "started_at": (call.started_us + turn.at_us) // 1000,
        "body_sha256": None,
        "truncated": call.truncated,
    }


def response_row(
    call: Call, seq: int, turn: Turn, answer: Answer, head: EndHead | None, at_us: int
) -> tuple[str, Row]:
    """State and row of a response that ended: by itself (`head` says `complete`) or with the socket."""
    status_code = call.response.status_code if call.response else None
    result = outcome(head, status_code, answer, whole=not call.truncated)
    row = header_columns(call) | answer_columns(answer)
    return result.state, row | {
        "request": seq,
        "error_type": result.error_type,
        "error_message": result.error_message,
        "ended": head.cause if head else None,
        "ttft_ms": None if turn.first_us is None else (turn.first_us - turn.at_us) / 1000,
        "duration_ms": (at_us - turn.at_us) / 1000,
        "chunks": turn.chunks,
    }
