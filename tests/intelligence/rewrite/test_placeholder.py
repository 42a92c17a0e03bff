"""Placeholders: the same for the same value, harmless wherever they stand, and put back from text cut anywhere."""

import html
import json
import shlex
from urllib.parse import quote, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from intelligence.rewrite.placeholder import (
    MAX_LENGTH,
    Restorer,
    escaped,
    placeholder,
    placeholders,
    restore,
)

KEY = b"k" * 32
TYPES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["secret-github-pat", "pii-email", "text", "", "canary-bcdfghjklmnp-bcdfghjklmnpq"]),
)


@given(TYPES, st.text())
def test_one_shape_for_every_type_and_value(type_: str, value: str) -> None:
    made = placeholder(KEY, type_, value)
    assert len(made) <= MAX_LENGTH
    assert placeholders(f"a{made}b {made}{made}") == [
        (1, 1 + len(made)),
        (3 + len(made), 3 + 2 * len(made)),
        (3 + 2 * len(made), 3 + 3 * len(made)),
    ]
    assert made == placeholder(KEY, type_, value)


def test_it_tells_the_type_and_not_the_value() -> None:
    made = placeholder(KEY, "secret-github-pat", "ghp_x")
    assert made.startswith("REDACTED-SECRET-github-pat-")
    others = {
        placeholder(b"j" * 32, "secret-github-pat", "ghp_x"),
        placeholder(KEY, "secret-aws", "ghp_x"),
        placeholder(KEY, "secret-github-pat", "ghp_y"),
    }
    assert len({made[-12:]} | {other[-12:] for other in others}) == 4


@given(TYPES, st.text())
def test_no_syntax_takes_it_for_its_own(type_: str, value: str) -> None:
    made = placeholder(KEY, type_, value)
    assert json.dumps(made) == f'"{made}"' and html.escape(made) == made and quote(made) == made
    assert shlex.quote(made) == made
    assert MarkdownIt().renderInline(f"say {made} now") == f"say {made} now"
    assert urlsplit(f"https://{made}@{made}.example/{made}?{made}#{made}").path == f"/{made}"
    assert not any(char.isdigit() for char in made)


VALUES = {
    placeholder(KEY, "secret-a", "one"): "one",
    placeholder(KEY, "secret-a", "two"): "REDACTED-",
    placeholder(KEY, "pii-email", "x"): placeholder(KEY, "secret-a", "one"),  # put back, not searched again
    placeholder(KEY, "text", 'q"\n\\'): 'q"\n\\',
}
NAMES = sorted(VALUES)
UNKNOWN = placeholder(KEY, "secret-a", "of another request")
WORDS = st.one_of(
    st.sampled_from([*NAMES, UNKNOWN]),
    st.sampled_from(
        ["R", "RE", "REDACTED", "REDACTED-", "REDACTED-S", "-", " ", "b", NAMES[0][:-1], NAMES[1][:20]]
    ),
    st.text(max_size=5),
)
TEXTS = st.lists(WORDS, max_size=8).map("".join)


@settings(deadline=None)
@given(TEXTS)
def test_what_is_known_is_put_back_and_the_rest_stays(text: str) -> None:
    expected, at = [], 0
    while at < len(text):
        name = next((name for name in NAMES if text.startswith(name, at)), None)
        expected.append(VALUES[name] if name else text[at])
        at += len(name) if name else 1
    assert restore(text, VALUES) == "".join(expected)


@settings(deadline=None)
@given(TEXTS)
def test_every_cut_in_two_gives_the_same(text: str) -> None:
    for cut in range(len(text) + 1):
        restorer = Restorer(VALUES)
        assert restorer.feed(text[:cut]) + restorer.feed(text[cut:]) + restorer.finish() == restore(
            text, VALUES
        )


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 200), max_size=30))
def test_pieces_of_any_size_give_the_same_and_little_is_held(text: str, cuts: list[int]) -> None:
    restorer = Restorer(VALUES)
    out, fed = "", 0
    for end in [*sorted({cut for cut in cuts if cut < len(text)}), len(text)]:
        out += restorer.feed(text[fed:end])
        fed = end
        # What is out already, and what is held, is all that came: nothing is held but a beginning of a placeholder.
        held = restorer._held
        assert restore(text[: fed - len(held)], VALUES) == out
        assert held == "" or any(name != held and name.startswith(held) for name in NAMES)
    assert out + restorer.finish() == restore(text, VALUES)


def test_one_character_at_a_time() -> None:
    text = f"a{NAMES[0]}{NAMES[1]} REDACTED-{NAMES[2]}R"
    restorer = Restorer(VALUES)
    assert "".join(map(restorer.feed, text)) + restorer.finish() == restore(text, VALUES)


def test_nothing_is_held_when_there_is_nothing_to_put_back() -> None:
    assert Restorer({}).feed("so R") == "so R"


@given(st.text())
def test_values_in_json_in_the_making(value: str) -> None:
    name = placeholder(KEY, "secret-a", value)
    pieces = json.dumps({"command": f"echo {name}"})
    restorer = Restorer(escaped({name: value}))
    out = "".join(map(restorer.feed, pieces)) + restorer.finish()
    assert json.loads(out) == {"command": f"echo {value}"}
