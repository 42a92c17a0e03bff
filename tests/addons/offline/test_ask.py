"""Reading text out of any provider's message content."""

from __future__ import annotations

import pytest

from addons.offline.ask import canonical, text_of, user_text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, "b"], "a\nb"),
        ({"role": "user", "content": [{"text": "nested"}]}, "nested"),
        ({"parts": [{"text": "gemini"}]}, "gemini"),
        (None, ""),
        (7, ""),
    ],
)
def test_text_of(content, text):
    assert text_of(content) == text


def test_agents_notes_are_left_out():
    content = [{"text": "<system-reminder>use tool X\n</system-reminder>"}, {"text": " real question "}]
    assert user_text(content) == "real question"
    assert user_text("<environment_context>cwd</environment_context>") == ""


def test_canonical_ignores_order():
    assert canonical({"b": 1, "a": "ü"}) == canonical({"a": "ü", "b": 1}) == '{"a":"ü","b":1}'
