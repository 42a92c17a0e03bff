"""Rules and facts for tests, made with few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from intelligence.policy.decide import CompiledRule, Decision, compile_rule, decide
from intelligence.policy.facts import Facts
from intelligence.policy.rule import Rule
from intelligence.policy.testing import Stated


def rule(id: str = "r", action: str = "block", **given: Any) -> Rule:
    return Rule.model_validate({"id": id, "action": action, **given})


def compiled(*rules: Rule, groups: dict[str, list[str]] | None = None) -> list[CompiledRule]:
    return [compile_rule(one, groups or {}) for one in rules]


def facts(detect: Any = None, **given: Any) -> Facts:
    """`given` as in an example of a rule, or fields of `Facts`."""
    fields = {name: given.pop(name) for name in list(given) if name in Facts.__dataclass_fields__}
    return Facts(Stated(given, detect or (lambda *_: [])), **fields)


def decided(rules: Rule | Sequence[Rule], **given: Any) -> list[Decision]:
    return decide(compiled(*([rules] if isinstance(rules, Rule) else rules)), facts(**given))


def matches(when: dict[str, Any], **given: Any) -> bool:
    return bool(decided(rule(when=when), **given))
