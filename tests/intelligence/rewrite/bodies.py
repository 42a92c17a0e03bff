"""JSON bodies as clients write them: any value, in any of the ways JSON can be spelled."""

import json
import random
from typing import Any

from hypothesis import strategies as st

# What is short, escaped, long, or outside the first plane.
LETTERS = st.one_of(
    st.sampled_from(list('ab"\\/\n\t\x00\x7f<é日😀\u2028 ~')), st.characters(exclude_categories=["Cs"])
)
# As lists: `st.text` would choose from all the letters alike, and almost never the few that matter.
TEXTS = st.lists(LETTERS, max_size=12).map("".join)
NUMBERS = st.one_of(
    st.integers(), st.sampled_from(["1.0", "-0", "1e5", "1E+05", "0.10", "123456789012345678901234567890"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)
_SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t"}


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> bytes:
    """The value with whitespace and escapes as drawn."""
    draws = random.Random(
        draw(st.integers(0, 1 << 32))
    )  # one draw of hypothesis: each letter would be several

    def space() -> str:
        return draws.choice(["", "", "", " ", "\n  ", "\t", "\r\n"])

    def letter(char: str) -> str:
        way = draws.randrange(3)
        if way == 0 and char in _SHORT:
            return _SHORT[char]
        if way == 1 or char in '"\\' or char < " " or "\ud800" <= char <= "\udfff":
            units = char.encode("utf-16-be", "surrogatepass")
            hexes = [units[n : n + 2].hex() for n in range(0, len(units), 2)]
            return "".join("\\u" + (h.upper() if draws.randrange(2) else h) for h in hexes)
        return char

    def string(text: str) -> str:
        # A client that spells all letters one way is the rule, one that mixes is not.
        if draws.randrange(2):
            return json.dumps(text, ensure_ascii=bool(draws.randrange(2)) or _has_halves(text))
        return '"' + "".join(map(letter, text)) + '"'

    def write(inner: Any) -> str:
        if isinstance(inner, str):
            return string(inner)
        if isinstance(inner, dict):
            members = [
                f"{space()}{string(k)}{space()}:{space()}{write(v)}{space()}" for k, v in inner.items()
            ]
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(inner, list):
            return "[" + (",".join(f"{space()}{write(item)}{space()}" for item in inner) or space()) + "]"
        return json.dumps(inner)

    bom = b"\xef\xbb\xbf" if draws.randrange(8) == 0 else b""
    return bom + (space() + write(value) + space()).encode()


def _has_halves(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def value_of(body: bytes) -> Any:
    return json.loads(body.removeprefix(b"\xef\xbb\xbf"))


def step(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def all_pointers(value: Any, at: str = "") -> list[tuple[str, Any]]:
    """Every pointer below the root with what it names."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = []
    for key, inner in members:
        here = f"{at}/{step(str(key))}"
        found += [(here, inner), *all_pointers(inner, here)]
    return found


def at(value: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        value = value[int(token)] if isinstance(value, list) else value[token]
    return value


def put(value: Any, pointer: str, new: Any) -> Any:
    """In place; gives the value, which is new when the pointer is the root."""
    if not pointer:
        return new
    above, _, last = pointer.rpartition("/")
    holder = at(value, above)
    last = last.replace("~1", "/").replace("~0", "~")
    holder[int(last) if isinstance(holder, list) else last] = new
    return value


def drop(value: Any, pointer: str) -> None:
    above, _, last = pointer.rpartition("/")
    holder = at(value, above)
    last = last.replace("~1", "/").replace("~0", "~")
    del holder[int(last) if isinstance(holder, list) else last]
