from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.detect import candidates

PATTERNS = ["key-[a-f0-9]{4}", r"(?i)\btoken\b", "@[a-z]", r"\d(?:[ .-]{0,2}\d){5}"]
TEXT = b"key-12ab Token=@x 555-123-4567 tokens"


@pytest.mark.parametrize("engine", ["hyperscan", "re2"])
def test_where_patterns_end(engine: str) -> None:
    find = candidates.by_re2([PATTERNS]) if engine == "re2" else candidates.by_hyperscan(PATTERNS)
    if find is None:
        pytest.skip("Hyperscan does not run here")
    found = find(TEXT)
    assert found[:3] == [(8, 0), (14, 1), (17, 2)]
    assert {number for _, number in found[3:]} == {3}
    assert found == sorted(found)


@given(st.text(st.sampled_from("key-12abToken @x.\n"), max_size=60))
def test_hyperscan_sees_what_re2_sees(text: str) -> None:
    find = candidates.by_hyperscan(PATTERNS)
    if find is not None:
        data = text.encode()
        # Each group by itself: in RE2 a match may hide one of another pattern that overlaps it.
        alone = candidates.by_re2([[one] for one in PATTERNS])
        assert {end for end, _ in alone(data)} <= {end for end, _ in find(data)}


def test_without_hyperscan_it_is_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "hyperscan", None)
    assert candidates.by_hyperscan(PATTERNS) is None
    find, overlapping = candidates.candidates([PATTERNS[:2], PATTERNS[2:]])
    assert find(TEXT)[:3] == [(8, 0), (14, 1), (17, 2)] and not overlapping


def test_what_hyperscan_does_not_take_is_left_to_re2() -> None:
    assert candidates.by_hyperscan([r"(a)\1"]) is None
