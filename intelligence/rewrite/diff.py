"""What a rewrite changed, for people: for each text that differs, its words before and after.

Bodies are compared as JSON values, so what is shown is what a provider reads, however it was written. Long texts are compared
between the words they begin and end with in common; a middle too large to compare word by word is shown as gone and new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from intelligence.wire.json_value import INVALID, as_json, decode
from intelligence.wire.place import MAX_DEPTH, step

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
# Of each side; comparing takes the product of both at worst.
_MAX_WORDS = 2_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Hunk:
    """`left_out` has no text, only the number of characters that are the same on both sides and not shown."""

    kind: Literal["same", "gone", "new", "left_out"]
    text: str
    length: int


@dataclass(frozen=True, slots=True)
class Difference:
    """`pointer` is that of the body as it came. None: there is nothing on that side."""

    pointer: str
    before: str | None
    after: str | None
    hunks: list[Hunk]


def differences(before: bytes, after: bytes, context: int = 200) -> list[Difference]:
    """Of two JSON bodies, in order; `context` is how many characters around a change are shown. What is no JSON is compared
    as one text."""
    if before == after:
        return []
    one, other = decode(before.removeprefix(_BOM)), decode(after.removeprefix(_BOM))
    found: list[Difference] = []
    if one is INVALID or other is INVALID:
        one, other = before.decode("utf-8", "replace"), after.decode("utf-8", "replace")
    _compare("", one, other, context, found, 0)
    return found


def hunks(before: str, after: str, context: int = 200) -> list[Hunk]:
    """Together, "same" and "gone" are the text before, "same" and "new" the text after, but for what is left out."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    found = _same("".join(old[:head]), 0 if head else context, context)
    found += _middle(old[head : len(old) - tail], new[head : len(new) - tail], context)
    return found + _same("".join(old[len(old) - tail :]), context, 0)


def _middle(old: list[str], new: list[str], context: int) -> list[Hunk]:
    if len(old) > _MAX_WORDS or len(new) > _MAX_WORDS:
        return _changed("".join(old), "".join(new))
    found: list[Hunk] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += _same("".join(old[i:j]), context, context)
        else:
            found += _changed("".join(old[i:j]), "".join(new[k:m]))
    return found


def _changed(old: str, new: str) -> list[Hunk]:
    found = [Hunk("gone", old, len(old))] if old else []
    return [*found, Hunk("new", new, len(new))] if new else found


def _same(text: str, first: int, last: int) -> list[Hunk]:
    """With no more than `first` characters of its beginning and `last` of its end."""
    if not text:
        return []
    hidden = len(text) - first - last
    if hidden <= 0:
        return [Hunk("same", text, len(text))]
    shown = [(text[:first], "same"), ("", "left_out"), (text[len(text) - last :] if last else "", "same")]
    return [
        Hunk("left_out", "", hidden) if kind == "left_out" else Hunk("same", part, len(part))
        for part, kind in shown
        if part or kind == "left_out"
    ]


def _compare(at: str, before: Any, after: Any, context: int, found: list[Difference], depth: int) -> None:
    if isinstance(before, dict) and isinstance(after, dict) and depth < MAX_DEPTH:
        for key, value in before.items():
            here = f"{at}/{step(key)}"
            if key in after:
                _compare(here, value, after[key], context, found, depth + 1)
            else:
                found.append(_one_sided(here, value, None))
        for key in after.keys() - before.keys():
            found.append(_one_sided(f"{at}/{step(key)}", None, after[key]))
    elif isinstance(before, list) and isinstance(after, list) and depth < MAX_DEPTH:
        _compare_lists(at, before, after, context, found, depth + 1)
    elif _written(before) != _written(after):
        one, other = as_json(before), as_json(after)
        found.append(Difference(at, one, other, hunks(one, other, context)))


def _compare_lists(
    at: str, before: list[Any], after: list[Any], context: int, found: list[Difference], depth: int
) -> None:
    """Rules take elements out and change others, seldom add any: what is missing is found where neighbours are equal."""
    old, new = [_written(item) for item in before], [_written(item) for item in after]
    n = m = 0
    while n < len(old) and m < len(new):
        missing = (len(old) - n) - (len(new) - m)
        if old[n] == new[m]:
            n, m = n + 1, m + 1
        elif missing > 0 and new[m] in old[n + 1 : n + 1 + missing]:
            found.append(_one_sided(f"{at}/{n}", before[n], None))
            n += 1
        else:
            _compare(f"{at}/{n}", before[n], after[m], context, found, depth)
            n, m = n + 1, m + 1
    found += [_one_sided(f"{at}/{i}", before[i], None) for i in range(n, len(old))]
    found += [_one_sided(f"{at}/{n + i}", None, after[m + i]) for i in range(len(new) - m)]


def _written(value: Any) -> str:
    """Equal for equal values alone: true is not 1, and "1" is not 1."""
    return f'"{value}' if isinstance(value, str) else as_json(value)


def _one_sided(at: str, before: Any, after: Any) -> Difference:
    one = None if before is None else as_json(before)
    other = None if after is None else as_json(after)
    return Difference(at, one, other, _changed(one or "", other or ""))
