"""What is to be done about a call, from what its rules decided: answer it, change it, or let it go, and what to record.

Redactions become edits that put a placeholder, the same for the same text on every turn, in its place. Where nothing in a call
may be edited (subscription traffic, a signature over the body) the rule does what it says for this case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from intelligence.policy.decide import TERMINAL, Decision
from intelligence.policy.facts import Found
from intelligence.rewrite.edits import Remove, Rewrite
from intelligence.rewrite.redact import Secret, redact
from intelligence.wire.place import Place


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
    key: bytes,
    *,
    frozen: str | None = None,
    observe: bool = False,
) -> Verdict:
    """`key` is the installation's. `frozen`: why nothing in this call may be rewritten. `observe`: the kill switch has set every
    rule to shadow mode."""
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
            made = _rewrite(one, key, restores)
            if made.edits:
                rewrites.append(made)
                keep = keep and (one.rule.keep_original or not one.found)
                resend = resend and one.rule.if_rejected == "original"
    return Verdict(told, None, rewrites, restores, keep, bool(rewrites) and resend)


def _possible(decision: Decision, frozen: str | None) -> Decision:
    """The redaction, or what its rule says is done where nothing may be rewritten."""
    return replace(decision, action=decision.rule.observe_only, failed=frozen) if frozen else decision


def _rewrite(decision: Decision, key: bytes, restores: dict[str, str]) -> Rewrite:
    """The edits of a redaction. Adds to `restores` if its rule is reversible."""
    rule = decision.rule
    made = redact(key, rule.id, decision.reason, [secret_of(found) for found in decision.found])
    if rule.reversible:
        restores |= made.values
    tools = [Remove(pointer) for _, pointer in decision.held.tools] if rule.remove_tools else []
    return replace(made.rewrite, edits=[*made.rewrite.edits, *tools])


def secret_of(found: Found) -> Secret:
    type_ = found.type if found.kind == "text" else f"{found.kind}-{found.type}"
    return Secret(cast(Place, found.place), found.start, found.end, type_)
