import sqlite3
from contextlib import closing

import pytest

from intelligence.store import session_sums
from intelligence.store.migrations import open_database
from tests.datasette_plugins.session_records import Talk, user
from tests.intelligence.store.traffic import rows

KEPT = """select ended, errors, providers, models, input_tokens, output_tokens, cost_usd, subscription_usd, ended_at, requests
    from sessions order by seq"""


@pytest.fixture
def db(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as db:
        yield db


def conversation(db: sqlite3.Connection) -> list[int]:
    """One session of four calls: two models, one that failed, one that goes on; one price under a flat rate."""
    talk = Talk(db, {"provider": "openai"})
    question = [user("a question asked again")]
    said = [
        talk.say(question, state="error", input_tokens=None, response_model=None),
        talk.say(question, input_tokens=10, output_tokens=1),
        talk.say(question, response_model="m-1", provider=None, input_tokens=5),
        talk.say(question, state="pending"),
    ]
    seqs = [row["seq"] for row in rows(db, "select seq from requests order by seq")]
    assert len(said) == len(seqs)
    db.execute("update requests set model = iif(seq = 2, 'm-2', null)")
    db.execute("update turns set session = 1")
    db.execute("delete from sessions where seq > 1")
    for seq, usd, basis in ((seqs[1], 0.5, "list"), (seqs[2], 0.25, "subscription")):
        db.execute("insert into costs (request, usd, basis, source) values (?, ?, ?, 't')", (seq, usd, basis))
    return seqs


def test_what_a_session_adds_up_to(db):
    seqs = conversation(db)
    session_sums.again(db, session_sums.of(db, seqs))
    (found,) = rows(db, KEPT)
    (last,) = rows(db, "select started_at + 1000 as at from requests where seq = ?", seqs[2])
    assert found == {
        "ended": 3,
        "errors": 1,
        "providers": '["openai"]',
        "models": '["m-1","m-2"]',
        "input_tokens": 15,
        "output_tokens": 34 + 1 + 34,
        "cost_usd": 0.75,
        "subscription_usd": 0.25,
        "ended_at": last["at"],
        "requests": 4,
    }


def test_one_after_another_is_all_at_once(db):
    seqs = conversation(db)
    session_sums.again(db, session_sums.of(db, seqs))
    whole = rows(db, KEPT)
    for cuts in ([seqs[:1], seqs[1:]], [[seq] for seq in reversed(seqs)]):
        db.execute(
            "update sessions set ended = 0, errors = 0, providers = null, models = null, input_tokens = null"
        )
        db.execute(
            "update sessions set output_tokens = null, cost_usd = null, subscription_usd = null, ended_at = null"
        )
        for cut in cuts:
            session_sums.add(db, cut)
        assert rows(db, KEPT) == whole


def test_unknown_stays_unknown(db):
    talk = Talk(db, {"provider": None, "response_model": None})
    talk.say([user("hi")], input_tokens=None, output_tokens=None)
    db.execute("update requests set model = null")
    session_sums.again(db, [1])
    (found,) = rows(db, KEPT)
    assert (found["ended"], found["errors"]) == (1, 0)
    unknown = ("providers", "models", "input_tokens", "output_tokens", "cost_usd", "subscription_usd")
    assert [found[name] for name in unknown] == [None] * 6


def test_what_is_left_when_calls_go(db):
    seqs = conversation(db)
    db.execute("delete from requests where seq = ?", (seqs[1],))
    sessions = session_sums.of(db, seqs)
    session_sums.again(db, sessions)
    (found,) = rows(db, KEPT)
    assert (found["requests"], found["ended"], found["models"], found["cost_usd"]) == (3, 2, '["m-1"]', 0.25)
    db.execute("delete from requests where state <> 'pending'")
    session_sums.again(db, sessions)
    (found,) = rows(db, KEPT)
    assert (found["requests"], found["ended"], found["models"], found["cost_usd"]) == (1, 0, None, None)
