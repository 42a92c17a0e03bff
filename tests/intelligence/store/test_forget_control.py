"""What people typed about calls, and what a forgotten user typed, goes; that it was done stays, and the log verifies."""

import json
import sqlite3
from contextlib import closing

import pytest

from intelligence.policy import handed
from intelligence.store import (
    audit,
    auditing,
    control,
    governing,
    policy_history,
    preferences,
    reviews,
    saved_searches,
)
from intelligence.store.governing import Governed
from intelligence.store.jobs import JobError
from intelligence.store.journal import DecisionHead, DetectionHead, GovernHead
from intelligence.store.migrations import open_database
from intelligence.store.preferences import Preferences
from intelligence.store.reviews import Subject
from tests.intelligence.store.test_forget import CANARY, WORD, forget, holding
from tests.intelligence.store.test_keeping import drained, record, stored

DIGESTS = {name: f"{n:032x}" for n, name in enumerate(("only", "shared", "allowed", "taken back", "bob's"))}


@pytest.fixture
def ids(tmp_path):
    """A call of ann and one of bob, decided upon; `shared` was seen in both."""
    record(tmp_path, WORD, user="ann")
    record(tmp_path, "three", user="bob")
    drained(tmp_path)
    control.prepare(tmp_path)
    calls = {row["user"]: row for row in stored(tmp_path).values()}
    decide(tmp_path, "ann", f"tool {WORD}", "only", "shared", "allowed", "taken back")
    decide(tmp_path, "bob", "tool kept_as_it_is", "shared", "bob's")
    return {user: row["id"] for user, row in calls.items()}


def decide(tmp_path, user, reason, *seen):
    found = [DetectionHead("secret", "key", 1.0, "/m", 0, 3, "user", DIGESTS[name]) for name in seen]
    head = GovernHead("v1", "request", [DecisionHead("no-keys", "block", "enforce", True, reason)], found)
    with closing(open_database(tmp_path / "traffic.db")) as db:
        (seq,) = db.execute("select seq from requests where user = ?", (user,)).fetchone()
        governing.store(db, [Governed(seq, 1000, head)])
        db.commit()


def say(tmp_path, call, name, verdict, reason):
    with control.changing(tmp_path) as db:
        reviews.say(db, "rex", [Subject(DIGESTS[name], "secret", "key", call)], verdict, reason)


def reviewed(tmp_path):
    with control.reading(tmp_path) as db:
        found = reviews.of(db, list(DIGESTS.values()))
        return {name: (found[d].verdict, found[d].reason) for name, d in DIGESTS.items() if d in found}


def entries(tmp_path):
    with control.reading(tmp_path) as db:
        assert audit.verify(db).faults == []
        return list(audit.entries(db))


def test_reasons_go_and_verdicts_that_still_matter_stay(tmp_path, ids):
    for name, verdict in (("only", "dismissed"), ("shared", "confirmed"), ("allowed", "allowed")):
        say(tmp_path, ids["ann"], name, verdict, f"it says {WORD}")
    say(tmp_path, ids["ann"], "taken back", "dismissed", f"no: {WORD}")
    say(tmp_path, ids["ann"], "taken back", None, "")
    say(tmp_path, ids["bob"], "bob's", "dismissed", "an example")
    reviews.hand_over(tmp_path)
    forget(tmp_path, "user", "ann")
    assert holding(tmp_path) == []
    assert reviewed(tmp_path) == {
        "shared": ("confirmed", ""),
        "allowed": ("allowed", ""),
        "bob's": ("dismissed", "an example"),
    }
    assert [one.hash for one in handed.allowed_by_people(tmp_path)] == [DIGESTS["allowed"]]
    said = [
        json.loads(one["after"] or one["before"]) for one in entries(tmp_path) if one["action"] == "review"
    ]
    assert [one["verdict"] for one in said] == [
        "dismissed", "confirmed", "allowed", "dismissed", "dismissed", "dismissed",
    ]  # fmt: skip
    assert [one.get("reason") for one in said] == [None] * 5 + ["an example"]


def test_decisions_stay_in_the_log_without_their_reasons(tmp_path, ids):
    """Even those that the log did not have yet."""
    forget(tmp_path, "user", "ann")
    assert holding(tmp_path) == []
    log = entries(tmp_path)
    assert [(e["actor"], e["action"], e["subject"]) for e in log] == [
        ("rule no-keys", "decision.block", ids["ann"]),
        ("rule no-keys", "decision.block", ids["bob"]),
        ("llmitm prune", "forget", "calls of a user"),
    ]
    assert json.loads(log[0]["after"]) == {"direction": "request", "policy": "v1"}
    assert json.loads(log[1]["after"])["reason"] == "tool kept_as_it_is"
    assert json.loads(log[2]["after"]) == {"calls": 1, "entries": 1}


def test_decisions_of_later_are_taken_although_their_numbers_were_others_before(tmp_path, ids):
    forget(tmp_path, "user", "bob")
    decide(tmp_path, "ann", "later")
    with closing(open_database(tmp_path / "traffic.db")) as db:
        assert auditing.take(db, tmp_path) == 1
    assert json.loads(entries(tmp_path)[-1]["after"])["reason"] == "later"


def test_what_the_user_typed_goes_and_what_others_typed_stays(tmp_path, ids):
    (tmp_path / "policies").mkdir()
    with control.changing(tmp_path) as db:
        saved_searches.save(db, "ann", f"about {WORD}", WORD, "newest", True)
        saved_searches.save(db, "ann", "own", WORD, "newest", False)
        saved_searches.remove(db, "rex", saved_searches.of(db, "ann")[0].id, of_others=True)
        saved_searches.save(db, "bob", "mine", "zebra", "newest", False)
        preferences.save(db, "ann", Preferences(theme="dark", start=f"/-/search?q={WORD}"))
        preferences.save(db, "bob", Preferences(theme="dark"))
    rules = "rules:\n  - {id: a, action: alert, when: {user: bob}}\n"
    folder, none = tmp_path / "policies", policy_history.digest(None)
    policy_history.save(tmp_path, folder, lambda *_: [], "ann", "r.yaml", rules, "too much", none)
    forget(tmp_path, "user", "ann")
    assert holding(tmp_path) == []
    with control.reading(tmp_path) as db:
        assert saved_searches.of(db, "ann") == []
        assert [search.query for search in saved_searches.of(db, "bob")] == ["zebra"]
        assert preferences.of(db, "ann") == Preferences()
        assert preferences.of(db, "bob").theme == "dark"
    log = [(e["actor"], e["action"], e["subject"]) for e in entries(tmp_path)]
    for stays in (
        ("ann", "save search", ""),
        ("rex", "remove search", ""),
        ("bob", "save search", "mine"),
        ("ann", "set preferences", "ann"),
        ("ann", "policy", "r.yaml"),
    ):
        assert stays in log


def test_of_a_session_only_what_is_about_its_calls(tmp_path, ids):
    with control.changing(tmp_path) as db:
        saved_searches.save(db, "ann", "own", "zebra", "newest", False)
    say(tmp_path, ids["ann"], "only", "dismissed", WORD)
    session = stored(tmp_path)[ids["ann"]]["session_id"]
    forget(tmp_path, "session", session)
    assert holding(tmp_path) == []
    with control.reading(tmp_path) as db:
        assert len(saved_searches.of(db, "ann")) == 1
    assert (entries(tmp_path)[-1]["subject"], reviewed(tmp_path)) == ("calls of a session", {})


def test_doing_it_again_does_no_harm(tmp_path, ids):
    say(tmp_path, ids["ann"], "allowed", "allowed", WORD)
    forget(tmp_path, "user", "ann")
    before = entries(tmp_path)
    forget(tmp_path, "user", "ann")
    assert entries(tmp_path)[:-1] == before
    assert reviewed(tmp_path) == {"allowed": ("allowed", "")}


def test_nobody_has_to_have_a_control_db(tmp_path):
    record(tmp_path, WORD, user="ann")
    forget(tmp_path, "user", "ann")
    assert not (tmp_path / control.NAME).exists()


def test_one_of_a_newer_program_stops_it_before_anything_went(tmp_path, ids, monkeypatch):
    monkeypatch.setattr(control.migrations, "_migrations", control.migrations._migrations[:-1])
    with pytest.raises(JobError, match="newer llmitm"):
        forget(tmp_path, "user", "ann")
    assert ids["ann"] in stored(tmp_path)


def test_no_copy_is_left_between_the_rows(tmp_path, ids):
    """Neither in free space nor in the log beside the file, though a reader had both open."""
    with control.changing(tmp_path) as db:
        for n in range(140):
            saved_searches.save(
                db, "bob" if n % 3 else "ann", f"{n}", f"{WORD if not n % 3 else 'x'}{n}" * 9, "best", True
            )
            if n % 3 == 0:
                control.audit(db, "ann", "save search", f"{WORD} {n}", None, {"query": WORD * n})
    with closing(sqlite3.connect(tmp_path / control.NAME)) as reader:
        assert reader.execute("select count(*) from saved_searches").fetchone()[0] > 60
        assert any(CANARY in p.read_bytes() for p in tmp_path.glob("control.db*"))
        forget(tmp_path, "user", "ann")
        assert [p.name for p in tmp_path.glob("control.db*") if CANARY in p.read_bytes()] == []
