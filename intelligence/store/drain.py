"""From the journal into `traffic.db`, each frame exactly once.

A `step` reads what is new, makes rows of it, and writes them in one transaction together with the journal positions it
reached: a worker killed at any moment goes on from its last commit, and nothing is lost or stored twice. A call is seen
with its first frame (state `pending`); what arrives of its answer waits in `open_chunks` until it ends. A call that
begins and ends within one step never touches that table.

A segment is removed only after a commit that was synced to disk covers all of it, and its position is forgotten only
after the removal is on disk too. Should a stored segment come back nonetheless, its calls are known by their id and
passed over.

The object mirrors the database in memory. After any error of the database, throw it away and make a new one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from itertools import chain
from pathlib import Path

import msgspec

from intelligence.store import batch as sql
from intelligence.store import bodies, open_calls, session_sums, sockets
from intelligence.store.batch import Batch
from intelligence.store.bodies import PART_BYTES, Piece
from intelligence.store.calls import Call, begin, end, header_columns
from intelligence.store.conversations import Conversations
from intelligence.store.governing import Governed
from intelligence.store.ids import id_text
from intelligence.store.journal import (
    NO_CALL,
    DropsHead,
    EndHead,
    EventHead,
    GovernHead,
    Kind,
    MessageHead,
    RequestHead,
    ResponseHead,
)
from intelligence.store.journal_reader import Frame
from intelligence.store.pricing import Prices
from intelligence.store.sockets import Socket, Told
from intelligence.store.tail import RunOver, Tail

log = logging.getLogger(__name__)

# One step holds about this much in memory: frames read, and rows made of them. Half a second's work; an order to stop is heard
# between two, and larger ones are no faster.
STEP_BYTES = 4 * 1024 * 1024
STEP_FRAMES = 20_000
# What a step with nothing to store moves of what an older version stored: some hundredths of a second's work.
BACKLOG_REQUESTS = 50
BACKLOG_BYTES = 1024 * 1024

_KNOWN = "select 1 from requests where id = :id union all select 1 from forgotten where call = :id"

_request_head = msgspec.msgpack.Decoder(RequestHead).decode
_response_head = msgspec.msgpack.Decoder(ResponseHead).decode
_end_head = msgspec.msgpack.Decoder(EndHead).decode
_message_head = msgspec.msgpack.Decoder(MessageHead).decode
_event_head = msgspec.msgpack.Decoder(EventHead).decode
_govern_head = msgspec.msgpack.Decoder(GovernHead).decode
_drops_head = msgspec.msgpack.Decoder(DropsHead).decode


class Drain:
    def __init__(self, db: sqlite3.Connection, journal: Path, prices: Prices | None = None) -> None:
        self._db = db
        self._prices = prices or Prices()
        self._journal = journal
        positions = dict(db.execute("select segment, position from journal_positions").fetchall())
        self._gone = [name for name in positions if not (journal / name).exists()]
        self._tail = Tail(journal, positions)
        self._committed = dict(positions)
        (last,) = db.execute(
            "select coalesce(max(seq), 0) from sqlite_sequence where name = 'requests'"
        ).fetchone()
        self._seq = int(last)
        self._open = open_calls.load(db)
        self._ended: set[bytes] = set()
        self._touched: dict[bytes, Call] = {}
        self._sockets: dict[bytes, Socket] = {}
        self._turns: dict[str, int] = {}  # seq of the rows of responses that have not ended
        self.stored = 0
        self._conversations = Conversations(db)
        self._backlog = True
        self._tail.remove_stale_drafts()

    def close(self) -> None:
        self._tail.close()

    def step(self) -> int:
        """Store what is new, up to a limit. Returns how many frames that was. Raises `sqlite3.Error`."""
        batch = Batch()
        self._touched.clear()
        self._ended.clear()
        frames = 0
        for item in self._tail.read(STEP_BYTES):
            frames += 1
            if isinstance(item, RunOver):
                self._run_over(batch, item.run)
            else:
                self._take(batch, item.run, item.frame)
            if frames >= STEP_FRAMES or batch.weight >= STEP_BYTES:
                break
        self._commit(batch)
        if not frames and self._backlog:
            self._backlog = self._conversations.move_backlog(BACKLOG_REQUESTS, BACKLOG_BYTES)
        return frames

    @property
    def positions(self) -> dict[str, int]:
        """Of each segment, how far it is stored."""
        return dict(self._committed)

    def swept(self) -> None:
        """Rows of the message tree went: what is remembered of it may be wrong."""
        self._conversations.swept()

    def abandon(self) -> None:
        """Calls whose run left no segment behind (someone removed it) will never end: they are interrupted."""
        batch = Batch()
        here = {path.name.rpartition("-")[0] for path in self._journal.glob("*.seg")}
        over = {run for (run,) in self._db.execute("select distinct run from forgotten")} - here
        self._db.executemany("delete from forgotten where run = ?", [(run,) for run in over])
        for run in {call.run for call in self._open.values()} - here:
            self._run_over(batch, run)
        self._commit(batch)

    # What the frames say

    def _take(self, batch: Batch, run: str, frame: Frame) -> None:
        if frame.skipped:
            message = f"{frame.skipped} damaged bytes of the journal were passed over"
            log.warning("run %s: %s", run, message)
            batch.event("journal_damaged", message, {}, run=run, t_us=frame.t_us, call=None)
            for raw, call in self._open.items():
                if call.run == run:
                    self._truncate(raw, call)
        try:
            self._say(batch, run, frame)
        except sqlite3.Error:
            raise
        except Exception as e:  # one bad frame must not hold up the journal for ever
            log.exception("run %s: a %s frame cannot be understood", run, frame.kind.name)
            message = f"a {frame.kind.name} frame cannot be understood: {type(e).__name__}: {e}"
            batch.event("frame_unreadable", message, {}, run=run, t_us=frame.t_us, call=_call_id(frame.call))

    def _say(self, batch: Batch, run: str, frame: Frame) -> None:
        kind = frame.kind
        if kind is Kind.EVENT:
            event = _event_head(frame.body)
            batch.event(
                event.kind, event.message, event.data, run=run, t_us=frame.t_us, call=_call_id(frame.call)
            )
        elif kind is Kind.DROPS:
            self._drops(batch, run, frame)
        elif kind in (Kind.REQUEST, Kind.RESPONSE, Kind.CHUNK, Kind.MESSAGE, Kind.GOVERN, Kind.END):
            call = self._call(batch, run, frame)
            if call is None:
                return
            call.last_us = frame.t_us
            self._touched[frame.call] = call
            if kind is Kind.CHUNK:
                call.pieces.append(Piece(call.elapsed_us(frame.t_us), frame.body))
                call.chunks += 1
                call.body_bytes += len(frame.body)
            elif kind is Kind.MESSAGE:
                self._message(batch, call, frame)
            elif kind is Kind.RESPONSE:
                call.response = _response_head(frame.body)
                call.new_response = True
            elif kind is Kind.GOVERN:
                batch.governed.append(Governed(call.seq, frame.t_us // 1000, _govern_head(frame.body)))
            elif kind is Kind.END:
                self._end(batch, frame.call, call, _end_head(frame.body), frame.t_us)

    def _call(self, batch: Batch, run: str, frame: Frame) -> Call | None:
        """The open call a frame belongs to. None for a call that has ended."""
        if call := self._open.get(frame.call):
            return call
        if frame.call in self._ended or self._known(frame.call_id):
            log.warning(
                "%s: a %s frame of a call that has ended is passed over", frame.call_id, frame.kind.name
            )
            return None
        head, body = None, b""
        if frame.kind is Kind.REQUEST:
            packed, body = frame.split()
            head = _request_head(packed)
        self._seq += 1
        websocket = frame.kind is Kind.MESSAGE
        call = begin(self._seq, frame.call_id, run, frame.t_us, head, body, websocket=websocket)
        self._open[frame.call] = call
        if call.new_row and call.new_body:
            batch.asks(call.new_row, call.new_body)
        return call

    def _known(self, call_id: str) -> bool:
        return self._db.execute(_KNOWN, {"id": call_id}).fetchone() is not None

    def _drops(self, batch: Batch, run: str, frame: Frame) -> None:
        drops = _drops_head(frame.body)
        message = f"{drops.frames} frames ({drops.bytes} bytes) could not be written: {drops.reason}"
        if not drops.frames:  # imported
            message = f"part of the call is not in its source: {drops.reason}"
        log.warning("run %s: %s", run, message)
        data = {"frames": drops.frames, "bytes": drops.bytes, "calls": [id_text(raw) for raw in drops.calls]}
        batch.event("journal_dropped", message, data, run=run, t_us=frame.t_us, call=None)
        for raw in drops.calls:
            if call := self._open.get(raw):
                self._truncate(raw, call)

    def _truncate(self, raw: bytes, call: Call) -> None:
        call.truncated = True
        self._touched[raw] = call

    def _run_over(self, batch: Batch, run: str) -> None:
        for raw, call in [(raw, call) for raw, call in self._open.items() if call.run == run]:
            self._touched[raw] = call
            self._end(batch, raw, call, None, call.last_us)

    def _end(self, batch: Batch, raw: bytes, call: Call, head: EndHead | None, t_us: int) -> None:
        asked = self._end_socket(batch, raw, call, head, t_us) if call.is_socket else 0
        if not asked:
            self._end_row(batch, call, head, t_us)
        elif call.new_row:
            batch.begun(call)
        batch.pieces(call.seq, call.kind, call.parts, chain(open_calls.spilled(self._db, call), call.pieces))
        if call.stored:
            batch.closed.append((call.seq,))
            batch.cleared.append((call.seq,))
        del self._open[raw], self._touched[raw]
        self._ended.add(raw)
        self.stored += not asked

    def _end_row(self, batch: Batch, call: Call, head: EndHead | None, t_us: int) -> None:
        result = end(call, head, t_us, open_calls.arrived(self._db, call))
        if result.problem:
            batch.event("parse_failed", result.problem, {}, run=call.run, t_us=t_us, call=call.id)
        update = {"seq": call.seq, "state": result.state, "truncated": call.truncated}
        if call.new_row:
            batch.request(call.new_row | update)
        else:
            batch.updates.append(update)
        batch.response(result.row)
        batch.answered(call.seq, result.state, result.row, result.response_id)

    # WebSockets

    def _message(self, batch: Batch, call: Call, frame: Frame) -> None:
        packed, data = frame.split()
        head = _message_head(packed)
        socket = self._socket(frame.call, call)
        flags = head.from_client * bodies.FROM_CLIENT | head.text * bodies.TEXT
        piece = Piece(call.elapsed_us(frame.t_us), data, flags)
        call.pieces.append(piece)
        call.chunks += not head.from_client
        call.body_bytes += 0 if head.from_client else len(data)
        self._answers(batch, call, socket, socket.message(piece), EndHead("complete"), piece.at_us)

    def _socket(self, raw: bytes, call: Call) -> Socket:
        if (socket := self._sockets.get(raw)) is None:
            row = call.new_row or open_calls.request_row(self._db, call.seq)
            socket = self._sockets[raw] = Socket(call, row, open_calls.arrived(self._db, call))
        return socket

    def _answers(
        self, batch: Batch, call: Call, socket: Socket, told: Told, head: EndHead | None, at_us: int
    ) -> None:
        for turn, began in told.began:
            if turn.number == 0:
                batch.asked.append(sockets.asked_columns(began) | {"seq": call.seq})
                row = socket.row
            else:
                self._seq += 1
                row = sockets.request_row(socket, call, turn, began, self._seq)
                batch.request(row)
            self._turns[row["id"]] = row["seq"]
            batch.asks(row, began.body)
        for turn, answer in told.ended:
            row_id = sockets.row_id(call, turn.number)
            seq = self._turns.pop(row_id, 0) or self._seq_of(row_id)
            state, row = sockets.response_row(call, seq, turn, answer, head, at_us)
            batch.updates.append({"seq": seq, "state": state, "truncated": call.truncated})
            batch.response(row)
            batch.answered(seq, state, row)
            call.new_response = call.new_response and seq != call.seq
            self.stored += 1

    def _seq_of(self, row_id: str) -> int:
        return int(self._db.execute("select seq from requests where id = ?", (row_id,)).fetchone()[0])

    def _end_socket(self, batch: Batch, raw: bytes, call: Call, head: EndHead | None, t_us: int) -> int:
        """End the responses that are still open. Returns how many were ever asked for."""
        socket = self._socket(raw, call)
        at_us = call.elapsed_us(t_us)
        self._answers(batch, call, socket, socket.finish(at_us), head, at_us)
        del self._sockets[raw]
        if socket.asked:
            batch.sockets.append(
                {
                    "seq": call.seq,
                    "ended": head.cause if head else None,
                    "close_code": head.close_code if head else None,
                    "body_bytes": call.body_bytes,
                }
            )
        return socket.asked

    # The transaction

    def _commit(self, batch: Batch) -> None:
        for call in sorted(self._touched.values(), key=lambda call: call.seq):
            self._keep_open(batch, call)
        positions = [p for p in self._tail.positions.items() if self._committed.get(p[0]) != p[1]]
        done = self._tail.done
        if not (positions or done or self._touched or batch.closed or self._gone):
            return
        self._db.execute(f"pragma synchronous = {'full' if done else 'normal'}")
        self._db.execute("begin immediate")
        try:
            batch.store(self._db, self._prices)
            self._conversations.take(batch.told)
            session_sums.add(self._db, batch.over)
            # Those of finished segments even if unmoved: only a commit that writes is synced.
            positions += [(path.name, self._tail.positions[path.name]) for path in done]
            self._db.executemany(sql.PUT_POSITION, positions)
            self._db.executemany(sql.DELETE_POSITION, [(name,) for name in self._gone])
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
        for name in self._gone:
            self._tail.positions.pop(name, None)
        self._gone = []
        self._committed = dict(self._tail.positions)
        if done:
            self._remove(self._tail.take_done())

    def _keep_open(self, batch: Batch, call: Call) -> None:
        if call.new_response:
            batch.response(header_columns(call))
        if call.pieces:
            self._spill(batch, call)
        batch.open(call)
        call.stored, call.new_row, call.new_body, call.new_response = True, None, None, False

    def _spill(self, batch: Batch, call: Call) -> None:
        """Put what arrived aside; of a long answer, make parts of what fills them."""
        fresh, call.pieces = call.pieces, []
        if call.spilled_bytes + sum(len(p.data) for p in fresh) >= PART_BYTES:
            groups = list(bodies.parts(chain(open_calls.spilled(self._db, call), fresh)))
            fresh = [] if sum(len(p.data) for p in groups[-1]) >= PART_BYTES else groups.pop()
            call.parts = batch.pieces(call.seq, call.kind, call.parts, chain.from_iterable(groups))
            batch.cleared.append((call.seq,))
            call.spilled_bytes = 0
        if fresh:
            data, arrivals = bodies.pack(fresh)
            batch.chunks.append((call.seq, data, arrivals))
            call.spilled_bytes += len(data)

    def _remove(self, done: list[Path]) -> None:
        for path in done:
            try:
                path.unlink(missing_ok=True)
                self._gone.append(path.name)
            except OSError as e:
                log.warning("%s is stored but cannot be removed: %s", path, e)
        fd = os.open(self._journal, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _call_id(raw: bytes) -> str | None:
    return None if raw == NO_CALL else id_text(raw)
