"""The files in a body: what clients send along as base64 (images, documents, sound), decoded.

Found by the members that hold them in the APIs there are, and by `data:` URLs. What is no base64 is no file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from intelligence.wire.place import FILES, is_file

# Shorter ones are words that happen to be written in these letters.
_SHORTEST = 16


def files(value: Any) -> Iterator[bytes]:
    """In no particular order."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.items())
        elif isinstance(one, list):
            waiting.extend((key, inner) for inner in one)
        elif isinstance(one, str) and (key in FILES or is_file(one)) and (data := _decoded(one)):
            yield data


def _decoded(text: str) -> bytes | None:
    if is_file(text):
        text = text.partition(";base64,")[2]
    if len(text) < _SHORTEST:
        return None
    try:
        bare = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


_URL_SAFE = str.maketrans("-_", "+/")
