"""The journal: what the proxy saw, appended before it is passed on, until the worker has stored it.

A proxy run writes segments `<run>-<number>.seg` in `data/journal/`, one at a time, and holds an exclusive `flock` on the one
it writes: a segment nobody holds belongs to a run that is over. A segment is a row of frames:

    8 bytes marker | u32 length of payload | u32 CRC-32 of payload | payload
    payload: u8 kind | 16 bytes call id | i64 Unix microseconds | body        (integers big-endian)

The first frame, `RUN`, is marked "LLMITM-1" and names the random marker of all that follow: so no prompt can carry bytes
that pass for a frame when a reader looks for the next sound one behind a damaged stretch.

Bodies are msgpack of the `*Head` structs below, raw bytes, or both (`REQUEST`, `MESSAGE`: u32 length of head, head, bytes).
This module is the format; `journal_writer` and `journal_reader` are its two ends.
Frames never hold a credential: `RequestHead` and `ResponseHead` arrive here already stripped.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

import msgspec

FORMAT = 1
FIRST_MARKER = b"LLMITM-1"
NO_CALL = bytes(16)
MAX_PAYLOAD = 1 << 31
FRAME = struct.Struct(">8sII")
PAYLOAD = struct.Struct(">B16sq")
U32 = struct.Struct(">I")

Headers = list[tuple[str, str]]
CallId = bytes


class Kind(IntEnum):
    OTHER = 0  # a kind this version does not know: skipped
    RUN = 1  # first frame of a segment: RunHead
    REQUEST = 2  # RequestHead + body as the client sent it, still content-encoded
    RESPONSE = 3  # ResponseHead
    CHUNK = 4  # bytes of the answer's body as they arrived, still content-encoded
    MESSAGE = 5  # MessageHead + payload of one WebSocket message
    END = 6  # EndHead: the last frame of a call
    EVENT = 7  # EventHead: something the system did
    DROPS = 8  # DropsHead: what could not be written
    CLOSE = 9  # CloseHead: the last frame of a segment
    GOVERN = 10  # GovernHead: what policy decided about a call, and what was changed

    @classmethod
    def _missing_(cls, value: object) -> Kind:
        return cls.OTHER


class RunHead(msgspec.Struct, omit_defaults=True):
    format: int
    run: str
    segment: int
    pid: int
    marker: bytes
    version: str = ""


class RequestHead(msgspec.Struct, omit_defaults=True):
    """A request as identified by the proxy. `None` where it is not known; headers and path are stripped of credentials."""

    method: str
    scheme: str
    host: str
    port: int
    path: str
    http_version: str
    headers: Headers
    provider: str | None = None
    operation: str | None = None
    format: str | None = None
    model: str | None = None
    stream: bool | None = None
    user: str | None = None
    client: str | None = None
    client_version: str | None = None
    client_address: str | None = None
    credential_kind: str | None = None
    credential_fingerprint: str | None = None
    conversation_key: str | None = None
    websocket: bool = False
    body_redacted: bool = False
    body_sha256: str | None = None  # of the body as sent; only where the recorded one differs
    body_bytes: int | None = None  # the same


class ResponseHead(msgspec.Struct, omit_defaults=True):
    status_code: int
    reason: str
    http_version: str
    headers: Headers
    body_redacted: bool = False


class MessageHead(msgspec.Struct, omit_defaults=True):
    from_client: bool
    text: bool
    redacted: bool = False


class EndHead(msgspec.Struct, omit_defaults=True):
    """How a call ended. `cause`: `complete` (the provider's answer ended), `client_left`, `upstream_error` (cut, reset, refused,
    protocol error; `message` says which), `proxy_stopped`, `blocked` (we answered). Durations are milliseconds, `None` if it
    did not happen."""

    cause: str
    message: str | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    request_ms: float | None = None
    close_code: int | None = None  # WebSocket
    untimed: bool = False  # when the pieces of the answer came is not known: the call was recorded elsewhere


class EventHead(msgspec.Struct, omit_defaults=True):
    kind: str
    message: str
    data: dict[str, Any] = {}


class DropsHead(msgspec.Struct, omit_defaults=True):
    frames: int
    bytes: int
    reason: str
    calls: list[CallId] = []


class DecisionHead(msgspec.Struct, omit_defaults=True):
    """`action` is what the rule decided, `mode` whether it is enforced; `acted` whether it was done. `failed`: why the rule could
    not be judged."""

    rule: str
    action: str
    mode: str
    acted: bool = False
    reason: str = ""
    failed: str | None = None


class DetectionHead(msgspec.Struct, omit_defaults=True):
    """What a detector saw, and where: `pointer` into the body's JSON, `start` and `end` in code points of the text there.
    `digest` is the keyed hash of what was seen, by which it can be allowed."""

    kind: str
    type: str
    score: float
    pointer: str
    start: int
    end: int
    source: str
    digest: str
    rule: str | None = None


class RewriteHead(msgspec.Struct, omit_defaults=True):
    """A change to what was sent: at `pointer`, `before` became `after` (None: it was removed). `before` is None where the record
    must not keep it."""

    rule: str
    reason: str
    pointer: str
    before: str | None = None
    after: str | None = None


class GovernHead(msgspec.Struct, omit_defaults=True):
    """`policy` is the version of the set in force; `direction` is `request` or `response`. `undo` rebuilds the original from the
    body that is recorded: for each rewritten stretch, from and to where it is now, and the bytes that stood there; empty where
    the original must not be kept."""

    policy: str
    direction: str
    decisions: list[DecisionHead] = []
    detections: list[DetectionHead] = []
    rewrites: list[RewriteHead] = []
    undo: list[tuple[int, int, bytes]] = []


class CloseHead(msgspec.Struct, omit_defaults=True):
    reason: str  # "rotated": the run goes on in the next segment; "stopped": it ended in order


def segment_name(run: str, segment: int) -> str:
    return f"{run}-{segment:06d}.seg"
