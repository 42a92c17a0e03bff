"""Which rules concern an answer, told from its request alone, so that an answer nobody asks about is never held.

What a rule asks of names, times and sizes at the top of its condition is asked first; only a rule for which all of that holds
may have the answer held for its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intelligence.policy.decide import CompiledRule
from intelligence.policy.evidence import CallEvidence
from intelligence.policy.facts import Facts
from intelligence.policy.match import Held, Test
from intelligence.policy.rule import Rule, parts_of

ACTS = frozenset({"block", "redact", "throttle"})
# What a detector of this kind looks for stands in the arguments of calls alone.
_OF_CALLS = frozenset({"command"})
_TEXTS = frozenset({"text", "detection", "tool", "tool_definition"})
# What takes more than a look at the request's head.
_COSTS: dict[str, None] = dict.fromkeys(
    ("text", "detection", "tool", "tool_definition", "loop", "limit", "all", "any", "not_")
)


@dataclass(frozen=True, slots=True)
class Concerned:
    """The rules to be asked of one answer, in their order."""

    rules: tuple[CompiledRule, ...]

    @property
    def acting(self) -> bool:
        return any(acts(one) for one in self.rules)

    @property
    def enforced(self) -> list[Rule]:
        return [one.rule for one in self.rules if acts(one)]

    @property
    def at_once(self) -> bool:
        """Whether one acts without a look at any text."""
        return any(acts(one) and not one.looks_at & _TEXTS for one in self.rules)

    @property
    def words(self) -> bool:
        """Whether one that acts looks at what the model says, besides the calls it makes."""
        return any(_reads_words(one) for one in self.rules if acts(one))

    @property
    def bound(self) -> int:
        """Bytes of a text that may be held back."""
        return max((rule.hold_bytes for rule in self.enforced), default=0)


class Concerning:
    """The rules of a set that look at answers on their way."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self.rules = rules
        self.acting = any(map(acts, rules))
        self._heads: list[tuple[CompiledRule, Test]] = [(one, one.part(**_COSTS)) for one in rules]

    def of(self, facts: Facts) -> Concerned:
        return Concerned(tuple(one for one, head in self._heads if _may(head, facts)))


def acts(one: CompiledRule) -> bool:
    return one.rule.mode == "enforce" and one.rule.action in ACTS


def _reads_words(one: CompiledRule) -> bool:
    for part in parts_of(one.rule.when):
        text, seen = part.text, part.detection
        if text and _of_words(text.source) and (not text.role or "assistant" in text.role):
            return True
        if seen and _of_words(seen.source) and not _OF_CALLS.issuperset(seen.kind):
            return True
    return False


def _of_words(sources: Sequence[str]) -> bool:
    return not sources or "assistant" in sources


def _may(head: Test, facts: Facts) -> bool:
    try:
        return head(facts, Held())
    except Exception:  # noqa: BLE001  # asked again with the rest of the rule, which says how it fails
        return True


def evidence_of(facts: Facts, body: bytes | None) -> CallEvidence:
    """Fresh evidence of the answer, like that of its request; `facts` have it from here on."""
    old = facts.evidence
    assert isinstance(old, CallEvidence)
    new = CallEvidence(
        old.format,
        old.operation,
        old.path,
        body,
        old.scanner,
        old.seconds,
        answer=True,
        limits=old.limits,
        allowed=old.allowed,
        facts=facts,
    )
    facts.evidence = new
    return new
