"""What stands in the place of a redacted value: `REDACTED-SECRET-github-pat-bqkrtdmfpghs`.

The letters at the end are a keyed hash of the value, so it has the same placeholder on every turn and after a restart: prompt
caches keep hitting, and two equal values are seen to be equal. Only letters and hyphens: it needs no escaping in JSON, Markdown,
HTML, URLs or a shell, models copy it whole, and no detector takes it for a key or a number (there is no digit in it, and no
vowel in the hash). 48 bits of hash: two values of one request do not share a placeholder.

`restore` and `Restorer` put values back; what is put back is not searched again. In text that is JSON in the making (tool
arguments as they stream) values have to be escaped: give them `escaped(values)`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from intelligence.store.ids import keyed_hash

MARK = "REDACTED-"
_DIGITS = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")
_HASH = 12
_LONGEST_KIND = 16
_LONGEST_TYPE = 32
MAX_LENGTH = len(MARK) + _LONGEST_KIND + 1 + _LONGEST_TYPE + 1 + _HASH

_FIND = re.compile(
    rf"{MARK}[A-Z]{{1,{_LONGEST_KIND}}}-[a-z-]{{1,{_LONGEST_TYPE}}}?-[bcdfghjklmnpqrst]{{{_HASH}}}"
)
_NOT_SHOWN = re.compile(r"[^a-z]+")


def placeholder(key: bytes, type: str, value: str) -> str:
    """`key` is the installation's (`store.ids.install_key`); `type` says what it is, the kind first: `secret-github-pat`."""
    digest = keyed_hash(key, b"placeholder", type.encode(), value.encode("utf-8", "surrogatepass"))
    ending = digest[:_HASH].translate(_DIGITS)
    kind, _, rest = _NOT_SHOWN.sub("-", type.lower()).strip("-").partition("-")
    beginning = f"{MARK}{kind[:_LONGEST_KIND].upper() or 'VALUE'}-"
    made = f"{beginning}{rest[:_LONGEST_TYPE].strip('-') or 'value'}-{ending}"
    found = _FIND.match(made)
    # A type that looks like a hash itself would be taken for the end.
    return made if found and found.end() == len(made) else f"{beginning}value-{ending}"


def placeholders(text: str) -> list[tuple[int, int]]:
    """Where placeholders stand, of whatever installation."""
    return [match.span() for match in _FIND.finditer(text)] if MARK in text else []


def restore(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of the placeholders it has; those that `values` does not know stay."""
    if MARK not in text:
        return text
    return _FIND.sub(lambda match: values.get(match[0], match[0]), text)


def escaped(values: Mapping[str, str]) -> dict[str, str]:
    """The values as they stand between the quotes of a JSON string."""
    return {name: json.dumps(value)[1:-1] for name, value in values.items()}


def beginning(text: str, names: Sequence[str]) -> int:
    """Where at the end of the text one of the placeholders begins that is not yet whole; its length when none does. `names` are
    sorted."""
    at = text.find(MARK[0], max(0, len(text) - MAX_LENGTH + 1))
    while at >= 0:
        tail = text[at:]
        next_ = bisect_left(names, tail)
        if next_ < len(names) and names[next_] != tail and names[next_].startswith(tail):
            return at
        at = text.find(MARK[0], at + 1)
    return len(text)


class Restorer:
    """`restore` for text that comes in pieces, cut anywhere. Only what may be the beginning of a placeholder of `values` is held
    back, so never `MAX_LENGTH` characters or more. `finish` gives what is still held."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._names = sorted(values)
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        hold = beginning(text, self._names)
        self._held = text[hold:]
        return restore(text[:hold], self._values)

    def finish(self) -> str:
        held, self._held = self._held, ""
        return restore(held, self._values)
