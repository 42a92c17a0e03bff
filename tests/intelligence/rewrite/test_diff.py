"""What people are shown of a rewrite is what changed, and all of it."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.rewrite.apply import apply
from intelligence.rewrite.diff import Hunk, differences, hunks
from intelligence.rewrite.edits import Edit, Remove, Replace, Rewrite
from tests.intelligence.rewrite.bodies import OBJECTS, all_pointers, put, spelled

WORDS = st.lists(st.sampled_from(["one", "two", " ", "\n", "é", "😀", ".", "three"]), max_size=30).map(
    "".join
)
ALL = 10**9


def sides(found: list[Hunk]) -> tuple[str, str]:
    before = "".join(hunk.text for hunk in found if hunk.kind in ("same", "gone"))
    after = "".join(hunk.text for hunk in found if hunk.kind in ("same", "new"))
    return before, after


@settings(deadline=None)
@given(WORDS, WORDS)
def test_hunks_are_both_texts(before: str, after: str) -> None:
    assert sides(hunks(before, after, context=ALL)) == (before, after)


@settings(deadline=None)
@given(WORDS, WORDS, st.integers(0, 20))
def test_what_is_left_out_is_counted(before: str, after: str, context: int) -> None:
    found = hunks(before, after, context)
    assert sum(hunk.length for hunk in found if hunk.kind != "new") == len(before)
    assert sum(hunk.length for hunk in found if hunk.kind != "gone") == len(after)
    assert all(hunk.length == len(hunk.text) for hunk in found if hunk.kind != "left_out")


def test_words_not_letters() -> None:
    assert hunks("my key is sk-abc now", "my key is GONE now") == [
        Hunk("same", "my key is ", 10),
        Hunk("gone", "sk-abc", 6),
        Hunk("new", "GONE", 4),
        Hunk("same", " now", 4),
    ]
    found = hunks("a " * 500 + "x" + " b" * 500, "a " * 500 + "y" + " b" * 500, context=4)
    assert [(hunk.kind, hunk.text) for hunk in found] == [
        ("left_out", ""),
        ("same", "a a "),
        ("gone", "x"),
        ("new", "y"),
        ("same", " b b"),
        ("left_out", ""),
    ]


def test_texts_with_nothing_in_common_are_not_compared_for_ever() -> None:
    before, after = "a b " * 50_000, "b c " * 50_000
    assert sides(hunks(before, after, context=ALL)) == (before, after)


def shown(value: Any, *edits: Any) -> list[tuple[str, str | None, str | None]]:
    body = json.dumps(value).encode()
    done = apply(body, [Rewrite("r", "", list(edits))])
    assert not done.refused
    return [(d.pointer, d.before, d.after) for d in differences(body, done.body)]


def test_each_change_at_its_place() -> None:
    value = {"s": "be kind", "l": [{"n": "a"}, {"n": "b"}, {"n": "c"}], "k": 1}
    assert shown(value, Edit("/s", 3, 7, "REDACTED")) == [("/s", "be kind", "be REDACTED")]
    assert shown(value, Remove("/l/1"), Replace("/k", [True])) == [
        ("/l/1", '{"n":"b"}', None),
        ("/k", "1", "[true]"),
    ]
    assert shown(value, Remove("/l/0"), Edit("/l/2/n", 0, 1, "d")) == [
        ("/l/0", '{"n":"a"}', None),
        ("/l/2/n", "c", "d"),
    ]
    assert shown(value, Remove("/l/2"), Remove("/k")) == [("/l/2", '{"n":"c"}', None), ("/k", "1", None)]
    assert shown({"a": 1}, Replace("/a", True)) == [("/a", "1", "true")]


def test_spelling_is_no_difference() -> None:
    assert differences(b'{"a": "\\u0041"}', b'\xef\xbb\xbf{"a":"A"}') == []
    found = differences(b"not json", b"not JSON")
    assert [(d.pointer, d.before, d.after) for d in found] == [("", "not json", "not JSON")]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_is_shown_is_the_whole_change(data: st.DataObject) -> None:
    """Put the shown texts into the value before, and it is the value after."""
    value = data.draw(OBJECTS)
    body = data.draw(spelled(value))
    texts = [(pointer, text) for pointer, text in all_pointers(value) if isinstance(text, str)]
    edits = [
        Edit(pointer, 0, len(text), data.draw(WORDS)) for pointer, text in texts if data.draw(st.booleans())
    ]
    done = apply(body, [Rewrite("r", "", edits)])
    for found in differences(body, done.body, context=ALL):
        assert (found.before, found.after) == sides(found.hunks)
        value = put(value, found.pointer, found.after)
    assert value == json.loads(done.body.removeprefix(b"\xef\xbb\xbf"))
