from __future__ import annotations

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from datasette_plugins.overview.asked import DIMENSIONS, MOST_LETTERS, SPANS, Asked, asked


def again(query: str) -> Asked:
    return asked(dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)))


def test_what_is_strange_becomes_what_is_usual() -> None:
    assert asked({"span": "x' or 1", "by": "password"}) == asked({}) == Asked("24h", "model", ())


def test_unknown_is_an_empty_value_and_anything_is_none() -> None:
    assert asked({"user": ""}).where == (("user", ""),)
    assert again(Asked(where=(("user", "ann"),)).query(user=None)).where == ()
    assert again(Asked().query(model="")).where == (("model", ""),)


@given(
    st.sampled_from(sorted(SPANS)),
    st.sampled_from(DIMENSIONS),
    st.dictionaries(st.sampled_from(DIMENSIONS), st.text(max_size=MOST_LETTERS)),
)
def test_the_address_says_all_of_it(span: str, by: str, where: dict[str, str]) -> None:
    wanted = asked({"span": span, "by": by, **where})
    assert again(wanted.query()) == wanted
    assert again(wanted.query(span="1h", by="user", client="curl")) == asked(
        {**where, "span": "1h", "by": "user", "client": "curl"}
    )
