"""What is to be done about a call, from what its rules decided: answer it, change it, or let it go, and what to record.

Redactions become edits that put a placeholder, the same for the same text on every turn, in its place. Where a text must not be
edited (signed thinking, encrypted content), or the traffic is of a subscription and nothing in it may be, the rule does what it
says for this case; a redaction that cannot be made and fails closed blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from intelligence.policy.decide import TERMINAL, Decision
from intelligence.policy.facts import Found
from intelligence.rewrite.edits import Change, Edit, Remove, Rewrite

type Placeholder = Callable[[str, str], str]
"""Type and text: what stands in its place."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`final` ends the call, unless it allows it. `rewrites` are to be made; `restores` are the placeholders to be put back in
    the answer, with what they stand for: held in memory for as long as the call, and never written down."""

    decisions: list[Decision]
    final: Decision | None = None
    rewrites: list[Rewrite] = field(default_factory=list)
    restores: dict[str, str] = field(default_factory=dict)
    keep_original: bool = True
    if_rejected: bool = False

    @property
    def answered(self) -> bool:
        return self.final is not None and self.final.action in ("block", "throttle")


def verdict(
    decisions: Sequence[Decision],
    placeholder: Placeholder,
    *,
    frozen: str | None = None,
    observe: bool = False,
) -> Verdict:
    """`frozen`: why nothing in this call may be rewritten. `observe`: the kill switch has set every rule to shadow mode."""
    if observe:
        return Verdict([replace(one, acts=False) for one in decisions])
    told: list[Decision] = []
    rewrites: list[Rewrite] = []
    restores: dict[str, str] = {}
    keep, resend = True, True
    for one in decisions:
        one = _possible(one, frozen) if one.acts and one.action == "redact" else one
        told.append(one)
        if not one.acts:
            continue
        if one.action in TERMINAL:
            return Verdict(told, one, rewrites, restores, keep, bool(rewrites) and resend)
        if one.action == "redact":
            made = rewrite_of(one, placeholder, restores)
            if made.edits:
                rewrites.append(made)
                keep = keep and (one.rule.keep_original or not one.found)
                resend = resend and one.rule.if_rejected == "original"
    return Verdict(told, None, rewrites, restores, keep, bool(rewrites) and resend)


def _possible(decision: Decision, frozen: str | None) -> Decision:
    """The redaction, or what its rule says is done where it cannot be made."""
    if frozen:
        return replace(decision, action=decision.rule.observe_only, failed=frozen)
    guarded = next((found.place for found in decision.found if guard_of(found)), None)
    if guarded is None:
        return decision
    if decision.rule.fail == "closed":
        return replace(decision, action="block", failed="it stands where nothing may be rewritten")
    return decision


def guard_of(found: Found) -> str | None:
    return getattr(found.place, "guarded", None)


def rewrite_of(decision: Decision, placeholder: Placeholder, restores: dict[str, str]) -> Rewrite:
    """The edits of a redaction. Adds to `restores` if its rule is reversible."""
    rule = decision.rule
    edits: list[Change] = []
    for found in decision.found:
        if guard_of(found):
            continue
        text = found.place.text[found.start : found.end]
        stands = placeholder(found.type if found.kind == "text" else f"{found.kind}-{found.type}", text)
        edits.append(Edit(found.place.pointer, found.start, found.end, stands))
        if rule.reversible:
            restores[stands] = text
    if rule.remove_tools:
        edits += [Remove(pointer) for _, pointer in decision.held.tools]
    return Rewrite(rule.id, decision.reason, edits, redacts=True)
