"""Calls recorded elsewhere, put into the journal with the times they had: from there they take the way of live traffic.

They are identified and stripped of credentials exactly as by the proxy. Each is named by what names it in its source, so
what is in `traffic.db` already is passed over.

Segments are written beside the journal, each a run of its own that holds whole calls only, and moved into it when full: an
import that is killed leaves no half call behind, and can simply be run again. Memory holds one call at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from intelligence.store import queries
from intelligence.store.exchange import Exchange, Reply
from intelligence.store.ids import id_text
from intelligence.store.journal import EndHead, MessageHead, RequestHead, ResponseHead
from intelligence.store.journal_reader import is_live
from intelligence.store.journal_writer import JournalWriter
from intelligence.wire.credentials import Redactor
from intelligence.wire.encoding import decode_body
from intelligence.wire.identify import read_fields
from intelligence.wire.recorded import (
    MAX_BODY_BYTES,
    encoding_of,
    named,
    read_body,
    request_head,
    strip_body,
    strip_request,
    without_encoding,
)
from intelligence.wire.registry import Registry, Target

# A segment of about this size is handed to the worker before the next is begun.
SEGMENT_BYTES = 16 * 1024 * 1024
# A long answer is cut, so that the worker reads it as it reads a live one.
PIECE_BYTES = 1 << 20
_WHOLE = 1 << 62


@dataclass(slots=True)
class Counts:
    """`imported` calls, `known` ones that are stored already, `other` exchanges that are no LLM calls."""

    imported: int = 0
    known: int = 0
    other: int = 0
    problems: list[str] = field(default_factory=list)


def target_of(registry: Registry, exchange: Exchange) -> Target | None:
    """The LLM call that the exchange is: by its path, or by its body as the proxy tells it. None: it is none."""
    host, port, method, path = exchange.host.lower(), exchange.port, exchange.method, exchange.path
    if registry.provider_for(host, port):
        target = registry.classify(host, port, method, path, websocket=exchange.websocket)
    else:
        target = registry.classify_any(method, path, websocket=exchange.websocket)
    if target or method != "POST" or not exchange.body:
        return target
    by_name = named(exchange.headers)
    if b"json" not in by_name.get(b"content-type", b"").lower():
        return None
    fields = read_fields(decode_body(encoding_of(by_name), exchange.body, MAX_BODY_BYTES))
    if fields is None or fields.model is None or not fields.keys:
        return None
    return registry.guess(host, port, path, fields.keys)


class Importer:
    """`dry`: count, write nothing. Raises `OSError` when the disk is full; what was handed over stays."""

    def __init__(
        self, data_dir: Path, registry: Registry, redactor: Redactor, *, dry: bool = False, version: str = ""
    ) -> None:
        self.counts = Counts()
        self._data_dir = data_dir
        self._staging = data_dir / "importing"
        self._registry = registry
        self._redactor = redactor
        self._dry = dry
        self._version = version
        self._writer: JournalWriter | None = None
        self._fresh: set[bytes] = set()
        self._db: sqlite3.Connection | None = None
        for left in self._staging.glob("*"):  # by an import that was killed
            if not is_live(left):
                left.unlink(missing_ok=True)

    def add(self, exchange: Exchange) -> Path | None:
        """Take one exchange. Returns the segment that is now in the journal, if one became full."""
        target = None if exchange.head else target_of(self._registry, exchange)
        if target is None and exchange.head is None:
            self.counts.other += 1
        elif exchange.id in self._fresh or self._is_stored(exchange.id):
            self.counts.known += 1
        else:
            self.counts.imported += 1
            self._fresh.add(exchange.id)
            if not self._dry:
                self._write(exchange, target)
        if self._writer and self._writer.size >= SEGMENT_BYTES:
            return self.hand_over()
        return None

    def stored(self) -> None:
        """What was handed over is in the database: from now on that is asked."""
        if not self._dry:
            self._fresh.clear()

    def hand_over(self) -> Path | None:
        """Move what is written into the journal. Returns where it is; None when there is nothing."""
        if self._writer is None:
            return None
        self._writer.close()
        name = f"{self._writer.run}-{self._writer.segment:06d}.seg"
        self._writer = None
        journal = self._data_dir / "journal"
        journal.mkdir(mode=0o700, exist_ok=True)
        path = (self._staging / name).rename(journal / name)
        with suppress(OSError):
            self._staging.rmdir()
        return path

    def close(self) -> None:
        """Whatever was not handed over is dropped."""
        if self._writer is not None:
            self._writer.close()
            (self._staging / f"{self._writer.run}-{self._writer.segment:06d}.seg").unlink(missing_ok=True)
            self._writer = None
        if self._db is not None:
            self._db.close()

    def _is_stored(self, raw: bytes) -> bool:
        """As far as can be told without waiting: the worker, too, passes over what it knows."""
        database = self._data_dir / "traffic.db"
        if self._db is None and database.exists():
            self._db = queries.connect(database)
        if self._db is None:
            return False
        try:
            found = self._db.execute("select 1 from requests where id = ?", (id_text(raw),)).fetchone()
        except sqlite3.OperationalError:  # the worker is just making the database
            return False
        return found is not None

    def _write(self, exchange: Exchange, target: Target | None) -> None:
        if self._writer is None:
            self._writer = JournalWriter(self._staging, segment_bytes=_WHOLE, version=self._version)
        for written in frames(self._writer, self._redactor, exchange, target):
            if not written:
                raise OSError("the journal cannot be written; is the disk full?")


def frames(
    writer: JournalWriter, redactor: Redactor, exchange: Exchange, target: Target | None
) -> Iterator[bool]:
    """Write one call; for each frame, whether that worked."""
    head, body = _request(redactor, exchange, target)
    call = exchange.id
    yield writer.request(call, head, body, exchange.started_us)
    if exchange.missing:
        yield writer.missing(call, exchange.missing, exchange.started_us)
    if exchange.reply:
        yield from _answer(writer, redactor, call, head, exchange.reply)
    for message in exchange.messages:
        stripped = redactor.strip_body(message.data) if message.text else None
        told = MessageHead(
            message.from_client, message.text, redacted=message.redacted or stripped is not None
        )
        data = message.data if stripped is None else stripped
        yield writer.message(call, told, data, message.at_us)
    if exchange.end:
        yield writer.end(call, exchange.end, exchange.ended_us)


def _request(redactor: Redactor, exchange: Exchange, target: Target | None) -> tuple[RequestHead, bytes]:
    by_name = named(exchange.headers)
    encoding = encoding_of(by_name)
    if exchange.head:  # of our own making; stripped again, as anyone may have edited the file
        head = exchange.head
        head.path = redactor.strip_path(head.path)
        head.headers = redactor.strip_headers(exchange.headers)
        stripped = strip_body(redactor, encoding, exchange.body, _conversation(encoding, exchange.body))
        if stripped is None:
            return head, exchange.body
        head.body_redacted = True
        head.headers = without_encoding(head.headers)
        return head, stripped
    assert target is not None
    head = request_head(
        redactor,
        target,
        by_name,
        method=exchange.method,
        scheme=exchange.scheme,
        host=exchange.host,
        port=exchange.port,
        path=exchange.path,
        http_version=exchange.http_version,
        fields=exchange.headers,
        user=exchange.user,
        client_address=exchange.client_address,
    )
    head.websocket = exchange.websocket
    if not exchange.body:
        return head, b""
    conversation = read_body(redactor.key, head, target, encoding, exchange.body)
    return head, strip_request(redactor, head, encoding, exchange.body, conversation)


def _conversation(encoding: str | None, body: bytes) -> tuple[int, int]:
    fields = read_fields(decode_body(encoding, body, MAX_BODY_BYTES)) if body else None
    return fields.content if fields else (0, 0)


def _answer(
    writer: JournalWriter, redactor: Redactor, call: bytes, head: RequestHead, reply: Reply
) -> Iterator[bool]:
    told = ResponseHead(
        reply.status_code,
        reply.reason,
        reply.http_version,
        redactor.strip_headers(reply.headers),
        reply.body_redacted,
    )
    pieces = reply.pieces or []
    if head.operation == "realtime" and not head.websocket and pieces:  # it may have made a secret
        whole = b"".join(data for _, data in pieces)
        stripped = strip_body(redactor, encoding_of(named(reply.headers)), whole)
        if stripped is not None:
            told.body_redacted, told.headers = True, without_encoding(told.headers)
            pieces = [(pieces[-1][0], stripped)]
    yield writer.response(call, told, reply.at_us)
    for at_us, data in pieces:
        for start in range(0, len(data), PIECE_BYTES):
            yield writer.chunk(call, data[start : start + PIECE_BYTES], at_us)


UNTIMED = EndHead("complete", untimed=True)
"""The end of an exchange whose source keeps the answer in one piece."""
