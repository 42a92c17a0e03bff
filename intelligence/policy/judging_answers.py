"""The rules of answers as a screen: what they block stops the stream, what they redact is replaced, and what was said of it.

Each text is judged by itself, when it ends, and whenever more than the bound of it waits: then all but half the bound leaves.
That half is judged again with what follows, and so is as much of what left, so nothing is missed for standing across. The
arguments of a call wait until they are whole. If they are longer than the bound they are judged as far as they came, and
once more when they are whole: in between the rules could not be judged, and fail as they declare. A condition that joins
several texts is asked of one at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from intelligence.policy import governed
from intelligence.policy.decide import Decision
from intelligence.policy.holding import Channel, Stop
from intelligence.policy.rule import Rule
from intelligence.policy.verdict import Verdict
from intelligence.rewrite.edits import Edit, Rewrite
from intelligence.store.journal import GovernHead, RewriteHead
from intelligence.wire.place import Place

# Seen again of what left, at least: the words before a value that tell what it is.
CONTEXT = 256
# Of the arguments of one call, so much is kept to be judged when they are whole.
MAX_ARGUMENTS = 1_000_000

type Judge = Callable[[list[Place]], Verdict]


class Told:
    """What is written down of one answer, put together from all that was judged of it."""

    def __init__(self, key: bytes, version: str) -> None:
        self.head = GovernHead(version, "response")
        self._key = key

    def renew(self) -> None:
        """What was told is written down; more may come."""
        self.head = GovernHead(self.head.policy, "response")

    def add(self, verdict: Verdict, shift: int = 0) -> None:
        new, head = governed.head(self._key, "", "response", verdict), self.head
        known = {(one.rule, one.action, one.failed) for one in head.decisions}
        head.decisions += [one for one in new.decisions if (one.rule, one.action, one.failed) not in known]
        seen = {(one.kind, one.type, one.digest, one.rule) for one in head.detections}
        for one in new.detections[: governed.MAX_TOLD - len(head.detections)]:
            if (one.kind, one.type, one.digest, one.rule) not in seen:
                one.start, one.end = one.start + shift, one.end + shift
                head.detections.append(one)

    def changed(self, rewrite: Rewrite, edit: Edit) -> None:
        one = RewriteHead(rewrite.rule, rewrite.reason, edit.pointer, None, edit.text)
        if len(self.head.rewrites) < governed.MAX_TOLD and one not in self.head.rewrites:
            self.head.rewrites.append(one)


class Judging:
    """A screen (`holding`). `rules` are the enforced ones that concern the answer; `judge` asks them of some texts. `words`: one
    of them looks at what is said, else calls alone are held. `final` is what stopped the answer."""

    def __init__(
        self, judge: Judge, rules: list[Rule], bound: int, told: Told, *, words: bool = True
    ) -> None:
        self._judge = judge
        self._rules = rules
        self._bound = bound
        self._words = words
        self._keep = max(bound // 2, CONTEXT)
        self.told = told
        self.final: Decision | None = None

    def more(self, channel: Channel) -> None:
        if channel.piece.source != "tool_call" and not self._words:
            channel.settle(channel.length)
        elif channel.passing:
            channel.settle(channel.length, MAX_ARGUMENTS)
        elif len(channel.open.encode("utf-8", "surrogatepass")) > self._bound:
            edits = self._edits(channel)
            if channel.piece.source == "tool_call":
                self.unseen("the arguments of a call are longer than may be held back")
                channel.passing = True
                channel.edits += edits
                channel.settle(channel.length, MAX_ARGUMENTS)
            else:
                self._settle(channel, edits)

    def _settle(self, channel: Channel, edits: list[tuple[int, int, str]]) -> None:
        upto = max(channel.settled, channel.length - self._bound // 2)
        for start, end, _ in edits:
            if start < upto < end:  # seen whole next time, unless that means to hold more than the bound
                upto = start if channel.length - start <= self._bound else end
        channel.edits += [edit for edit in edits if edit[1] <= upto]
        channel.settle(upto, self._keep)

    def end(self, channel: Channel) -> None:
        if channel.open or channel.piece.source == "tool_call":
            channel.edits += self._edits(channel)
        channel.settle(channel.length)

    def _edits(self, channel: Channel) -> list[tuple[int, int, str]]:
        piece, base = channel.piece, channel.base
        tool = piece.tool
        place = Place(
            piece.at, "assistant", piece.source, channel.text, tool.name, tool.call_id, tool.guarded
        )
        verdict = self._verdict([place], base)
        edits = []
        for rewrite, edit in _edits_of(verdict):
            start, end = base + edit.start, base + edit.end
            if end <= channel.settled:
                continue  # it left before, and was dealt with then
            if tool.guarded:
                self._unedited(rewrite.rule, tool.guarded)
                continue
            self.told.changed(rewrite, edit)
            edits.append((max(start, channel.settled), end, edit.text))
        return _apart(edits)

    def whole(self, places: list[Place]) -> list[Edit]:
        guarded = {place.pointer: place.guarded for place in places if place.guarded}
        edits = []
        for rewrite, edit in _edits_of(self._verdict(places, 0)):
            if why := guarded.get(edit.pointer):
                self._unedited(rewrite.rule, why)
                continue
            self.told.changed(rewrite, edit)
            edits.append(edit)
        return edits

    def unseen(self, why: str) -> None:
        self._fail(self._rules, why)

    def _unedited(self, rule: str, why: str) -> None:
        self._fail([one for one in self._rules if one.id == rule], why)

    def _fail(self, rules: list[Rule], why: str) -> None:
        decisions = failed(rules, why)
        final = next((one for one in decisions if one.action == "block"), None)
        self.told.add(Verdict(decisions, final))
        if final:
            self.final = final
            raise Stop

    def _verdict(self, places: list[Place], shift: int) -> Verdict:
        verdict = self._judge(places)
        if verdict.decisions:
            self.told.add(verdict, shift)
        if verdict.answered:
            self.final = verdict.final
            raise Stop
        return verdict


def failed(rules: list[Rule], why: str) -> list[Decision]:
    """What enforced rules say of an answer that cannot be judged: up to the first that blocks."""
    decisions = []
    for rule in rules:
        closed = rule.fail == "closed" and rule.action != "allow"
        decisions.append(Decision(rule, "block" if closed else "alert", True, failed=why))
        if closed:
            break
    return decisions


def _edits_of(verdict: Verdict) -> list[tuple[Rewrite, Edit]]:
    return [
        (rewrite, edit)
        for rewrite in verdict.rewrites
        for edit in rewrite.edits
        if isinstance(edit, Edit) and edit.start < edit.end
    ]


def _apart(edits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order; of several that overlap one that covers them, with the text of the first."""
    merged: list[tuple[int, int, str]] = []
    for start, end, text in sorted(edits):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end), merged[-1][2])
        else:
            merged.append((start, end, text))
    return merged
