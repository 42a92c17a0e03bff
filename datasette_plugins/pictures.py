"""Images of prompts that may be shown: their bytes are in the request, and they are plain raster images.

An address is never loaded: that would tell someone that, and by whom, a prompt is being read. SVG is a document, not an image,
and is never shown. What the content says about its own type is not believed; the first bytes tell.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

MAX_BYTES = 3_000_000

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def picture(data: Any) -> str | None:
    """A `data:` URI made anew from what a request has: a `data:` URI, base64, or an object of any provider that holds one.
    `None` for an address, another type, damaged or larger than `MAX_BYTES`."""
    encoded = _base64_of(data)
    if encoded is None or len(encoded) > MAX_BYTES * 4 // 3 + 4:
        return None
    try:
        raw = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = _kind(raw)
    return kind and f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def _base64_of(data: Any) -> str | None:
    for _ in range(4):  # as deep as any provider nests it
        if isinstance(data, str):
            if data[:5].lower() != "data:":
                return None if "://" in data[:20] else data
            head, _, encoded = data.partition(",")
            return encoded if head.lower().endswith(";base64") else None
        if not isinstance(data, dict):
            return None
        data = next(
            (data[key] for key in ("data", "bytes", "url", "image_url", "source") if key in data), None
        )
    return None


def _kind(raw: bytes) -> str | None:
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if raw.startswith(magic)), None)
