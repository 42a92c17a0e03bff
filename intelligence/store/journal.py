"""The journal: what the proxy saw, appended before it is passed on, until the worker has stored it.

A proxy run writes segments `<run>-<number>.seg` in `data/journal/`, one at a time, and holds an exclusive `flock` on the one
it writes: a segment nobody holds belongs to a run that is over. A segment is a row of frames:

    8 bytes marker | u32 length of payload | u32 CRC-32 of payload | payload
    payload: u8 kind | 16 bytes call id | i64 Unix microseconds | body        (integers big-endian)

The first frame, `RUN`, is marked "LLMITM-1" and names the random marker of all that follow: so no prompt can carry bytes
that pass for a frame when a reader looks for the next sound one behind a damaged stretch.

Bodies are msgpack of the `*Head` structs below, raw bytes, or both (`REQUEST`, `MESSAGE`: u32 length of head, head, bytes).
`write(2)` without fsync: a killed process loses nothing that was written, a power cut may lose the last seconds. A write that
fails (full disk) leaves no half frame behind, is counted, and the count is written as soon as writing works again, followed
by how the calls ended that did so meanwhile.
Frames never hold a credential: `RequestHead` and `ResponseHead` arrive here already stripped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec

from intelligence.store.ids import id_text, uuid7

FORMAT = 1
FIRST_MARKER = b"LLMITM-1"
NO_CALL = bytes(16)
MAX_PAYLOAD = 1 << 31
_FRAME = struct.Struct(">8sII")
_PAYLOAD = struct.Struct(">B16sq")
_U32 = struct.Struct(">I")

Headers = list[tuple[str, str]]
CallId = bytes


class JournalError(Exception):
    """A segment that cannot be read at all."""


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


class EventHead(msgspec.Struct, omit_defaults=True):
    kind: str
    message: str
    data: dict[str, Any] = {}


class DropsHead(msgspec.Struct, omit_defaults=True):
    frames: int
    bytes: int
    reason: str
    calls: list[CallId] = []


class CloseHead(msgspec.Struct, omit_defaults=True):
    reason: str  # "rotated": the run goes on in the next segment; "stopped": it ended in order


_encoder = msgspec.msgpack.Encoder().encode
_decode_any = msgspec.msgpack.Decoder(dict[str, Any]).decode


def _encode(head: msgspec.Struct) -> bytes:
    try:
        return _encoder(head)
    except UnicodeEncodeError:  # bytes of a header or path that are no UTF-8, as lone surrogates
        return _encoder(_sound(msgspec.to_builtins(head, builtin_types=(bytes,))))


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sound(key): _sound(item) for key, item in value.items()}
    return [_sound(item) for item in value] if isinstance(value, list | tuple) else value


class JournalWriter:
    """Appends frames for one proxy run. No method raises for a full or broken disk; each returns whether its frame was
    written."""

    MAX_DROPPED_CALLS = 1000

    def __init__(self, folder: Path, *, segment_bytes: int = 64 * 1024 * 1024, version: str = "") -> None:
        """Raises `OSError` if the folder cannot be made or the first segment not be opened."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.run = uuid7().hex()
        self.segment = 0
        self.dropped_frames = 0
        self.dropped_bytes = 0
        self._unreported = DropsHead(0, 0, "")
        self._late_ends: list[tuple[CallId, list[bytes], int]] = []
        self._segment_bytes = segment_bytes
        self._version = version
        self._fd = -1
        self._size = 0
        self._marker = b""
        self._spoilt = False
        self._open()

    def _open(self) -> None:
        path = self.folder / segment_name(self.run, self.segment + 1)
        draft = path.with_suffix(".new")  # a reader sees it once it is locked and has its first frame
        marker = os.urandom(8)
        head = RunHead(FORMAT, self.run, self.segment + 1, os.getpid(), marker, self._version)
        frame = _frame(FIRST_MARKER, Kind.RUN, NO_CALL, [_encode(head)])
        size = sum(map(len, frame))
        fd = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.writev(fd, frame) != size:
                raise OSError("short write: disk full?")
            draft.rename(path)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        self.segment += 1
        self._fd, self._size, self._marker = fd, size, marker

    def request(self, call: bytes, head: RequestHead, body: bytes) -> bool:
        packed = _encode(head)
        return self._append(Kind.REQUEST, call, [_U32.pack(len(packed)), packed, body])

    def response(self, call: bytes, head: ResponseHead) -> bool:
        return self._append(Kind.RESPONSE, call, [_encode(head)])

    def chunk(self, call: bytes, data: bytes) -> bool:
        return self._append(Kind.CHUNK, call, [data])

    def message(self, call: bytes, head: MessageHead, data: bytes) -> bool:
        packed = _encode(head)
        return self._append(Kind.MESSAGE, call, [_U32.pack(len(packed)), packed, data])

    def end(self, call: bytes, head: EndHead) -> bool:
        return self._append(Kind.END, call, [_encode(head)])

    def event(
        self, kind: str, message: str, data: dict[str, Any] | None = None, call: bytes = NO_CALL
    ) -> bool:
        return self._append(Kind.EVENT, call, [_encode(EventHead(kind, message, data or {}))])

    def close(self) -> None:
        """The run ends in order."""
        if self._fd >= 0:
            self._append(Kind.CLOSE, NO_CALL, [_encode(CloseHead("stopped"))])
            os.close(self._fd)
            self._fd = -1

    def _append(self, kind: Kind, call: bytes, body: list[bytes]) -> bool:
        frame = _frame(self._marker, kind, call, body)
        try:
            if self._spoilt:
                self._replace()
                frame = _frame(self._marker, kind, call, body)
            if self._unreported.frames or self._late_ends:
                self._catch_up()
            self._write(frame)
        except OSError as e:
            if kind is Kind.END and len(self._late_ends) < self.MAX_DROPPED_CALLS:
                self._late_ends.append((call, body, time.time_ns() // 1000))
            else:
                self._drop(call, sum(map(len, frame)), str(e))
            return False
        if self._size >= self._segment_bytes:
            # A full disk may have no room for a new segment; this one then grows on.
            with contextlib.suppress(OSError):
                self._rotate()
        return True

    def _catch_up(self) -> None:
        """Tell what was dropped. How a call ended is small and kept until it can be written, or it would stay pending."""
        if self._unreported.frames:
            drops, self._unreported = self._unreported, DropsHead(0, 0, "")
            try:
                self._write(_frame(self._marker, Kind.DROPS, NO_CALL, [_encode(drops)]))
            except OSError:
                self._unreported = drops
                raise
        while self._late_ends:
            call, body, t_us = self._late_ends[0]
            self._write(_frame(self._marker, Kind.END, call, body, t_us))
            del self._late_ends[0]

    def _write(self, frame: list[bytes]) -> None:
        size = sum(map(len, frame))
        written = -1
        try:
            written = os.writev(self._fd, frame)
            if written != size:
                raise OSError("short write: disk full?")
        except OSError:
            if written != -1:
                self._cut_back()
            raise
        self._size += size

    def _cut_back(self) -> None:
        """Take a half-written frame off again, so that what follows stays readable."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            # The next frame begins a new segment; until then this one's lock says that the run lives.
            self._spoilt = True

    def _rotate(self) -> None:
        old, marker = self._fd, self._marker
        self._open()
        # The new segment exists before the old one says so; a reader never finds a gap.
        try:
            os.writev(old, _frame(marker, Kind.CLOSE, NO_CALL, [_encode(CloseHead("rotated"))]))
        finally:
            os.close(old)

    def _replace(self) -> None:
        old = self._fd
        self._open()
        os.close(old)
        self._spoilt = False

    def _drop(self, call: bytes, size: int, reason: str) -> None:
        self.dropped_frames += 1
        self.dropped_bytes += size
        drops = self._unreported
        drops.frames += 1
        drops.bytes += size
        drops.reason = reason
        if call != NO_CALL and call not in drops.calls and len(drops.calls) < self.MAX_DROPPED_CALLS:
            drops.calls.append(call)


def _frame(marker: bytes, kind: Kind, call: bytes, body: list[bytes], t_us: int | None = None) -> list[bytes]:
    head = _PAYLOAD.pack(kind, call, time.time_ns() // 1000 if t_us is None else t_us)
    crc = zlib.crc32(head)
    length = len(head)
    for part in body:
        crc = zlib.crc32(part, crc)
        length += len(part)
    return [_FRAME.pack(marker, length, crc) + head, *body]


@dataclass(slots=True)
class Frame:
    """One frame as read. `end` is the offset in the segment after it; `skipped` counts damaged bytes before it."""

    kind: Kind
    call: bytes
    t_us: int
    body: bytes
    end: int
    skipped: int = 0

    @property
    def call_id(self) -> str:
        return id_text(self.call)

    def split(self) -> tuple[bytes, bytes]:
        """Head and bytes of a `REQUEST` or `MESSAGE` frame."""
        (length,) = _U32.unpack_from(self.body)
        return self.body[4 : 4 + length], self.body[4 + length :]


class SegmentReader:
    """Reads one segment. Raises `JournalError` when the file does not begin with a `RUN` frame of a format we know."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            first = self._frame_at(0, FIRST_MARKER)
            if first is None or first.kind is not Kind.RUN:
                raise JournalError(f"{path}: not a journal segment")
            format_ = _decode_any(first.body).get("format")
            if format_ != FORMAT:
                raise JournalError(f"{path}: journal format {format_}, this program reads {FORMAT}")
            self.head = msgspec.msgpack.decode(first.body, type=RunHead)
        except (JournalError, msgspec.MsgspecError) as e:
            self.close()
            raise e if isinstance(e, JournalError) else JournalError(f"{path}: {e}") from None
        self.start = first.end

    def close(self) -> None:
        os.close(self.fd)

    def frames(self, offset: int = 0, *, over: bool = False) -> Iterator[Frame]:
        """Whole frames from `offset` (0: the first after `RUN`) to the end or a torn tail. With `over=True` (nobody writes
        here any more) damaged bytes that have sound frames behind them are skipped and counted in `Frame.skipped`."""
        offset = max(offset, self.start)
        skipped = 0
        while True:
            frame = self._frame_at(offset, self.head.marker)
            if frame is not None:
                frame.skipped, skipped = skipped, 0
                yield frame
                offset = frame.end
            elif over and (found := self._next_frame(offset + 1)) is not None:
                skipped, offset = found - offset, found
            else:
                return

    def _frame_at(self, offset: int, expected: bytes) -> Frame | None:
        head = os.pread(self.fd, _FRAME.size, offset)
        if len(head) < _FRAME.size:
            return None
        marker, length, crc = _FRAME.unpack(head)
        if marker != expected or not _PAYLOAD.size <= length <= MAX_PAYLOAD:
            return None
        payload = os.pread(self.fd, length, offset + _FRAME.size)
        if len(payload) < length or zlib.crc32(payload) != crc:
            return None
        kind, call, t_us = _PAYLOAD.unpack_from(payload)
        return Frame(Kind(kind), call, t_us, payload[_PAYLOAD.size :], offset + _FRAME.size + length)

    def _next_frame(self, offset: int) -> int | None:
        """The next offset behind `offset` at which a sound frame starts."""
        step = 1 << 20
        while block := os.pread(self.fd, step + len(self.head.marker), offset):
            at = block.find(self.head.marker)
            while at != -1:
                if self._frame_at(offset + at, self.head.marker):
                    return offset + at
                at = block.find(self.head.marker, at + 1)
            offset += step
        return None


def segment_name(run: str, segment: int) -> str:
    return f"{run}-{segment:06d}.seg"


def segments(folder: Path) -> list[Path]:
    """All segments, oldest run first, in order within a run."""
    return sorted(folder.glob("*.seg"))


def is_live(path: Path) -> bool:
    """Whether a proxy still holds this segment. A vanished segment is not live."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
