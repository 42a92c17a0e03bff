"""Ids of calls that were recorded elsewhere."""

from __future__ import annotations

from intelligence.store.exchange import call_id
from intelligence.store.ids import id_text, uuid7


def test_ours_stay():
    raw = uuid7()
    assert call_id(id_text(raw).encode(), 5) == raw


def test_others_are_made_the_same_each_time_and_sort_by_time():
    early, late = call_id(b"b", 1_780_000_000_000_000), call_id(b"a", 1_780_000_001_000_000)
    assert early == call_id(b"b", 1_780_000_000_000_999) < late
    assert call_id(b"6054b734-a40b-4f70-8c9b-a9205e0e6b88", 0) != call_id(b"b", 0)
    for raw in (early, late):
        assert len(raw) == 16 and raw[6] >> 4 == 7 and raw[8] >> 6 == 2
