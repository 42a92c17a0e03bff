"""One exchange in plain data: what files of other programs tell of a call, and what `llmitm export` writes of ours.

Times are Unix microseconds. Bodies are as they were on the wire, or decoded where the headers name no content-encoding.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead, RequestHead

RawHeaders = Sequence[tuple[bytes, bytes]]


class Damaged(Exception):
    """A place in a file that cannot be read: what, and where. The message is for the user."""


@dataclass(slots=True)
class Reply:
    """`pieces`: when each came, and its bytes. None: the source does not have the body."""

    status_code: int
    reason: str
    http_version: str
    headers: RawHeaders
    at_us: int
    pieces: list[tuple[int, bytes]] | None = field(default_factory=list)
    body_redacted: bool = False


@dataclass(slots=True)
class Message:
    """Of a WebSocket."""

    at_us: int
    from_client: bool
    text: bool
    data: bytes
    redacted: bool = False


@dataclass(slots=True)
class Exchange:
    """`head` is there when a proxy of ours has told caller, provider and model already; `end` is None when the exchange was
    never seen to end; `missing` says what of it the source has lost."""

    id: bytes
    started_us: int
    method: str
    scheme: str
    host: str
    port: int
    path: str
    http_version: str
    headers: RawHeaders
    body: bytes
    reply: Reply | None = None
    websocket: bool = False
    messages: list[Message] = field(default_factory=list)
    end: EndHead | None = None
    ended_us: int = 0
    user: str | None = None
    client_address: str | None = None
    head: RequestHead | None = None
    missing: str | None = None


def call_id(source: bytes, started_us: int) -> bytes:
    """The id of a call recorded elsewhere: the same each time it is imported, and in the order of time like all others.
    `source` is what names it there. A UUIDv7 in its usual form stays what it is: it may be one of ours."""
    try:
        known = uuid.UUID(source.decode("ascii"))
    except ValueError:
        pass
    else:
        if known.version == 7:
            return known.bytes
    digest = bytearray(hashlib.sha256(source).digest()[:10])
    digest[0] = 0x70 | digest[0] & 0x0F
    digest[2] = 0x80 | digest[2] & 0x3F
    return uuid7(max(started_us, 0) // 1000)[:6] + digest
