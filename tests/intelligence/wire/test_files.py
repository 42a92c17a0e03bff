"""Files in a body, wherever an API puts them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.files import files

DATA = bytes(range(64))
TEXT = base64.b64encode(DATA).decode()
BODIES: dict[str, Any] = {
    "anthropic": {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": TEXT}}]},
    "openai url": {"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}}]},
    "openai file": {"content": [{"type": "file", "file": {"file_data": f"data:application/pdf;base64,{TEXT}"}}]},
    "openai audio": {"content": [{"type": "input_audio", "input_audio": {"data": TEXT, "format": "wav"}}]},
    "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": TEXT}}]}]},
    "bedrock": {"messages": [{"content": [{"image": {"format": "png", "source": {"bytes": TEXT}}}]}]},
    "ollama": {"messages": [{"content": "see", "images": [TEXT]}]},
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_found_in_each_api(body: Any) -> None:
    assert list(files(body)) == [DATA]


@pytest.mark.parametrize("text", ["", "short", "no base64 at all, but a long sentence.", TEXT[:-3] + "!!!"])
def test_what_is_no_file(text: str) -> None:
    assert list(files({"data": text})) == []


def test_base64_in_other_words_is_no_file() -> None:
    assert list(files({"text": TEXT, "model": TEXT})) == []


@settings(deadline=None)
@given(st.binary(min_size=12, max_size=80), st.booleans(), st.booleans(), st.integers(0, 30))
def test_however_it_is_spelled(data: bytes, url_safe: bool, padded: bool, line: int) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")
    text = text[:line] + "\r\n" + text[line:]
    assert list(files({"source": {"data": text}})) == [data]


KEYS = st.sampled_from(["data", "x"])
VALUES = st.recursive(
    st.none() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
)


@settings(deadline=None)
@given(VALUES)
def test_no_value_raises(value: Any) -> None:
    assert all(isinstance(one, bytes) for one in files(value))
