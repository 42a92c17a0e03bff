from __future__ import annotations

from datasette_plugins.slow import FROM_MS, KEPT, SlowQueries


def test_the_slowest_are_kept_without_values() -> None:
    slow = SlowQueries()
    for n in range(KEPT + 5):
        slow.took(f"select {n} from t where text = 'secret''s' and id = 1234567", FROM_MS + n)
    slow.took("select 3", FROM_MS - 1)
    kept = slow.worst()
    assert len(kept) == KEPT
    assert kept[0].worst_ms == FROM_MS + KEPT + 4
    assert not any("secret" in s.sql or "1234567" in s.sql or s.sql == "select 3" for s in kept)


def test_one_of_each_text() -> None:
    slow = SlowQueries()
    for ms in (50, 80, 60):
        slow.took("select  1\nfrom t", ms)
    (only,) = slow.worst()
    assert (only.sql, only.worst_ms, only.times) == ("select 1 from t", 80, 3)
