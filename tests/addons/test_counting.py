from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from addons.counting import Counting
from intelligence.policy.decide import Compiled
from intelligence.policy.facts import Facts
from intelligence.policy.handed import InForce
from intelligence.policy.limits import Limits, NotCounted, Spent
from intelligence.store.spending import GONE
from tests.intelligence.policy.rules import compiled, facts, rule

NOW = 1_780_000_000.0
LIMITED = rule("r", "throttle", when={"limit": {"requests": 2, "per": "day"}})


class Record:
    """What a database would tell."""

    def __init__(self, stored: int) -> None:
        self.stored = [Spent(f"s{n}", NOW, Facts(GONE, at=NOW)) for n in range(stored)]
        self.new: list[Spent] = []

    def since(self, started_ms: int) -> Any:
        yield from ([one] for one in self.stored)

    def fresh(self) -> list[Spent]:
        new, self.new = self.new, []
        return new


def _in_force(*rules: Any) -> InForce:
    return InForce(Compiled("v", tuple(compiled(*rules))))


def _reached(limits: Limits) -> bool:
    return limits.standing("r", limits.counters["r"].limit, facts()).reached


def test_a_new_limit_is_filled_from_the_record_then_kept_up(monkeypatch: Any) -> None:
    monkeypatch.setattr("addons.counting.time.time", lambda: NOW)
    limits, record = Limits(lambda: NOW), Record(1)
    policies = SimpleNamespace(in_force=_in_force(LIMITED))
    counting = Counting(policies, limits, record)  # type: ignore[arg-type]
    asyncio.run(counting._look())
    assert not _reached(limits)
    record.new = [Spent("later", NOW, Facts(GONE, at=NOW))]
    asyncio.run(counting._look())
    assert _reached(limits)


def test_a_set_without_limits_reads_nothing() -> None:
    class Untouched:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    policies = SimpleNamespace(in_force=_in_force(rule("r", "block")))
    counting = Counting(policies, Limits(), Untouched())  # type: ignore[arg-type]
    asyncio.run(counting._look())
    asyncio.run(counting._look())


def test_until_it_is_filled_the_rule_cannot_be_judged() -> None:
    limits = Limits()
    assert LIMITED.when.limit
    try:
        limits.standing("r", LIMITED.when.limit, facts())
    except NotCounted:
        return
    raise AssertionError("it was judged")
