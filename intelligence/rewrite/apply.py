"""Rewrites put into the bytes of a JSON request body, and taken out again.

Only the bytes that an edit names change: key order, whitespace, numbers as spelled, escapes, unknown members and a byte order
mark stay. In a string, only the edited span is written anew.

Where edits meet, the order of the rewrites decides, and in one rewrite the order of its edits:

- the earlier one stays, the later one is refused;
- but of spans that overlap, one of which redacts, the whole reach of both is replaced, by the text of the redacting one (of two,
  of the earlier), and a redacting `Replace` or `Remove` takes the place of earlier edits in what it covers;
- a redacting edit in something that is replaced or removed already is content: what it would take out is gone.

Refused is also what touches a guarded part (`wire.guards`), whatever rule wants it, what names nothing, and every edit of a body
that is not strict JSON. A refusal is told with its reason; a rule that must not fail open has to look at `refused`. Time is
linear in body and edits (times the logarithm of their number, and the depth of what they name).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from intelligence.rewrite.cuts import Cut, removed, span_cuts
from intelligence.rewrite.edits import Change, Edit, Refused, Remove, Replace, Rewrite, Rewritten, Splice
from intelligence.rewrite.locate import Found, NotFound, locate
from intelligence.rewrite.merge import Plan
from intelligence.rewrite.spans import text_of
from intelligence.rewrite.within import Company, guarded_within

__all__ = ["apply", "undo"]


def apply(body: bytes, rewrites: Iterable[Rewrite]) -> Rewritten:
    """`body` without content-encoding. Never raises for what a body or an edit may be."""
    asked = [(rewrite, edit) for rewrite in rewrites for edit in rewrite.edits]
    if not asked:
        return Rewritten(body, [], [])
    try:
        found = locate(body, {edit.pointer for _, edit in asked})
    except NotFound as error:
        return Rewritten(body, [], [Refused(rewrite, edit, str(error)) for rewrite, edit in asked])
    plan = Plan()
    refused = []
    texts: dict[str, str] = {}
    company = Company(body)
    for rewrite, edit in asked:
        why = _objection(body, edit, found[edit.pointer], texts, company) or plan.add(rewrite, edit)
        if why:
            refused.append(Refused(rewrite, edit, why))
    cuts = _cuts(body, plan, found, texts)
    return Rewritten(*_splice(body, cuts), refused)


def undo(body: bytes, splices: Sequence[Splice]) -> bytes:
    """The body as it came, of the rewritten one. Raises `ValueError` when the splices are not of this body."""
    out, at = [], 0
    for splice in splices:
        if not at <= splice.start <= splice.end <= len(body):
            raise ValueError("these splices do not belong to this body")
        out += [body[at : splice.start], splice.original]
        at = splice.end
    return b"".join([*out, body[at:]])


def _objection(
    body: bytes, edit: Change, found: Found | NotFound, texts: dict[str, str], company: Company
) -> str | None:
    if isinstance(found, NotFound):
        return str(found)
    if found.guarded:
        return found.guarded
    if isinstance(edit, Edit):
        return _bad_span(body, edit, found, texts)
    if found.container is None:
        return "the body as a whole"
    if isinstance(edit, Replace) and _encoded(edit.value, True) is None:
        return "the new value is no JSON"
    if why := guarded_within(body[found.start : found.end]):
        return why
    return company.needs(found) if isinstance(edit, Remove) else None


def _bad_span(body: bytes, edit: Edit, found: Found, texts: dict[str, str]) -> str | None:
    if body[found.start : found.start + 1] != b'"':
        return "not a text"
    if edit.pointer not in texts:
        try:
            texts[edit.pointer] = text_of(body[found.start : found.end])
        except (ValueError, RecursionError):
            return "not a text"
    if not 0 <= edit.start <= edit.end <= len(texts[edit.pointer]):
        return "the span is outside the text"
    return None


def _encoded(value: Any, ascii_only: bool) -> bytes | None:
    try:
        if not ascii_only:
            return msgspec.json.encode(value)
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can say
        return _encoded(value, True)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _cuts(body: bytes, plan: Plan, found: dict[str, Found | NotFound], texts: dict[str, str]) -> list[Cut]:
    ascii_only = body.isascii()
    cuts: list[Cut] = []
    gone: list[Found] = []
    for pointer, edit in plan.wholes():
        here = _sure(found[pointer])
        if isinstance(edit, Remove):
            gone.append(here)
        else:
            cuts.append(Cut(here.start, here.end, _encoded(edit.value, ascii_only) or b"null"))
    cuts += removed(gone)
    for pointer, spans in plan.spans():
        cuts += span_cuts(body, _sure(found[pointer]), texts[pointer], spans, ascii_only)
    return sorted(cuts)


def _sure(found: Found | NotFound) -> Found:
    assert isinstance(found, Found)
    return found


def _splice(body: bytes, cuts: list[Cut]) -> tuple[bytes, list[Splice]]:
    out: list[bytes] = []
    splices: list[Splice] = []
    at = length = 0
    for cut in cuts:
        original = body[cut.start : cut.end]
        if original == cut.text:
            continue
        out += [body[at : cut.start], cut.text]
        start = length + cut.start - at
        length = start + len(cut.text)
        splices.append(Splice(start, length, original))
        at = cut.end
    return (b"".join([*out, body[at:]]) if splices else body), splices
