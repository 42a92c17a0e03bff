"""Every search is compared with what looking at each text in turn would find."""

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.store import finding, search_plan
from intelligence.store.finding import find
from intelligence.store.migrations import open_database
from intelligence.store.search import CLOSE, OPEN, ROLES
from intelligence.store.search_query import read

NOW = 1_795_000_000_000
CALLS = 60
WORDS = ("heron", "otter", "stork")
MODELS = ("gpt-5", "gpt-5-mini", "claude-x", None)


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """Of call n: every other says `otter`, every fifth `stork`, all `heron`, in the words of one role more each time."""
    with closing(open_database(tmp_path_factory.mktemp("finding") / "traffic.db")) as db:
        for n in range(1, CALLS + 1):
            state = "error" if n % 7 == 0 else "complete"
            db.execute(
                "insert into requests (seq, id, run, state, started_at, model, user, client, websocket, body_redacted, truncated)"
                " values (?, ?, 'r', ?, ?, ?, ?, 'cli', 0, 0, 0)",
                (n, f"call-{n}", state, NOW - (CALLS - n) * 60_000, MODELS[n % 4], ("ada", "bob")[n % 2]),
            )
            db.execute(
                "insert into responses (request, body_redacted, input_tokens, tool_calls, duration_ms) values (?, 0, ?, ?, ?)",
                (
                    n,
                    n * 100 if n % 3 else None,
                    json.dumps([{"name": "Bash" if n % 4 == 0 else "Read"}]),
                    n * 10.0,
                ),
            )
            if n % 2:
                db.execute("insert into costs values (?, ?, 'list', 'test')", (n, n / 100))
            db.execute(
                "insert into sessions (seq, id, started_at, last_at, requests, last_request, scope) "
                "values (?, ?, 0, 0, 1, ?, '')",
                (n, f"session-{n % 10}-{n}", n),
            )
            db.execute("insert into turns (request, session, claimed) values (?, ?, 0)", (n, n))
            for place in range(1 + n % 4):
                db.execute(
                    "insert into search_texts values (?, ?, ?, ?)",
                    (len(ROLES) * n + place, n, ROLES[place], words(n)),
                )
        yield db


def words(n: int) -> str:
    return " ".join(word for word, every in zip(WORDS, (1, 2, 5), strict=True) if n % every == 0)


def run(db: sqlite3.Connection, text: str, **more):
    query = read(text, now_ms=NOW)
    assert query.errors == ()
    return find(db, query, **{"seconds": 60, **more})


def seqs(db: sqlite3.Connection, text: str, **more) -> list[int]:
    return [row["seq"] for row in run(db, text, limit=1000, **more).rows]


def those(condition) -> list[int]:
    return [n for n in range(CALLS, 0, -1) if condition(n)]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("model:gpt-5", lambda n: n % 4 == 0),
        ("model:gpt*", lambda n: n % 4 in (0, 1)),
        ("model:mini,claude", lambda n: n % 4 in (1, 2)),
        ("model:GPT-5", lambda n: n % 4 == 0),
        ("-model:gpt-5", lambda n: n % 4 != 0),
        ("user:ada model:gpt-5-mini", lambda n: False),
        ("user:bob state:error", lambda n: n % 2 and n % 7 == 0),
        ("state:complete", lambda n: n % 7),
        ("-state:error,pending", lambda n: n % 7),
        ("cost>0.3", lambda n: n % 2 and n > 30),
        ("cost<=0.05", lambda n: n % 2 and n <= 5),
        ("tokens:1000..2000", lambda n: n % 3 and 10 <= n <= 20),
        ("input<300", lambda n: n % 3 and n < 3),
        ("output>0", lambda n: False),
        ("duration>=0.59s", lambda n: n >= 59),
        ("tool:bash", lambda n: n % 4 == 0),
        ("tool:b*,other", lambda n: n % 4 == 0),
        ("-tool:bash", lambda n: n % 4),
        ("session:session-3-13", lambda n: n == 13),
        ("session:session-3-", lambda n: n % 10 == 3),
        ("-session:session-3-", lambda n: n % 10 != 3),
        ("since:10min", lambda n: n >= CALLS - 10),
        ("until:50min user:ada", lambda n: n % 2 == 0 and n < 10),
    ],
)
@pytest.mark.parametrize("few", [0, 2000])
def test_calls_by_what_they_are(db, monkeypatch, few, text, condition):
    monkeypatch.setattr(search_plan, "FEW", few)
    assert seqs(db, text) == those(condition)
    assert [row["role"] for row in run(db, text).rows if row["role"]] == []


TERMS = {
    "heron": lambda n, role: True,
    "otter": lambda n, role: n % 2 == 0,
    "sto*": lambda n, role: n % 5 == 0,
    "-stork": lambda n, role: n % 5,
    "role:user": lambda n, role: role == "user",
    "-role:user,tool": lambda n, role: role not in ("user", "tool"),
    "model:gpt-5": lambda n, role: n % 4 == 0,
    "user:bob": lambda n, role: n % 2,
    "state:error": lambda n, role: n % 7 == 0,
    "cost>0.1": lambda n, role: n % 2 and n > 10,
    "since:20min": lambda n, role: n >= CALLS - 20,
}


@settings(max_examples=150, deadline=None)
@given(st.sets(st.sampled_from(sorted(TERMS))), st.sampled_from([1, 7, 1000]), st.sampled_from([0, 10, 2000]))
def test_words_and_filters_together_in_pages_of_any_size(db, terms, limit, few):
    terms |= {"heron"}
    kept, search_plan.FEW = search_plan.FEW, few
    steps = finding.STEP, finding.MOST
    finding.STEP, finding.MOST = 9, 4
    try:
        found, before = [], None
        while True:
            page = run(db, " ".join(sorted(terms, reverse=True)), limit=limit, before=before)
            found += [row["id"] for row in page.rows]
            if before is None:
                total = page.total
            if (before := page.more) is None:
                break
    finally:
        search_plan.FEW = kept
        finding.STEP, finding.MOST = steps
    wanted = [
        len(ROLES) * n + place
        for n in range(CALLS, 0, -1)
        for place in range(n % 4, -1, -1)
        if all(TERMS[term](n, ROLES[place]) for term in terms)
    ]
    assert found == wanted and total == len(wanted)


def test_a_role_alone_lists_its_texts(db):
    page = run(db, "role:tool -user:ada")
    assert {row["role"] for row in page.rows} == {"tool"}
    assert [row["seq"] for row in page.rows] == those(lambda n: n % 4 >= 2 and n % 2)
    assert page.rows[0]["snippet"] == words(59)


def test_what_was_found_is_marked_and_told_of(db):
    row = run(db, "stork").rows[0]
    assert f"{OPEN}stork{CLOSE}" in row["snippet"]
    assert (row["call_id"], row["session_id"]) == ("call-60", "session-0-60")
    assert run(db, "model:gpt-5").rows[0]["snippet"] is None


def test_without_time_it_says_how_far_it_looked_and_goes_on(db, monkeypatch):
    monkeypatch.setattr(finding, "STEP", 4)
    found, before, looks = [], None, 0
    while looks == 0 or before:
        page = run(db, "output>0 -user:nobody" if looks > 200 else "cost<=0.05", seconds=0, before=before)
        assert page.whole == (page.more is None)
        if page.more and len(page.rows) < finding.PAGE:
            assert page.back_to_ms is not None
        found += [row["seq"] for row in page.rows]
        before, looks = page.more, looks + 1
    assert found == [5, 3, 1] and looks > 3


def test_more_than_is_counted(db, monkeypatch):
    monkeypatch.setattr(finding, "COUNTED", 20)
    monkeypatch.setattr(finding, "STEP", 8)
    page = run(db, "heron", limit=5)
    assert not page.whole and 20 < page.total < 40 and len(page.rows) == 5 and page.back_to_ms is None


def test_the_best_come_first_and_pages_keep_their_order(db):
    best = [row["id"] for row in run(db, "heron stork", ranked=True, limit=100).rows]
    assert sorted(best, reverse=True) == [row["id"] for row in run(db, "heron stork", limit=100).rows]
    pages, before = [], None
    while True:
        page = run(db, "heron stork", ranked=True, limit=4, before=before)
        pages += [row["id"] for row in page.rows]
        if (before := page.more) is None:
            break
    assert pages == best
    # Of equal rarity the shorter text says more of it.
    assert len(words(best[0] // 4)) <= len(words(best[-1] // 4))


@pytest.mark.parametrize("before", ["", "x", "-1", "1.x", "9" * 30, "²", "5.99999", ".", "1.2.3"])
def test_any_cursor_is_borne(db, before):
    run(db, "heron", before=before)
    run(db, "heron", before=before, ranked=True)


def test_a_name_nobody_has_is_told_with_those_there_are(db):
    (problem,) = run(db, "model:llama").problems
    assert "llama" in problem and "gpt-5-mini" in problem
    assert seqs(db, "-model:llama") == those(lambda n: True)


def test_nothing_asked_finds_nothing(db):
    assert run(db, "  ").rows == []


def test_names_are_those_of_the_record(db):
    assert search_plan.names(db, "model") == ["claude-x", "gpt-5", "gpt-5-mini"]
    assert search_plan.names(db, "provider") == []
    with pytest.raises(ValueError):
        search_plan.names(db, "model; drop table requests")


def test_columns_looked_up_by_name_have_their_index(db):
    plans = {
        "model": "select seq from requests where model in (select value from json_each('[]'))",
        "state": "select seq from requests where state <> 'complete' and state in (select value from json_each('[]'))",
    }
    for name, sql in plans.items():
        plan = " ".join(row[3] for row in db.execute(f"explain query plan {sql}"))
        assert f"requests_{name}" in plan
