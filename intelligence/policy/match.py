"""Conditions compiled to functions, so that judging a call costs little more than what it looks at.

`compiled(condition, named)` gives a `Test`: called with the facts and a list, it says whether the condition holds and adds to
the list what it was that held (detections, matched texts, limits). Tests are made once, when a set is loaded; globs and
patterns match in linear time. What stands under `not`, and what a failed alternative saw, is not added.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import re2

from intelligence.policy.amount import comparison
from intelligence.policy.facts import Facts, Found, Standing
from intelligence.policy.lists import Listed, NotFetched
from intelligence.policy.rule import Condition, DetectionMatch, TextMatch, TimeMatch, ToolMatch

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Of one pattern in one text, so many matches are told.
MAX_FOUND = 1000


@dataclass(frozen=True, slots=True)
class Named:
    """What rules call by name: groups of users, and lists; None for a list whose feed was not read yet."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lists: Mapping[str, Listed | None] = field(default_factory=dict)

    def listed(self, names: Sequence[str]) -> list[Listed]:
        """Raises `NotFetched`."""
        found = []
        for name in names:
            if (one := self.lists.get(name)) is None:
                raise NotFetched(f"the list {name} was not fetched yet")
            found.append(one)
        return found


@dataclass(slots=True)
class Held:
    """What made a rule match."""

    found: list[Found] = field(default_factory=list)
    tools: list[tuple[str, str]] = field(default_factory=list)  # definitions: name, pointer
    standings: list[Standing] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def add(self, other: Held) -> None:
        self.found += other.found
        self.tools += other.tools
        self.standings += other.standings
        self.words += other.words


type Test = Callable[[Facts, Held], bool]


class Nonsense(Exception):
    """A detector gave what cannot be."""


def compiled(condition: Condition, named: Named, rule: str = "") -> Test:
    """Cheap tests first: one that fails spares the texts. Raises nothing that the models have not refused already."""
    tests: list[Test] = []
    for name in ("provider", "host", "model", "operation", "user", "client", "session", "credential"):
        if (globs := getattr(condition, name)) is not None:
            tests.append(_named(name, globs))
    if condition.direction is not None:
        tests.append(_same("direction", condition.direction))
    if condition.stream is not None:
        tests.append(_same("stream", condition.stream))
    for name in ("body_bytes", "prompt_tokens", "concurrent"):
        if (text := getattr(condition, name)) is not None:
            tests.append(_compared(name, text))
    if condition.group is not None:
        users = [glob for group in condition.group for glob in named.groups.get(group, [])]
        tests.append(_named("user", users))
    if condition.host_in is not None:
        tests.append(_host_in(condition.host_in, named))
    if condition.client_address is not None:
        tests.append(_address(condition.client_address))
    if condition.time is not None:
        tests.append(_time(condition.time))
    if condition.not_ is not None:
        tests.append(_not(compiled(condition.not_, named, rule)))
    for group_of, combine in ((condition.all, _all), (condition.any, _any)):
        if group_of is not None:
            tests.append(combine([compiled(part, named, rule) for part in group_of]))
    if condition.max_tokens is not None:
        asks = comparison(condition.max_tokens).holds
        tests.append(lambda facts, held: asks(facts.evidence.max_tokens()))
    if condition.tool_definition is not None:
        tests.append(_definition(condition.tool_definition))
    if condition.tool is not None:
        tests.append(_tool(condition.tool))
    if condition.text is not None:
        tests.append(_text(condition.text, named))
    if condition.detection is not None:
        tests.append(_detection(condition.detection))
    if (loop := condition.loop) is not None:
        tests.append(lambda facts, held: _told(facts.evidence.loop(loop), held))
    if (limit := condition.limit) is not None:
        # Last: a limit counts only requests that the rest of the rule is about.
        tests.append(lambda facts, held: _stands(facts.evidence.limit(rule, limit), held))
    return _all(tests)


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(facts: Facts, held: Held) -> bool:
        mine = Held()
        if all(part(facts, mine) for part in tests):
            held.add(mine)
            return True
        # A soft limit speaks up without holding.
        held.standings += [standing for standing in mine.standings if not standing.reached]
        return False

    return test


def _any(tests: Sequence[Test]) -> Test:
    """Every alternative is asked, so that a redaction sees all that is to go."""

    def test(facts: Facts, held: Held) -> bool:
        holding = [part(facts, held) for part in tests]
        return any(holding)

    return test


def _not(inner: Test) -> Test:
    return lambda facts, held: not inner(facts, Held())


def _same(name: str, wanted: Any) -> Test:
    return lambda facts, held: getattr(facts, name) == wanted


def _compared(name: str, text: str) -> Test:
    holds = comparison(text).holds
    return lambda facts, held: holds(getattr(facts, name))


def globs(patterns: Sequence[str]) -> Callable[[str | None], bool]:
    """Whether a name is one of these; an unknown one is `*` only in being unknown: it matches nothing."""
    if not patterns:
        return lambda name: False
    match = re2.compile("(?s)" + "|".join(f"(?:{_glob(pattern.lower())})" for pattern in patterns)).fullmatch
    return lambda name: name is not None and match(name.lower()) is not None


def _glob(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)


def _named(name: str, patterns: list[str]) -> Test:
    matches = lru_cache(1024)(globs(patterns))
    return lambda facts, held: matches(getattr(facts, name))


def _host_in(names: list[str], named: Named) -> Test:
    return lambda facts, held: any(one.host(facts.host) for one in named.listed(names))


def _address(networks: list[str]) -> Test:
    nets = [ipaddress.ip_network(network, strict=False) for network in networks]

    @lru_cache(1024)
    def inside(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in net for net in nets)

    return lambda facts, held: facts.client_address is not None and inside(facts.client_address)


def _time(window: TimeMatch) -> Test:
    zone, days = ZoneInfo(window.zone), frozenset(window.days)
    begin, end = window.from_, window.to
    overnight = end <= begin

    def test(facts: Facts, held: Held) -> bool:
        now = datetime.fromtimestamp(facts.at, zone)
        clock, today = now.time(), DAYS[now.weekday()]
        if not overnight:
            return begin <= clock < end and today in days
        if clock >= begin:
            return today in days
        return clock < end and DAYS[(now - timedelta(days=1)).weekday()] in days

    return test


def _definition(patterns: list[str]) -> Test:
    matches = globs(patterns)

    def test(facts: Facts, held: Held) -> bool:
        tools = [tool for tool in facts.evidence.tool_definitions() if matches(tool[0])]
        held.tools += tools
        return bool(tools)

    return test


def _tool(match: ToolMatch) -> Test:
    named, patterns = globs(match.name), [re2.compile(pattern) for pattern in match.arguments]

    def test(facts: Facts, held: Held) -> bool:
        for call in facts.evidence.tool_calls():
            if named(call.name) and (not patterns or any(p.search(call.arguments) for p in patterns)):
                held.words.append(f"tool {call.name}")
                return True
        return False

    return test


def _text(match: TextMatch, named: Named) -> Test:
    patterns = [re2.compile(pattern) for pattern in match.matches]
    roles, sources = frozenset(match.role), frozenset(match.source)

    def test(facts: Facts, held: Held) -> bool:
        lists = named.listed(match.in_list)
        any_found = False
        for place in facts.evidence.texts():
            if (roles and place.role not in roles) or (sources and place.source not in sources):
                continue
            if not (patterns or lists):
                return True
            matched = [_all_of(p, place.text) for p in patterns]
            listed = [found for one in lists for found in _listed(one, place.text)]
            if (patterns and not any(matched)) or (lists and not listed):
                continue
            any_found = True
            found = [(a, b, "pattern") for spans in matched for a, b in spans] + listed
            held.found += [Found(place, a, b, "text", type_, 1.0) for a, b, type_ in found if b > a]
        if not patterns and any(one.kind == "hashes" for one in lists):
            sent = any(one.has(data) for data in facts.evidence.files() for one in lists)
            held.words += ["a listed file"] if sent else []
            any_found = any_found or sent
        return any_found

    return test


def _all_of(pattern: Any, text: str) -> list[tuple[int, int]]:
    return [m.span() for m, _ in zip(pattern.finditer(text), range(MAX_FOUND), strict=False)]


def _listed(one: Listed, text: str) -> list[tuple[int, int, str]]:
    if one.kind == "hashes":
        return [(0, len(text), "hash")] if one.has(text.encode("utf-8", "surrogatepass")) else []
    return [(a, b, "pattern") for (a, b), _ in zip(one.spans(text), range(MAX_FOUND), strict=False)]


def _detection(match: DetectionMatch) -> Test:
    kinds, typed, scored = frozenset(match.kind), globs(match.type), comparison(match.score)
    sources = frozenset(match.source)

    def test(facts: Facts, held: Held) -> bool:
        found = [
            one
            for one in facts.evidence.detections(kinds)
            if _sound(one).kind in kinds
            and scored.holds(one.score)
            and typed(one.type)
            and (not sources or one.place.source in sources)
        ]
        held.found += found
        return bool(found)

    return test


def _sound(one: Any) -> Found:
    try:
        right = (
            0 <= one.start < one.end <= len(one.place.text)
            and math.isfinite(one.score)
            and 0 <= one.score <= 1
            and isinstance(one.type, str)
        )
    except (AttributeError, TypeError):
        right = False
    if not right:
        raise Nonsense(f"a detector returned {one!r:.200}")
    found: Found = one
    return found


def _told(words: str | None, held: Held) -> bool:
    if words:
        held.words.append(words)
    return bool(words)


def _stands(standing: Standing, held: Held) -> bool:
    held.standings.append(standing)
    return standing.reached
