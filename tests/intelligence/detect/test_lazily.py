from __future__ import annotations

import pytest

from intelligence.detect import scanner as scanner_module
from intelligence.detect.lazily import LazyScanner
from intelligence.detect.one_text import ALL
from intelligence.wire.pieces import pieces
from tests.intelligence.detect.test_pieces import body, said


def test_a_history_of_four_thousand_messages_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy, looked = LazyScanner(b"k" * 32), list[int]()
    glance = scanner_module.glance
    monkeypatch.setattr(
        scanner_module, "glance", lambda numbers, *rest: looked.append(len(numbers)) or glance(numbers, *rest)
    )
    for new in range(3):
        history = [said("user", f"message {n}") for n in range(4_000 + new)]
        lazy.pieces(pieces("openai-chat", "chat", body(history)), ALL)
    assert [number >= 4_000 for number in looked] == [True], "once"


def test_settings_are_the_scanners() -> None:
    assert (
        LazyScanner(b"k" * 32).load().settings.remembered_parts == scanner_module.Settings().remembered_parts
    )
    assert LazyScanner(b"k" * 32, remembered_parts=9).load().settings.remembered_parts == 9
