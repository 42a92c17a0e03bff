"""Budgets and rates: how much of a limit is used, and whether one more request would pass it.

What has ended is counted from the record, what is in flight from here: so a restart resets nothing, and calls of other proxies
count too. A call counts for a rule if all else that the rule looks at holds for it. `minute` and `hour` slide; `day` and `month`
are those of the calendar, in UTC.

In flight, a call counts as one request, as the estimated tokens of its prompt, and at the mean cost of the calls of its window.
What it really used is known when it has ended and is recorded, so a limit on tokens or cost can be passed by what the calls in
flight at that moment use beyond this; a limit on requests is exact within one proxy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from intelligence.policy.decide import CompiledRule
from intelligence.policy.facts import Facts, Standing
from intelligence.policy.match import Held, Test
from intelligence.policy.rule import LimitMatch, Rule

GRAIN_SECONDS = {"minute": 1, "hour": 60, "day": 3600, "month": 3600}
SLIDES = {"minute": 60, "hour": 3600}
# Of one limit: beyond it the scope that was used longest ago is forgotten until the record is read anew.
MAX_SCOPES = 50_000
# A call that has ended and never shows in the record (its frames were dropped) is in flight no longer than this.
FORGET_SECONDS = 120

type Scope = tuple[str, ...]


class NotCounted(Exception):
    """What a limit counts is still being read from the record."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the record says of a call that has ended. `facts` has no evidence; tokens and cost are None where unknown."""

    id: str
    at: float
    facts: Facts
    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(slots=True)
class Sums:
    """Of one scope: what was used, and by how many calls, by grain of time."""

    used: dict[int, float] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=dict)
    told_soft: float = 0.0


class Counter:
    """One rule's limit."""

    def __init__(self, rule: Rule, limit: LimitMatch, rest: Test) -> None:
        self.rule = rule
        self.limit = limit
        self.rest = rest
        self.ready = False
        self.sums: dict[Scope, Sums] = {}
        most = next(value for value in (limit.requests, limit.tokens, limit.cost_usd) if value is not None)
        self.most = float(most)

    def concerns(self, facts: Facts) -> bool:
        """Whether the call counts: in doubt (a text that was not kept), it does."""
        try:
            return self.rest(facts, Held())
        except Exception:  # noqa: BLE001 - the evidence of a stored call may be gone
            return True

    def scope(self, facts: Facts) -> Scope:
        return tuple(getattr(facts, name) or "" for name in self.limit.by)

    def begin(self, now: float) -> float:
        """When the window began."""
        if (slides := SLIDES.get(self.limit.per)) is not None:
            return now - slides
        day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return (day.replace(day=1) if self.limit.per == "month" else day).timestamp()

    def standing(self, facts: Facts, now: float) -> Standing:
        """Raises `NotCounted`."""
        if not self.ready:
            raise NotCounted
        scope = self.scope(facts)
        sums = self._sums(scope)
        begin = self.begin(now)
        used, calls = self._used(sums, begin)
        mean = used / calls if calls else 0.0
        used += sum(mean if self.limit.cost_usd is not None else amount for amount in sums.in_flight.values())
        reached = (
            used >= self.most if self.limit.cost_usd is not None else used + self._amount(facts) > self.most
        )
        soft = not reached and self._soft(sums, used, begin, now)
        return Standing(used, self.most, reached, self._wait(sums, now), soft, self._name(scope))

    def used(self, now: float) -> dict[Scope, float]:
        """Of each scope, what was used in the window that is now, calls in flight left out."""
        begin = self.begin(now)
        return {scope: self._used(sums, begin)[0] for scope, sums in self.sums.items()}

    def began(self, call: str, facts: Facts) -> None:
        self._sums(self.scope(facts)).in_flight[call] = self._amount(facts)

    def told(self, spent: Spent, now: float) -> None:
        """The record has a call that counts."""
        scope = self.scope(spent.facts)
        sums = self._sums(scope)
        sums.in_flight.pop(spent.id, None)
        if spent.at < self.begin(now):
            return
        grain = int(spent.at // GRAIN_SECONDS[self.limit.per])
        amount = (
            1.0
            if self.limit.requests is not None
            else spent.tokens
            if self.limit.tokens is not None
            else spent.cost_usd
        )
        sums.used[grain] = sums.used.get(grain, 0.0) + (amount or 0.0)
        sums.calls[grain] = sums.calls.get(grain, 0) + 1

    def gone(self, call: str) -> None:
        """A call that was in flight will not be told of."""
        for sums in self.sums.values():
            sums.in_flight.pop(call, None)

    def take_from(self, other: Counter) -> None:
        """What another counter of the same limit has in flight."""
        for scope, theirs in other.sums.items():
            self._sums(scope).in_flight |= theirs.in_flight
            self._sums(scope).told_soft = theirs.told_soft

    def _sums(self, scope: Scope) -> Sums:
        sums = self.sums.pop(scope, None) or Sums()
        self.sums[scope] = sums
        if len(self.sums) > MAX_SCOPES:
            del self.sums[next(iter(self.sums))]
        return sums

    def _used(self, sums: Sums, begin: float) -> tuple[float, int]:
        first = int(begin // GRAIN_SECONDS[self.limit.per]) + (self.limit.per in SLIDES)
        for grain in [grain for grain in sums.used if grain < first]:
            del sums.used[grain], sums.calls[grain]
        return sum(sums.used.values()), sum(sums.calls.values())

    def _amount(self, facts: Facts) -> float:
        if self.limit.requests is not None:
            return 1.0
        return float(facts.prompt_tokens or 0) if self.limit.tokens is not None else 0.0

    def _soft(self, sums: Sums, used: float, begin: float, now: float) -> bool:
        if self.limit.soft is None or used < self.limit.soft * self.most:
            return False
        if sums.told_soft >= max(begin, 1.0):
            return False
        sums.told_soft = now
        return True

    def _wait(self, sums: Sums, now: float) -> float:
        """Seconds until there is room again, at the earliest."""
        if (slides := SLIDES.get(self.limit.per)) is not None:
            oldest = min(sums.used, default=None)
            grain = GRAIN_SECONDS[self.limit.per]
            return max(1.0, (oldest + 1) * grain + slides - now) if oldest is not None else 1.0
        begin = datetime.fromtimestamp(self.begin(now), UTC)
        if self.limit.per == "month":
            end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
            return end.timestamp() - now
        return begin.timestamp() + 86_400 - now

    def _name(self, scope: Scope) -> str:
        """Keyed hashes are shown by their beginning."""
        shown = [
            value[:8] if by in ("key", "session") else value
            for by, value in zip(self.limit.by, scope, strict=True)
        ]
        return ", ".join(f"{by} {value or 'unknown'}" for by, value in zip(self.limit.by, shown, strict=True))


class Limits:
    """All limits of the set in force. Not for several threads; `counters` are swapped in whole."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.counters: dict[str, Counter] = {}
        self._clock = clock
        self._ended: dict[str, float] = {}
        # Of calls that began here: which limits they count for, as was seen on the way.
        self._concerned: dict[str, dict[str, bool]] = {}

    def standing(self, rule: str, limit: LimitMatch, facts: Facts) -> Standing:
        """Raises `NotCounted`."""
        counter = self.counters.get(rule)
        if counter is None or counter.limit != limit:
            raise NotCounted
        return counter.standing(facts, self._clock())

    def began(self, call: str, facts: Facts) -> None:
        """The call leaves: it counts from now on."""
        if not self.counters:
            return
        self._concerned[call] = {name: counter.concerns(facts) for name, counter in self.counters.items()}
        for name, counts in self._concerned[call].items():
            if counts:
                self.counters[name].began(call, facts)

    def ended(self, call: str) -> None:
        """The call is over; the record will tell what it used."""
        if self.counters:
            self._ended[call] = self._clock()
        else:
            self._concerned.pop(call, None)

    def told(self, spent: Iterable[Spent]) -> None:
        now = self._clock()
        for one in spent:
            self._ended.pop(one.id, None)
            known = self._concerned.pop(one.id, {})
            for name, counter in self.counters.items():
                counts = known.get(name)
                if counter.ready and (counter.concerns(one.facts) if counts is None else counts):
                    counter.told(one, now)
                else:
                    counter.gone(one.id)
        for call in [call for call, at in self._ended.items() if now - at > FORGET_SECONDS]:
            del self._ended[call]
            self._concerned.pop(call, None)
            for counter in self.counters.values():
                counter.gone(call)

    def use(self, counters: dict[str, Counter]) -> None:
        """Other counters, filled from the record; what is in flight is taken over."""
        for name, counter in counters.items():
            if (before := self.counters.get(name)) is not None and before.limit == counter.limit:
                counter.take_from(before)
        self.counters = counters


def counters_of(rules: Iterable[CompiledRule]) -> dict[str, Counter]:
    """Empty counters of the rules that have a limit, by rule."""
    return {
        one.rule.id: Counter(one.rule, limit, one.part(limit=None))
        for one in rules
        if (limit := one.rule.when.limit) is not None
    }
