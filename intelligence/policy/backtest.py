"""What a set of rules would have done to calls that are in the record.

Calls are judged in the order they began, by the code that judges them live: rules that act first, on the request as it came and
on the answer; then those that only tell, on what would be in the record. Limits count by a clock of the calls, beginning with
what was used before. Bodies are read only where a rule gets as far as asking for one.

What it cannot know: how a call that was stopped would have gone on, and so what it would have cost; texts that are in the record
no more (`gone`), and what was redacted without its original being kept (`redacted`, see `stored`).
"""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from intelligence.detect.lazily import LazyScanner
from intelligence.policy import governed
from intelligence.policy.allowed import allowed
from intelligence.policy.decide import CompiledRule, Decision, compile_set, decide
from intelligence.policy.evidence import CallEvidence
from intelligence.policy.facts import Facts
from intelligence.policy.limits import Limits, Spent, counters_of
from intelligence.policy.load import PolicySet
from intelligence.policy.match import Held
from intelligence.policy.stored import CALLS, StoredCall, gone
from intelligence.policy.verdict import Verdict, verdict
from intelligence.rewrite.apply import apply
from intelligence.store.journal import DecisionHead
from intelligence.store.judging import asked_later
from intelligence.store.spending import COLUMNS, facts_of

# Of one rule, so many calls are named: the latest.
NAMED = 200
# Parts of conversations whose detections are remembered.
REMEMBERED_PARTS = 100_000
_SIZES = frozenset({"body_bytes", "prompt_tokens"})

_COUNT = "select count(*) from requests where started_at >= ? and started_at < ?"
_NEWEST = "select started_at from requests where started_at < ? order by started_at desc limit 1 offset ?"
_BEFORE = f"""select {COLUMNS} where q.started_at >= ? and q.started_at < ? and q.state not in ('pending', 'blocked')
    order by q.started_at"""

type Progress = Callable[[int, int], None]
"""Calls done, of how many."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the set says of one call; `decisions` with their direction, in order. `stopped`: the request would not have left."""

    id: str
    at_ms: int
    cost_usd: float | None
    stopped: str | None
    decisions: list[tuple[str, DecisionHead]]
    gone: bool
    redacted: bool


@dataclass(slots=True)
class RuleReport:
    """`actions` are what it would have decided, in how many calls; `acted` says in how many it would have been done. `calls` are
    ids, the latest first. `cost_usd` is what the calls cost whose request it would have stopped, as far as it is known."""

    rule: str
    action: str
    mode: str
    actions: dict[str, int] = field(default_factory=dict)
    acted: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    stopped: int = 0
    cost_usd: float = 0.0


@dataclass(slots=True)
class Report:
    version: str
    since_ms: int
    until_ms: int
    calls: int = 0
    stopped: int = 0
    cost_usd: float = 0.0
    cost_unknown: int = 0
    gone: int = 0
    redacted: int = 0
    rules: list[RuleReport] = field(default_factory=list)


def backtest(
    db: sqlite3.Connection,
    key: bytes,
    policies: PolicySet,
    since_ms: int,
    progress: Progress | None = None,
    *,
    until_ms: int = 2**62,
    limit: int | None = None,
) -> Report:
    """`key` is the installation's; `limit`: only so many calls, the latest. Raises `sqlite3.Error`."""
    if limit is not None:
        row = db.execute(_NEWEST, (until_ms, limit - 1)).fetchone()
        since_ms = max(since_ms, row[0] if row else since_ms)
    report = Report(policies.version, since_ms, until_ms)
    report.rules = [RuleReport(rule.id, rule.action, rule.mode) for rule in policies.rules]
    by_id = {one.rule: one for one in report.rules}
    (total,) = db.execute(_COUNT, (since_ms, until_ms)).fetchone()
    for judged in replay(db, key, policies, since_ms, until_ms):
        _add(report, by_id, judged)
        if progress and (report.calls % 20 == 0 or report.calls >= total):
            progress(report.calls, max(total, report.calls))
    for one in report.rules:
        one.calls = one.calls[: -NAMED - 1 : -1]
    return report


def _add(report: Report, by_id: dict[str, RuleReport], judged: Judged) -> None:
    report.calls += 1
    report.gone += judged.gone
    report.redacted += judged.redacted
    if judged.stopped:
        report.stopped += 1
        report.cost_usd += judged.cost_usd or 0.0
        report.cost_unknown += judged.cost_usd is None
    for rule in dict.fromkeys(head.rule for _, head in judged.decisions):
        one = by_id[rule]
        heads = [(way, head) for way, head in judged.decisions if head.rule == rule]
        _count(one.actions, {head.action for _, head in heads})
        one.acted += any(head.acted for _, head in heads)
        _count(one.failed, {head.failed for _, head in heads if head.failed})
        one.calls.append(judged.id)
        if any(way == "request" and head.action in ("block", "throttle") for way, head in heads):
            one.stopped += 1
            one.cost_usd += judged.cost_usd or 0.0


def _count(counts: dict[str, int], words: set[str]) -> None:
    for word in words:
        counts[word] = counts.get(word, 0) + 1


def replay(
    db: sqlite3.Connection, key: bytes, policies: PolicySet, since_ms: int, until_ms: int = 2**62
) -> Iterator[Judged]:
    """Each call, in the order they began. Raises `sqlite3.Error`."""
    yield from _Replay(db, key, policies).run(since_ms, until_ms)


class _Replay:
    def __init__(self, db: sqlite3.Connection, key: bytes, policies: PolicySet) -> None:
        self.db = db
        self.key = key
        self.now = 0.0
        self.compiled = compile_set(policies)
        self.scanner = LazyScanner(key, remembered_parts=REMEMBERED_PARTS)
        self.allowed = allowed(policies.allow, key, lambda: datetime.fromtimestamp(self.now, UTC).date())
        self.limits = Limits(lambda: self.now)
        self.limits.use(counters_of(self.compiled.rules))
        looks = frozenset[str]().union(*(one.looks_at for one in self.compiled.rules))
        tokens = any(one.rule.when.limit and one.rule.when.limit.tokens for one in self.compiled.rules)
        if "detection" in looks:
            self.scanner.load()  # which takes longer than a call may
        self.sized = bool(looks & _SIZES) or tokens
        self.ends: list[tuple[float, int, Spent, str]] = []
        self.open: Counter[str] = Counter()

    def run(self, since_ms: int, until_ms: int) -> Iterator[Judged]:
        self._used_before(since_ms)
        cursor = self.db.execute(CALLS, (since_ms, until_ms))
        names = [column[0] for column in cursor.description]
        for values in cursor:
            yield self._judge(dict(zip(names, values, strict=True)))

    def _used_before(self, since_ms: int) -> None:
        counters = self.limits.counters.values()
        for counter in counters:
            counter.ready = True
        if not counters:
            return
        self.now = since_ms / 1000
        begin = min(counter.begin(self.now) for counter in counters)
        cursor = self.db.execute(_BEFORE, (int(begin * 1000), since_ms))
        names = [column[0] for column in cursor.description]
        for values in cursor:
            row = dict(zip(names, values, strict=True))
            self.limits.told(
                [Spent(row["id"], row["started_at"] / 1000, facts_of(row), row["tokens"], row["usd"])]
            )

    def _judge(self, row: dict[str, Any]) -> Judged:
        self.now = row["started_at"] / 1000
        self._until_now()
        call = StoredCall(self.db, row, self.scanner, self.allowed)
        facts = call.request(sized=self.sized)
        assert isinstance(facts.evidence, CallEvidence)
        facts.evidence.limits = self.limits
        facts.concurrent = self.open[_who(facts)]
        rules = _as_seen(self.compiled.of("request", later=False), call.redacted_by)
        judged, sent = self._acted(call, facts, decide(rules, facts))
        told = [("request", one) for one in judged.decisions]
        if not judged.answered:
            self._begin(row, facts)
            if row["text"] or row["tool_calls"]:
                said = decide(self.compiled.of("response", later=False), call.answer())
                told += [("response", one) for one in said]
        ended_by = {one.rule.id for _, one in told if one.acts and not one.soft and one.action in _ENDING}
        told += self._later(call, facts.evidence, sent, ended_by, answered=judged.answered)
        needed = any(one.failed == "Unreadable" for _, one in told)
        return Judged(
            row["id"],
            row["started_at"],
            row["usd"],
            judged.final.rule.id if judged.answered and judged.final else None,
            [(way, governed.decision_head(one)) for way, one in told],
            needed and gone(facts),
            call.blind,
        )

    def _acted(
        self, call: StoredCall, facts: Facts, decisions: list[Decision]
    ) -> tuple[Verdict, Callable[[], bytes | None]]:
        """What is done, and the request as it would be in the record."""
        frozen = governed.frozen(facts, ())
        if facts.credential == "aws_sigv4":
            frozen = frozen or "signed by AWS Signature Version 4"
        judged = verdict(decisions, self.key, frozen=frozen)
        if not judged.rewrites or call.blind or (body := call.body()) is None:
            return judged, call.body
        rewritten = apply(body, judged.rewrites)
        judged = governed.refused(judged, rewritten)
        if judged.answered:
            kept = governed.without_secrets(self.key, body, judged)
            return judged, lambda: body if kept is None else kept
        return judged, lambda: rewritten.body

    def _later(
        self,
        call: StoredCall,
        came: CallEvidence,
        sent: Callable[[], bytes | None],
        ended_by: set[str],
        *,
        answered: bool,
    ) -> list[tuple[str, Decision]]:
        told: list[tuple[str, Decision]] = []
        for way in ("request", "response"):
            if rules := asked_later(self.compiled, self.compiled.of(way, later=True), ended_by):
                if way == "response" and answered:
                    continue
                facts = call.sent(sent, came) if way == "request" else call.answer()
                told += [(way, one) for one in decide(rules, facts)]
        return told

    # --- the clock ---------------------------------------------------------------------------------------------------

    def _begin(self, row: dict[str, Any], facts: Facts) -> None:
        who = _who(facts)
        self.open[who] += 1
        self.limits.began(row["id"], facts)
        spent = Spent(row["id"], facts.at, facts_of(row), row["tokens"], row["usd"])
        end = self.now + (row["duration_ms"] or 0.0) / 1000
        heapq.heappush(self.ends, (end, row["seq"], spent, who))

    def _until_now(self) -> None:
        while self.ends and self.ends[0][0] <= self.now:
            _, _, spent, who = heapq.heappop(self.ends)
            self.limits.told([spent])
            self.open[who] -= 1
            if self.open[who] <= 0:
                del self.open[who]


_ENDING = frozenset({"allow", "block", "throttle"})


def _as_seen(rules: Sequence[CompiledRule], redacted_by: set[str]) -> Sequence[CompiledRule]:
    """A pattern that took a text out of this very call matched it."""
    if not redacted_by:
        return rules
    return [
        replace(one, test=_holds)
        if one.rule.id in redacted_by and one.rule.action == "redact" and "text" in one.looks_at
        else one
        for one in rules
    ]


def _holds(facts: Facts, held: Held) -> bool:
    return True


def _who(facts: Facts) -> str:
    return facts.user or facts.key or ""
