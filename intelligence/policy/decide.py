"""Decisions: the rules asked in order, each acting as it declares even when it cannot be judged.

The order is that of the set: priority, file, line. A rule that is enforced and says `allow`, `block` or `throttle` ends the
asking; `redact` and `alert` let it go on, so that several may redact. A rule in shadow mode is asked like any other, never
ends the asking and never acts. A rule that cannot be judged (a detector raised, ran over its deadline or returned nonsense)
fails as it says: `open` is told and passed over, `closed` blocks. `allow` and shadow rules never block by failing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intelligence.policy.facts import Facts, Found, Standing
from intelligence.policy.lists import Listed, compile_lists
from intelligence.policy.load import PolicySet
from intelligence.policy.match import Held, Named, Test, compiled
from intelligence.policy.rule import Condition, Rule, parts_of

log = logging.getLogger(__name__)

TERMINAL = frozenset({"allow", "block", "throttle"})
_TEXTS = frozenset({"text", "detection", "tool"})
# What is known only while the call is on its way.
_AT_ONCE = frozenset({"limit", "loop", "concurrent"})
# What a detector of this kind looks for comes back in answers.
_OF_ANSWERS = frozenset({"command", "exfiltration"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule says of a call. `action` is the rule's own, but `block` where it failed closed, `alert` where it failed open
    or a soft limit spoke; `failed` says why it could not be judged. `acts`: it is enforced."""

    rule: Rule
    action: str
    acts: bool
    held: Held = field(default_factory=Held)
    failed: str | None = None
    soft: bool = False

    @property
    def found(self) -> list[Found]:
        return self.held.found

    @property
    def reason(self) -> str:
        """For the client and the audit, in one line. Never what a text said."""
        if self.failed:
            return f"rule {self.rule.id} could not be judged ({self.failed}) and fails {self.rule.fail}"
        return "; ".join(
            filter(
                None,
                [
                    self.rule.reason or self.rule.description,
                    *map(_told, self.held.standings),
                    *self.held.words,
                ],
            )
        )

    @property
    def retry_after_s(self) -> float | None:
        if self.rule.retry_after_s is not None:
            return self.rule.retry_after_s
        return max(
            (standing.retry_after_s for standing in self.held.standings if standing.reached), default=None
        )


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """`looks_at` are the keys of its conditions. `later`: it only tells, and looks at texts: nobody has to wait for it."""

    rule: Rule
    test: Test
    directions: frozenset[str]
    looks_at: frozenset[str]
    named: Named = field(default_factory=Named)

    def part(self, **changes: Any) -> Test:
        """Its condition with some keys at the top of it changed, None for left out."""
        return compiled(self.rule.when.model_copy(update=changes), self.named, self.rule.id)

    @property
    def later(self) -> bool:
        tells = self.rule.action == "alert" or self.rule.mode == "shadow"
        return tells and bool(self.looks_at & _TEXTS) and not self.looks_at & _AT_ONCE


@dataclass(frozen=True, slots=True)
class Compiled:
    """A set ready to be asked. `holds`: how many bytes of a streamed answer its rules may hold back, 0 for none."""

    version: str = ""
    rules: tuple[CompiledRule, ...] = ()
    holds: int = 0

    def of(self, direction: str, *, later: bool) -> tuple[CompiledRule, ...]:
        """Those to be asked on the way (`later=False`), or by the worker once the call is stored."""
        return tuple(one for one in self.rules if direction in one.directions and one.later == later)


def compile_set(policies: PolicySet) -> Compiled:
    lists = compile_lists(policies.lists)
    return assemble([compile_rule(rule, policies.groups, lists) for rule in policies.rules], policies.version)


def compile_rule(
    rule: Rule, groups: Mapping[str, Sequence[str]], lists: Mapping[str, Listed | None] | None = None
) -> CompiledRule:
    named = Named(groups, lists or {})
    test = compiled(rule.when, named, rule.id)
    return CompiledRule(rule, test, directions(rule), _looks_at(rule.when), named)


def assemble(rules: Sequence[CompiledRule], version: str) -> Compiled:
    """`rules` in order."""
    holding = [
        one.rule.hold_bytes
        for one in rules
        if "response" in one.directions
        and one.rule.mode == "enforce"
        and one.rule.action in ("block", "redact")
    ]
    return Compiled(version, tuple(rules), max(holding, default=0))


def decide(rules: Iterable[CompiledRule], facts: Facts) -> list[Decision]:
    """What each rule that has something to say says, in order. At most the last that `acts` is terminal. Never raises."""
    decisions: list[Decision] = []
    over = False
    for one in rules:
        rule = one.rule
        if facts.direction not in one.directions or (over and rule.mode == "enforce"):
            continue
        decision = _judge(one, facts, acts=rule.mode == "enforce")
        if decision is None:
            continue
        decisions.append(decision)
        over = over or (decision.acts and decision.action in TERMINAL)
    return decisions


def _judge(one: CompiledRule, facts: Facts, *, acts: bool) -> Decision | None:
    rule, held = one.rule, Held()
    try:
        matched = one.test(facts, held)
    except Exception as e:  # the boundary of a rule: it acts as it declares
        log.warning("rule %s could not be judged: %s", rule.id, type(e).__name__, exc_info=True)
        closed = rule.fail == "closed" and rule.action != "allow"
        return Decision(rule, "block" if closed else "alert", acts, failed=type(e).__name__)
    if matched:
        return Decision(rule, rule.action, acts, held)
    if soft := [standing for standing in held.standings if standing.soft]:
        return Decision(rule, "alert", acts, Held(standings=soft), soft=True)
    return None


def final(decisions: Sequence[Decision]) -> Decision | None:
    """The decision that ends the matter, if one does."""
    return next((d for d in decisions if d.acts and d.action in TERMINAL), None)


def directions(rule: Rule) -> frozenset[str]:
    """Which way a rule looks: as it says, else to answers if what it looks at (tool calls, dangerous commands, exfiltration)
    comes in answers, else to requests."""
    stated = {part.direction for part in parts_of(rule.when) if part.direction}
    if stated:
        return frozenset(stated)
    parts = list(parts_of(rule.when))
    answers = any(
        part.tool is not None or (part.detection is not None and _OF_ANSWERS.issuperset(part.detection.kind))
        for part in parts
    )
    return frozenset({"response" if answers else "request"})


def _looks_at(condition: Condition) -> frozenset[str]:
    return frozenset(
        name
        for part in parts_of(condition)
        for name in Condition.model_fields
        if getattr(part, name) is not None and name not in ("all", "any", "not_")
    )


def _told(standing: Standing) -> str:
    of = f" of {standing.scope}" if standing.scope else ""
    return f"{standing.used:g} of {standing.limit:g} used{of}"
