"""Prompt caching and bounds."""

from __future__ import annotations

import pytest

from addons.offline.memory import Bounded, Memory, tokens

LONG = "word " * 1000  # 1250 tokens


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_tokens(text, count):
    assert tokens(text) == count


def test_automatic_prefixes():
    memory = Memory()
    assert memory.cached_tokens([LONG, "a"], None) == (0, 0)
    assert memory.cached_tokens([LONG, "b"], None) == (1152, 0)
    assert memory.cached_tokens(["x", LONG], None) == (0, 0)
    assert memory.cached_tokens(["short"], None) == memory.cached_tokens(["short"], None) == (0, 0)


def test_marked_prefixes():
    memory = Memory()
    assert memory.cached_tokens([LONG, "a"], 0) == (0, 0)
    assert memory.cached_tokens([LONG, "a"], 1) == (0, 1250)
    assert memory.cached_tokens([LONG, "a", "bbbb"], 3) == (1250, 2)
    assert memory.cached_tokens([LONG, "a", "bbbb"], 3) == (1252, 0)
    assert memory.cached_tokens(["small"], 1) == (0, 0)


def test_bounded():
    kept = Bounded[int, int](2)
    for key in (1, 2, 1, 3):
        kept[key] = key
    assert list(kept) == [1, 3]
