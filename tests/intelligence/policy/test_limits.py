"""Counting for limits, against a model that keeps every call and counts anew each time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.policy.facts import Facts
from intelligence.policy.limits import (
    FORGET_SECONDS,
    GRAIN_SECONDS,
    SLIDES,
    Limits,
    NotCounted,
    Spent,
    counters_of,
)
from intelligence.store.spending import GONE
from tests.intelligence.policy.rules import compiled, facts, rule

NOON = datetime(2026, 3, 30, 12, tzinfo=UTC).timestamp()


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def _limits(clock: Clock | None = None, ready: bool = True, **limit: Any) -> Limits:
    when = {
        "limit": {"per": "minute", **{k: v for k, v in limit.items() if k != "when"}},
        **limit.get("when", {}),
    }
    limits = Limits(clock or Clock())
    limits.use(counters_of(compiled(rule("r", "throttle", when=when))))
    for counter in limits.counters.values():
        counter.ready = ready
    return limits


def _standing(limits: Limits, **fields: Any) -> Any:
    return limits.standing("r", limits.counters["r"].limit, facts(**fields))


def _spent(id: str, at: float, tokens: int | None = None, usd: float | None = None, **fields: Any) -> Spent:
    return Spent(id, at, Facts(GONE, at=at, **fields), tokens, usd)


steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "ask"]),
        st.integers(0, 3),
        st.integers(0, 40),
        st.sampled_from(["alice", "bob", None]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(1, 5), st.sampled_from(["minute", "hour", "day", "month"]))
def test_requests_are_counted_as_by_hand(ran: list[Any], most: int, per: str) -> None:
    """What ends is told at once; grains of time are those of the counter."""
    clock = Clock()
    limits = _limits(clock, requests=most, per=per, by="user")
    open_: dict[str, tuple[float, str | None]] = {}
    over: list[tuple[float, str | None]] = []
    grain, stretch = GRAIN_SECONDS[per], {"minute": 1, "hour": 60, "day": 3000, "month": 60_000}[per]
    for n, (what, which, later, user) in enumerate(ran):
        clock.now += later * stretch
        begin = limits.counters["r"].begin(clock.now)
        first = int(begin // grain) + (per in SLIDES)
        used = sum(u == user for _, u in open_.values())
        used += sum(u == user and at // grain >= first for at, u in over)
        assert _standing(limits, user=user).reached == (used + 1 > most)
        if what == "begin" and used < most:
            limits.began(f"c{n}", facts(user=user))
            open_[f"c{n}"] = (clock.now, user)
        elif what == "end" and open_:
            call = sorted(open_)[which % len(open_)]
            at, who = open_.pop(call)
            limits.ended(call)
            limits.told([_spent(call, at, user=who)])
            over.append((at, who))


@given(st.integers(1, 6), st.integers(1, 20))
def test_a_limit_on_requests_is_exact_however_many_are_open(most: int, asked: int) -> None:
    limits = _limits(requests=most)
    passed = 0
    for n in range(asked):
        if not _standing(limits).reached:
            limits.began(f"c{n}", facts())
            passed += 1
    assert passed == min(most, asked)


@given(st.integers(100, 1000), st.lists(st.tuples(st.integers(1, 50), st.integers(0, 300)), max_size=30))
def test_tokens_are_passed_by_no_more_than_what_was_in_flight(
    most: int, calls: list[tuple[int, int]]
) -> None:
    """Each call is estimated by its prompt, and uses so much more."""
    limits = _limits(tokens=most)
    open_: list[tuple[str, int, int]] = []
    for n, (prompt, more) in enumerate(calls):
        if not _standing(limits, prompt_tokens=prompt).reached:
            limits.began(f"c{n}", facts(prompt_tokens=prompt))
            open_.append((f"c{n}", prompt, more))
    used = sum(prompt + more for _, prompt, more in open_)
    assert used <= most + sum(more for _, _, more in open_)
    limits.told([_spent(id, NOON, tokens=prompt + more) for id, prompt, more in open_])
    assert _standing(limits, prompt_tokens=0).used == used


def test_cost_in_flight_is_the_mean_of_its_window() -> None:
    limits = _limits(cost_usd=10, per="day")
    limits.told([_spent("a", NOON, usd=2.0), _spent("b", NOON, usd=4.0)])
    limits.began("c", facts())
    assert _standing(limits).used == pytest.approx(9.0)
    assert not _standing(limits).reached
    limits.began("d", facts())
    assert _standing(limits).reached


def test_a_restart_resets_nothing_and_other_proxies_count() -> None:
    limits = _limits(requests=3, per="day", by="key", ready=False)
    with pytest.raises(NotCounted):
        _standing(limits, key="k")
    limits.counters["r"].ready = True
    limits.told([_spent(f"of-another-{n}", NOON - 60 * n, key="k") for n in range(3)])
    assert _standing(limits, key="k").reached
    assert not _standing(limits, key="other").reached


def test_what_is_in_flight_survives_another_set() -> None:
    limits = _limits(requests=1)
    limits.began("c", facts())
    again = counters_of([])
    limits.use({**again, **_limits(requests=1).counters})
    limits.counters["r"].ready = True
    assert _standing(limits).reached


def test_windows_slide_or_follow_the_calendar() -> None:
    clock = Clock()
    for per, later in (("minute", 61), ("hour", 3661), ("day", 12 * 3600), ("month", 36 * 3600)):
        clock.now = NOON
        limits = _limits(clock, requests=1, per=per)
        limits.told([_spent("a", NOON)])
        full = _standing(limits)
        assert full.reached
        assert 0 < full.retry_after_s <= later
        clock.now = NOON + full.retry_after_s - 0.5
        assert per in SLIDES or _standing(limits).reached
        clock.now = NOON + later
        assert not _standing(limits).reached, per


def test_a_soft_limit_speaks_once_a_window() -> None:
    clock = Clock()
    limits = _limits(clock, requests=10, soft=0.5, per="day")
    limits.told([_spent(f"a{n}", NOON) for n in range(4)])
    assert not _standing(limits).soft
    limits.told([_spent("b", NOON)])
    assert [_standing(limits).soft for _ in range(3)] == [True, False, False]
    clock.now += 86_400
    limits.told([_spent(f"c{n}", clock.now) for n in range(6)])
    assert _standing(limits).soft


def test_what_counted_on_the_way_counts_in_the_record() -> None:
    """Its texts are read no more when the record tells of it; a call of before a restart counts in doubt."""
    limits = _limits(requests=9, when={"text": {"matches": "count me"}})
    for id, text in (("a", "count me"), ("b", "not this one")):
        limits.began(id, facts(messages=[{"role": "user", "content": text}]))
        limits.ended(id)
        limits.told([_spent(id, NOON)])
    assert _standing(limits).used == 1
    limits.told([_spent("of-before", NOON)])
    assert _standing(limits).used == 2


def test_a_call_that_never_shows_in_the_record_is_forgotten() -> None:
    clock = Clock()
    limits = _limits(clock, requests=1, per="day")
    limits.began("a", facts())
    limits.ended("a")
    assert _standing(limits).reached
    clock.now += FORGET_SECONDS + 1
    limits.told([])
    assert not _standing(limits).reached
