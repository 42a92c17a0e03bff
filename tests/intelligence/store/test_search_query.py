import sqlite3
from contextlib import closing
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intelligence.store.search_query import FILTERS, MOST_CHARS, Query, Range, read, written

NOW = 1_795_000_000_000  # 18 Nov 2026, 11:06:40 UTC
UTC = ZoneInfo("UTC")
HOUR = 3_600_000


def parsed(text: str) -> Query:
    query = read(text, now_ms=NOW, zone=UTC)
    assert query.errors == ()
    return query


def of(text: str, name: str) -> Range:
    (term,) = parsed(text).of(name)
    return term.range


def test_everything_at_once():
    query = parsed('model:gpt-5,o3 -client:"my client" role:User cost>0.1 "exact  words" -not begin* plain')
    (model,), (client,), (role,) = query.of("model"), query.of("client"), query.of("role")
    assert model.values == ("gpt-5", "o3") and not model.excluded
    assert client.values == ("my client",) and client.excluded
    assert role.values == ("user",)
    assert of("cost>0.1", "cost") == Range(least=0.1, above=True)
    assert query.match() == '"exact words" "begin"* "plain" NOT "not"'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("http://x.test/a?b=1", '"http://x.test/a?b=1"'),
        ("std::vector<int>", '"std::vector<int>"'),
        ("a AND b NEAR(c) ^d {e}:f", '"a" "AND" "b" "NEAR(c)" "^d" "{e}:f"'),
        ('"unclosed words', '"unclosed words"'),
        ('say"two words"', '"say two words"'),
        ('"model:gpt-5"', '"model:gpt-5"'),
        ("- * \" '' …", None),
        ("sets -", '"sets"'),
        ('keep -"left out"', '"keep" NOT "left out"'),
        ("état*", '"état"*'),
    ],
)
def test_words(text, match):
    assert parsed(text).match() == match


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("tokens>=10k", Range(10_000)),
        ("tokens<1.5m", Range(most=1.5e6, below=True)),
        ("tokens:1,000..2000", Range(1000, 2000)),
        ("tokens:..5", Range(None, 5)),
        ("tokens=7", Range(7, 7)),
        ("cost<=$2", Range(most=2)),
        ("duration>1.5s", Range(1500, above=True)),
        ("duration<2min", Range(most=120_000, below=True)),
        ("since:2h", Range(NOW - 2 * HOUR)),
        ("since:today", Range(NOW // (24 * HOUR) * 24 * HOUR)),
        ("until:yesterday", Range(most=NOW // (24 * HOUR) * 24 * HOUR, below=True)),
        ("until:1970-01-02", Range(most=48 * HOUR, below=True)),
        ("until:1970-01", Range(most=31 * 24 * HOUR, below=True)),
        ("since:1970-01-01T01:00", Range(HOUR)),
        ('until:"1970-01-01 01:00+01:00"', Range(most=0, below=True)),
    ],
)
def test_ranges(text, range_):
    assert of(text, text.replace("<", ":").replace(">", ":").replace("=", ":").partition(":")[0]) == range_


def test_days_are_of_the_reader():
    (term,) = read("since:1970-01-02", now_ms=NOW, zone=ZoneInfo("Europe/Vienna")).terms
    assert term.range == Range(23 * HOUR)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modle:gpt-5", "Was model: meant"),
        ("role:robot", "one of system, user, tool, assistant"),
        ("state:broken", "one of pending"),
        ("cost>much", "no number for cost"),
        ("cost>2k", "no number for cost"),
        ("tokens>5s", "no number for tokens"),
        ("since:soon", "no time"),
        ("since:9999-99-99", "no time"),
        ("until:9999-12-31", "no time"),
        ("since>2026-01-01", "takes a colon"),
        ("model>gpt", "is no number"),
        ("model:", "lacks a value"),
        ('user:""', "lacks a value"),
        ("-cost>1", "cannot be left out"),
        ("-nothing", "add a word"),
        ("ab*", "at least 3 letters"),
        ("x" * (MOST_CHARS + 1), "at most 500 characters"),
        ("w " * 30, "at most 24 words"),
    ],
)
def test_what_cannot_be_meant_is_said(text, says):
    (error,) = read(text, now_ms=NOW, zone=UTC).errors
    assert says in error


def test_a_term_taken_away_and_put_back():
    query = parsed('a model:x "b c" cost>1')
    assert [query.without(term) for term in query.terms] == [
        'model:x "b c" cost>1', 'a "b c" cost>1', "a model:x cost>1", 'a model:x "b c"',
    ]  # fmt: skip


SIGNS = st.text(alphabet="abmodelcostrl019 \"*-:=<>.,$()^{}+\\\0\n'é…", max_size=60)
PIECES = st.lists(
    st.one_of(
        SIGNS, st.builds("{}{}{}".format, st.sampled_from(FILTERS), st.sampled_from([":", ">", "<="]), SIGNS)
    )
)


@given(st.one_of(st.text(max_size=80), PIECES.map(" ".join)))
@example("since:00000-1-1")
@example("since:99999y until:0001-01-01")
@example("\ud800")
def test_any_input_is_read_and_any_match_is_borne_by_fts5(text):
    query = read(text, now_ms=NOW, zone=UTC)
    match = query.match()
    if match is not None and not query.errors:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("create virtual table t using fts5 (text)")
            db.execute("select * from t where t match ?", (match,)).fetchall()


@given(PIECES.map(" ".join))
def test_what_is_read_reads_the_same_again(text):
    query = read(text, now_ms=NOW, zone=UTC)
    if not query.errors:
        assert read(" ".join(t.raw for t in query.terms), now_ms=NOW, zone=UTC).terms == query.terms


@given(st.sampled_from(["model", "user", "tool"]), st.text(min_size=1, max_size=30))
def test_a_name_chosen_from_a_list_is_found_in_what_is_written(name, value):
    plain = " ".join(value.replace('"', " ").replace("\0", " ").encode("utf-8", "replace").decode().split())
    if not plain.strip(" ,"):
        return
    (term,) = read(written(name, value), now_ms=NOW, zone=UTC).terms
    assert (term.name, term.values) == (name, (plain,))
