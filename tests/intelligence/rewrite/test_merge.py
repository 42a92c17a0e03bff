"""Edits of several rules that meet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Change, Edit, Remove, Replace, Rewrite

BODY = b'{"t":"0123456789","l":[{"a":"x"},{"b":"y"}]}'


def done(*edits: tuple[bool, Change]) -> tuple[str, list[str]]:
    """What becomes of the body by one rule after another: whether it redacts, and its edit."""
    rewrites = [Rewrite(f"r{n}", "", [edit], redacts) for n, (redacts, edit) in enumerate(edits)]
    made = apply(BODY, rewrites)
    return made.body.decode(), [refused.why for refused in made.refused]


def text(start: int, end: int, new: str) -> Edit:
    return Edit("/t", start, end, new)


@pytest.mark.parametrize(
    ("edits", "left", "refused"),
    [
        # Neither redacts: the earlier one stays.
        ([(False, text(2, 6, "A")), (False, text(4, 8, "B"))], "01A6789", ["r0 changes this text"]),
        ([(False, text(4, 8, "B")), (False, text(2, 6, "A"))], "0123B89", ["r0 changes this text"]),
        # Redactions cover both.
        ([(True, text(2, 6, "A")), (True, text(4, 8, "B"))], "01A89", []),
        ([(True, text(4, 8, "B")), (True, text(2, 6, "A"))], "01B89", []),
        ([(True, text(2, 4, "A")), (True, text(6, 8, "B")), (True, text(3, 7, "C"))], "01A89", []),
        ([(True, text(3, 5, "A")), (True, text(0, 10, "B"))], "A", []),
        # One that redacts takes the other along.
        ([(False, text(2, 6, "A")), (True, text(4, 8, "B"))], "01B89", []),
        ([(True, text(4, 8, "B")), (False, text(2, 6, "A"))], "0123B89", ["r0 changes this text"]),
        # Side by side they do not meet.
        ([(False, text(2, 4, "A")), (False, text(4, 6, "B"))], "01AB6789", []),
        ([(False, text(4, 4, "I")), (False, text(4, 6, "B"))], "0123IB6789", []),
        ([(False, text(4, 6, "B")), (False, text(4, 4, "I"))], "0123IB6789", []),
        ([(False, text(4, 4, "I")), (False, text(4, 4, "J"))], "0123I456789", ["r0 changes this text"]),
    ],
)
def test_spans(edits: list[tuple[bool, Change]], left: str, refused: list[str]) -> None:
    body, whys = done(*edits)
    assert (body, whys) == (BODY.decode().replace("0123456789", left), refused)


def test_wholes() -> None:
    inside = Edit("/l/0/a", 0, 1, "z")
    assert done((False, inside), (False, Remove("/l/0")))[1] == ["r0 changes something in it"]
    assert done((False, inside), (True, Remove("/l/0"))) == ('{"t":"0123456789","l":[{"b":"y"}]}', [])
    assert done((False, Remove("/l/0")), (False, inside))[1] == ["r0 changes the whole of it"]
    assert done((False, Remove("/l/0")), (True, inside)) == ('{"t":"0123456789","l":[{"b":"y"}]}', [])
    assert done((False, Replace("/l", 1)), (False, Remove("/l/0")))[1] == ["r0 changes the whole of it"]
    assert done((True, Remove("/l/1")), (True, Replace("/l", []))) == ('{"t":"0123456789","l":[]}', [])
    assert done((False, Replace("/t", "n")), (False, Remove("/t")))[1] == ["r0 changes the whole of it"]


SPANS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 10), st.integers(0, 10)).filter(lambda t: t[1] < t[2]), max_size=6
)


@settings(deadline=None)
@given(SPANS)
def test_nothing_a_redaction_names_is_left(drawn: list[tuple[bool, int, int]]) -> None:
    rewrites = [
        Rewrite(str(n), "", [text(start, end, "#")], red) for n, (red, start, end) in enumerate(drawn)
    ]
    made = apply(BODY, rewrites)
    assert not [refused for refused in made.refused if refused.rewrite.redacts]
    left = made.body.decode().partition('","l"')[0]
    for red, start, end in drawn:
        assert not red or not set("0123456789"[start:end]) & set(left.removeprefix('{"t":"'))
