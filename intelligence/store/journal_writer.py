"""The proxy's end of the journal: appends frames, see `journal` for the format.

`write(2)` without fsync: a killed process loses nothing that was written, a power cut may lose the last seconds. A write that
fails (full disk) leaves no half frame behind, is counted, and the count is written as soon as writing works again, followed
by how the calls ended that did so meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import zlib
from pathlib import Path
from typing import Any

import msgspec

from intelligence.store.ids import uuid7
from intelligence.store.journal import (
    FIRST_MARKER,
    FORMAT,
    FRAME,
    NO_CALL,
    PAYLOAD,
    U32,
    CallId,
    CloseHead,
    DropsHead,
    EndHead,
    EventHead,
    GovernHead,
    Kind,
    MessageHead,
    RequestHead,
    ResponseHead,
    RunHead,
    segment_name,
)

_encoder = msgspec.msgpack.Encoder().encode


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
    written. `t_us` is for calls that were recorded elsewhere and keep their times; else it is now."""

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
        frame = frame_bytes(FIRST_MARKER, Kind.RUN, NO_CALL, [_encode(head)])
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

    @property
    def size(self) -> int:
        """Bytes in the segment that is being written."""
        return self._size

    def request(self, call: bytes, head: RequestHead, body: bytes, t_us: int | None = None) -> bool:
        packed = _encode(head)
        return self._append(Kind.REQUEST, call, [U32.pack(len(packed)), packed, body], t_us)

    def response(self, call: bytes, head: ResponseHead, t_us: int | None = None) -> bool:
        return self._append(Kind.RESPONSE, call, [_encode(head)], t_us)

    def chunk(self, call: bytes, data: bytes, t_us: int | None = None) -> bool:
        return self._append(Kind.CHUNK, call, [data], t_us)

    def message(self, call: bytes, head: MessageHead, data: bytes, t_us: int | None = None) -> bool:
        packed = _encode(head)
        return self._append(Kind.MESSAGE, call, [U32.pack(len(packed)), packed, data], t_us)

    def govern(self, call: bytes, head: GovernHead, t_us: int | None = None) -> bool:
        return self._append(Kind.GOVERN, call, [_encode(head)], t_us)

    def end(self, call: bytes, head: EndHead, t_us: int | None = None) -> bool:
        return self._append(Kind.END, call, [_encode(head)], t_us)

    def missing(self, call: bytes, reason: str, t_us: int | None = None) -> bool:
        """Part of this call is not here and will not come."""
        return self._append(Kind.DROPS, call, [_encode(DropsHead(0, 0, reason, [call]))], t_us)

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

    def _append(self, kind: Kind, call: bytes, body: list[bytes], t_us: int | None = None) -> bool:
        frame = frame_bytes(self._marker, kind, call, body, t_us)
        try:
            if self._spoilt:
                self._replace()
                frame = frame_bytes(self._marker, kind, call, body, t_us)
            if self._unreported.frames or self._late_ends:
                self._catch_up()
            self._write(frame)
        except OSError as e:
            if kind is Kind.END and len(self._late_ends) < self.MAX_DROPPED_CALLS:
                self._late_ends.append((call, body, t_us or time.time_ns() // 1000))
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
                self._write(frame_bytes(self._marker, Kind.DROPS, NO_CALL, [_encode(drops)]))
            except OSError:
                self._unreported = drops
                raise
        while self._late_ends:
            call, body, t_us = self._late_ends[0]
            self._write(frame_bytes(self._marker, Kind.END, call, body, t_us))
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
            os.writev(old, frame_bytes(marker, Kind.CLOSE, NO_CALL, [_encode(CloseHead("rotated"))]))
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


def frame_bytes(
    marker: bytes, kind: Kind, call: bytes, body: list[bytes], t_us: int | None = None
) -> list[bytes]:
    head = PAYLOAD.pack(kind, call, time.time_ns() // 1000 if t_us is None else t_us)
    crc = zlib.crc32(head)
    length = len(head)
    for part in body:
        crc = zlib.crc32(part, crc)
        length += len(part)
    return [FRAME.pack(marker, length, crc) + head, *body]
