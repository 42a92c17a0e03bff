from __future__ import annotations

import base64
from typing import Any

import pytest

from datasette_plugins.pictures import MAX_BYTES, picture

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
B64 = base64.b64encode(PNG).decode()
SHOWN = f"data:image/png;base64,{B64}"


@pytest.mark.parametrize(
    "data",
    [
        SHOWN,
        B64,
        {"type": "base64", "media_type": "image/png", "data": B64},
        {"url": SHOWN, "detail": "low"},
        {"mimeType": "image/png", "data": B64},
        {"format": "png", "source": {"bytes": B64}},
        f"data:text/html;base64,{B64}",  # the bytes tell what it is
    ],
)
def test_every_provider_holds_it_otherwise(data: Any) -> None:
    assert picture(data) == SHOWN


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        "",
        "https://example.com/a.png",
        {"type": "url", "url": "https://example.com/a.png"},
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
        "data:image/png,raw",
        "data:image/png;base64,!!!",
        {"url": {"url": {"url": {"url": {"url": SHOWN}}}}},
        base64.b64encode(PNG + b"\0" * MAX_BYTES).decode(),
    ],
)
def test_what_is_not_shown(data: Any) -> None:
    assert picture(data) is None
