"""A rule's own examples, run without a proxy: `llmitm policy test`, and before a set comes into force.

An example gives the call in a few words (`given`) and the action expected. Texts are looked at by the real detectors, unless
the example states what they saw (`detections`); what a limit has counted is stated by `used`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from intelligence.policy.decide import CompiledRule, compile_rule, decide
from intelligence.policy.facts import Facts, Found, Standing, ToolCall
from intelligence.policy.lists import compile_list, compile_lists
from intelligence.policy.load import PolicySet
from intelligence.policy.rule import Example, LimitMatch, LoopMatch, Rule

type Detect = Callable[[str, str, frozenset[str]], Sequence[Any]]
"""Text, source, kinds: detections with kind, type, score, start, end."""

FIELDS = (
    "direction", "provider", "host", "model", "operation", "user", "client", "client_address", "session", "credential",
    "stream", "body_bytes", "prompt_tokens", "concurrent",
)  # fmt: skip
KEYS = frozenset(
    {
        *FIELDS,
        "at",
        "messages",
        "answer",
        "tool_calls",
        "tools",
        "max_tokens",
        "detections",
        "used",
        "loop",
        "files",
        "listed",
    }
)
_SOURCES = {"system": "system", "developer": "system", "tool": "tool_result", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that came out otherwise. `source` is the file and line of its rule."""

    rule: str
    source: str
    example: str
    message: str

    def __str__(self) -> str:
        name = f" ({self.example})" if self.example else ""
        return f"{self.source}: rule {self.rule}: example{name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Text:
    pointer: str
    role: str
    source: str
    text: str


@dataclass(slots=True)
class Stated:
    """The evidence an example gives."""

    given: dict[str, Any]
    detect: Detect
    said: list[Text] = field(default_factory=list)

    def texts(self) -> Sequence[Text]:
        if not self.said:
            for index, message in enumerate(self.given.get("messages", [])):
                role = str(message.get("role", "user"))
                source = str(message.get("source") or _SOURCES.get(role, "user"))
                self.said.append(Text(f"/messages/{index}", role, source, str(message.get("content", ""))))
            if "answer" in self.given:
                self.said.append(Text("/answer", "assistant", "assistant", str(self.given["answer"])))
            self.said += [
                Text(f"/tool_calls/{index}", "assistant", "tool_call", call.arguments)
                for index, call in enumerate(self.tool_calls())
            ]
        return self.said

    def tool_calls(self) -> Sequence[ToolCall]:
        calls = self.given.get("tool_calls", [])
        return [ToolCall(str(call.get("name", "")), str(call.get("arguments", ""))) for call in calls]

    def max_tokens(self) -> int | None:
        return self.given.get("max_tokens")

    def tool_definitions(self) -> Sequence[tuple[str, str]]:
        return [(str(name), f"/tools/{index}") for index, name in enumerate(self.given.get("tools", []))]

    def detections(self, kinds: frozenset[str]) -> Sequence[Found]:
        if (stated := self.given.get("detections")) is not None:
            place = self.texts()[0] if self.texts() else Text("", "user", "user", " ")
            return [
                Found(
                    place,
                    0,
                    max(len(place.text), 1),
                    one["kind"],
                    one.get("type", "any"),
                    float(one.get("score", 1)),
                )
                for one in stated
                if one["kind"] in kinds
            ]
        return [
            Found(text, one.start, one.end, one.kind, one.type, one.score)
            for text in self.texts()
            for one in self.detect(text.text, text.source, kinds)
        ]

    def files(self) -> Sequence[bytes]:
        return [str(text).encode() for text in self.given.get("files", [])]

    def limit(self, rule: str, limit: LimitMatch) -> Standing:
        most = next(v for v in (limit.requests, limit.tokens, limit.cost_usd) if v is not None)
        used = float(self.given.get("used", 0))
        soft = limit.soft is not None and limit.soft * most <= used < most
        return Standing(used, most, used >= most, 60.0, soft)

    def loop(self, loop: LoopMatch) -> str | None:
        stated = self.given.get("loop")
        return str(stated) if stated else None


def run(policies: PolicySet, detect: Detect) -> list[Failure]:
    """All examples of all rules, each rule alone."""
    failures = []
    lists = compile_lists(policies.lists)
    for rule in policies.rules:
        one = compile_rule(rule, policies.groups, lists)
        for index, example in enumerate(rule.tests):
            if message := _outcome(one, example, detect, policies):
                name = example.name or f"number {index + 1}"
                failures.append(Failure(rule.id, policies.sources.get(rule.id, ""), name, message))
    return failures


def _outcome(one: CompiledRule, example: Example, detect: Detect, policies: PolicySet) -> str | None:
    """What is wrong with an example; None when it comes out as expected."""
    if unknown := sorted(set(example.given) - KEYS):
        return f"unknown key {', '.join(unknown)} in given; known are {', '.join(sorted(KEYS))}"
    try:
        one = _listing(one, example.given.get("listed"), policies)
        facts = _facts(one.rule, example.given, detect)
    except (TypeError, ValueError, KeyError, AttributeError) as e:
        return f"given cannot be understood: {e}"
    decisions = decide([one], facts)
    got = decisions[0].action if decisions else "nothing"
    if decisions and decisions[0].failed:
        return f"the rule could not be judged: {decisions[0].failed}"
    return None if got == example.expect else f"expected {example.expect}, got {got}"


def _listing(one: CompiledRule, listed: dict[str, list[str]] | None, policies: PolicySet) -> CompiledRule:
    """The rule with what the example says is in its lists."""
    if not listed:
        return one
    stated = {
        name: compile_list(policies.lists[name].spec.kind, [str(entry) for entry in entries])
        for name, entries in listed.items()
    }
    return compile_rule(one.rule, one.named.groups, {**one.named.lists, **stated})


def _facts(rule: Rule, given: dict[str, Any], detect: Detect) -> Facts:
    facts = Facts(Stated(given, detect))
    for name in FIELDS:
        if name in given:
            setattr(facts, name, given[name])
    if "direction" not in given:
        from_answer = "answer" in given or ("tool_calls" in given and "messages" not in given)
        facts.direction = "response" if from_answer else "request"
    if "at" in given:
        at = given["at"]
        when = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
        facts.at = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return facts
