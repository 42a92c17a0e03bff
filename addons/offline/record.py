"""The requests that reached the offline provider, the newest kept: bounded by number and by bytes.

Written in the provider's thread, read from any.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from .exchange import SeenRequest

MAX_REQUESTS = 2000
MAX_BYTES = 64 << 20


class Record:
    def __init__(self) -> None:
        self._seen: deque[SeenRequest] = deque()
        self._changed = threading.Condition()

    def add(self, seen: SeenRequest) -> None:
        with self._changed:
            self._seen.append(seen)
            self._trim()
            self._changed.notify_all()

    def set_body(self, seen: SeenRequest, body: bytes) -> None:
        with self._changed:
            seen.body = body
            self._trim()
            self._changed.notify_all()

    def end(self, seen: SeenRequest) -> None:
        with self._changed:
            seen.ended = True
            self._changed.notify_all()

    def requests(self) -> list[SeenRequest]:
        """Oldest first."""
        with self._changed:
            return list(self._seen)

    def wait_for(self, wanted: Callable[[SeenRequest], bool], timeout: float) -> SeenRequest:
        """The first request that is as wanted, waiting for it. Raises TimeoutError."""
        found: SeenRequest | None = None

        def look() -> bool:
            nonlocal found
            found = next(filter(wanted, self._seen), None)
            return found is not None

        with self._changed:
            if not self._changed.wait_for(look, timeout) or found is None:
                raise TimeoutError(f"no such request reached the offline provider within {timeout:g} s")
            return found

    def _trim(self) -> None:
        size = sum(len(seen.body) + seen.message_bytes for seen in self._seen)
        while len(self._seen) > 1 and (len(self._seen) > MAX_REQUESTS or size > MAX_BYTES):
            oldest = self._seen.popleft()
            size -= len(oldest.body) + oldest.message_bytes
