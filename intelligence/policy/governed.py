"""What policy did to a call, for the journal and the record; and what a rule needs to know of its size."""

from __future__ import annotations

from dataclasses import replace

from intelligence.policy.decide import Decision
from intelligence.policy.evidence import seen_digest
from intelligence.policy.facts import Facts, Found
from intelligence.policy.rule import Rule, parts_of
from intelligence.policy.verdict import Verdict, secret_of
from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Edit, Rewritten
from intelligence.rewrite.outgoing import Headers, sealed
from intelligence.rewrite.redact import redact
from intelligence.store.journal import DecisionHead, DetectionHead, GovernHead, RewriteHead
from intelligence.store.pricing import flat_rate

# Of one call, so many detections are recorded, and so many edits.
MAX_TOLD = 200
# Bytes of JSON for one token: what English prose and code come to, escapes included. An estimate, and called one.
BYTES_PER_TOKEN = 4
# What must not be in the record because it was kept from leaving.
KEPT_OUT = frozenset({"secret", "pii", "canary"})


def measure(facts: Facts, body: bytes) -> None:
    """Its size, and the tokens this comes to."""
    facts.body_bytes = len(body)
    facts.prompt_tokens = len(body) // BYTES_PER_TOKEN


def frozen(facts: Facts, headers: Headers) -> str | None:
    """Why nothing in this request may be rewritten; None when it may."""
    if flat_rate(facts.provider, facts.host, facts.credential):
        return "nothing is rewritten in subscription traffic"
    return sealed(headers)


def refused(judged: Verdict, rewritten: Rewritten) -> Verdict:
    """The verdict once it is known which edits could not be made: a rule whose edit was refused fails as it says."""
    if not rewritten.refused or judged.answered:
        return judged
    by_rule = {one.rewrite.rule: one.why for one in rewritten.refused}
    told: list[Decision] = []
    final = judged.final
    for one in judged.decisions:
        if one.acts and one.action == "redact" and one.rule.id in by_rule:
            closed = one.rule.fail == "closed"
            action = "block" if closed else "redact" if rewritten.splices else "alert"
            one = replace(one, action=action, failed=by_rule[one.rule.id])
            final = one if closed and final is None else final
        told.append(one)
    return replace(judged, decisions=told, final=final)


def without_secrets(key: bytes, body: bytes, judged: Verdict) -> bytes | None:
    """The body to record of a request that was stopped; None when it may be recorded as it came, and nothing of one from which
    what must not rest cannot be taken out, or of which nobody could say what that is."""
    if any(one.acts and one.failed and not one.found and hides(one.rule) for one in judged.decisions):
        return b""
    found = [one for decision in judged.decisions for one in decision.found if one.kind in KEPT_OUT]
    if not found and not judged.rewrites:
        return None
    more = redact(key, "record", "", map(secret_of, found)).rewrite
    kept = apply(body, [*judged.rewrites, more])
    return b"" if kept.refused else kept.body


def hides(rule: Rule) -> bool:
    """Whether a rule keeps out what must not be in the record either."""
    looked_for = (part.detection.kind for part in parts_of(rule.when) if part.detection)
    return rule.action == "redact" or any(not KEPT_OUT.isdisjoint(kinds) for kinds in looked_for)


def head(
    key: bytes, version: str, direction: str, judged: Verdict, rewritten: Rewritten | None = None
) -> GovernHead:
    """What is written down. Nothing in it is a text that a rule kept from leaving."""
    refused_edits = {id(one.edit) for one in rewritten.refused} if rewritten else set()
    stood = {
        (one.place.pointer, one.start, one.end): _text(one)
        for decision in judged.decisions
        for one in decision.found
        if judged.keep_original
    }
    changes = [
        RewriteHead(
            rewrite.rule,
            rewrite.reason,
            edit.pointer,
            stood.get((edit.pointer, edit.start, edit.end)) if isinstance(edit, Edit) else None,
            edit.text if isinstance(edit, Edit) else None,
        )
        for rewrite in judged.rewrites
        for edit in rewrite.edits
        if id(edit) not in refused_edits
    ]
    return GovernHead(
        version,
        direction,
        [decision_head(one) for one in judged.decisions],
        [_detection(key, one, decision.rule.id) for decision in judged.decisions for one in decision.found][
            :MAX_TOLD
        ],
        changes[:MAX_TOLD] if rewritten and rewritten.splices else [],
        [(one.start, one.end, one.original) for one in rewritten.splices]
        if rewritten and judged.keep_original
        else [],
    )


def decision_head(one: Decision) -> DecisionHead:
    """A soft limit tells, and does nothing."""
    return DecisionHead(
        one.rule.id,
        one.action,
        "alert" if one.soft else one.rule.mode,
        one.acts and not one.soft,
        one.reason,
        one.failed,
    )


def _detection(key: bytes, one: Found, rule: str) -> DetectionHead:
    place = one.place
    digest = seen_digest(key, one.kind, _text(one))
    return DetectionHead(
        one.kind, one.type, one.score, place.pointer, one.start, one.end, place.source, digest, rule
    )


def _text(one: Found) -> str:
    return one.place.text[one.start : one.end]
