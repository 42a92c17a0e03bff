"""Edits of several rules brought together: which of those that meet are made (the rules are told in `apply`)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from intelligence.rewrite.edits import Change, Edit, Remove, Replace, Rewrite


class Span(NamedTuple):
    """`text` in the place of the code points from `start` to `end`."""

    start: int
    end: int
    text: str
    redacts: bool = False
    rule: str = ""


class Plan:
    """Takes edits in order of precedence. Spans of a pointer are kept apart and sorted."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._wholes: dict[str, tuple[Rewrite, Replace | Remove]] = {}
        # By pointer, the pointers below it (itself too) that edits are planned for.
        self._below: dict[str, set[str]] = {}

    def add(self, rewrite: Rewrite, edit: Change) -> str | None:
        """None when the edit will be made, or is content with what others do; else why not."""
        for above in _above(edit.pointer):
            if above in self._wholes:
                return None if rewrite.redacts else f"{self._wholes[above][0].rule} changes the whole of it"
        why = self._span(rewrite, edit) if isinstance(edit, Edit) else self._whole(rewrite, edit)
        if why is None:
            for above in _above(edit.pointer):
                self._below.setdefault(above, set()).add(edit.pointer)
        return why

    def wholes(self) -> Iterator[tuple[str, Replace | Remove]]:
        for pointer, (_, edit) in self._wholes.items():
            yield pointer, edit

    def spans(self) -> Iterator[tuple[str, list[Span]]]:
        yield from self._spans.items()

    def _whole(self, rewrite: Rewrite, edit: Replace | Remove) -> str | None:
        inside = self._below.get(edit.pointer, set())
        if inside and not rewrite.redacts:
            return f"{self._rule_at(next(iter(sorted(inside))))} changes something in it"
        for pointer in list(inside):
            self._spans.pop(pointer, None)
            self._wholes.pop(pointer, None)
            for above in _above(pointer):
                self._below[above].discard(pointer)
        self._wholes[edit.pointer] = (rewrite, edit)
        return None

    def _rule_at(self, pointer: str) -> str:
        if pointer in self._wholes:
            return self._wholes[pointer][0].rule
        return self._spans[pointer][0].rule

    def _span(self, rewrite: Rewrite, edit: Edit) -> str | None:
        new = Span(edit.start, edit.end, edit.text, rewrite.redacts, rewrite.rule)
        planned = self._spans.setdefault(edit.pointer, [])
        first = bisect_left(planned, new.start, key=lambda span: span.start)
        if first and _meet(planned[first - 1], new):
            first -= 1
        last = first
        while last < len(planned) and _meet(planned[last], new):
            last += 1
        met = planned[first:last]
        if met and not new.redacts:
            return f"{met[0].rule} changes this text"
        redacting = [span for span in met if span.redacts]
        if met:
            text, rule = (redacting[0].text, redacting[0].rule) if redacting else (new.text, new.rule)
            new = Span(min(met[0].start, new.start), max(met[-1].end, new.end), text, True, rule)
        planned[first:last] = [new]
        return None


def _meet(one: Span, other: Span) -> bool:
    """Two insertions at one place do, as their order would have to be guessed; a span and what is inserted at its edge do not."""
    return (one.start < other.end and other.start < one.end) or (one.start, one.end) == (
        other.start,
        other.end,
    )


def _above(pointer: str) -> Iterator[str]:
    """The pointer and all it is below of."""
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer
