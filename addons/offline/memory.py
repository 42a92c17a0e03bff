"""What the offline provider remembers between requests, all of it bounded.

Prompt prefixes (so that a conversation that resends its history reports cached tokens, as real providers do), how often a
fault with `times=N` has struck, and the items of past Responses answers (for `previous_response_id`). Everything else about
an answer comes from its request alone.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

# Providers cache nothing shorter, and count in steps (OpenAI).
MIN_CACHED_TOKENS = 1024
_STEP = 128


def tokens(text: str) -> int:
    """The usual rule of thumb: four characters to a token."""
    return math.ceil(len(text) / 4)


class Bounded[K, V](OrderedDict[K, V]):
    """A dict that forgets its oldest entries."""

    def __init__(self, max_entries: int) -> None:
        super().__init__()
        self.max_entries = max_entries

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.max_entries:
            self.popitem(last=False)


class Memory:
    def __init__(self) -> None:
        self._prefixes: Bounded[bytes, None] = Bounded(20_000)
        self._strikes: Bounded[str, int] = Bounded(1_000)
        self.responses: Bounded[str, list[Any]] = Bounded(200)

    def cached_tokens(self, segments: Sequence[str], marked: int | None) -> tuple[int, int]:
        """Tokens of `segments` read from the cache, and written to it.

        `marked`: only that many leading segments may be cached (Anthropic's `cache_control`). None: any prefix, and the
        write is not told (OpenAI, Gemini).
        """
        digest = hashlib.sha256()
        read = total = 0
        for segment in segments if marked is None else segments[:marked]:
            digest.update(len(segment).to_bytes(8, "big") + segment.encode(errors="surrogatepass"))
            total += tokens(segment)
            if digest.digest() in self._prefixes:
                read = total
            if marked is None:
                self._prefixes[digest.digest()] = None
        if total < MIN_CACHED_TOKENS:
            return 0, 0
        if marked is None:
            return (read // _STEP * _STEP if read >= MIN_CACHED_TOKENS else 0), 0
        self._prefixes[digest.digest()] = None
        return read, total - read

    def strikes(self, prompt: str, times: int) -> bool:
        """Whether a fault that strikes only the first `times` strikes this time."""
        struck = self._strikes.get(prompt, 0)
        self._strikes[prompt] = struck + 1
        return struck < times
