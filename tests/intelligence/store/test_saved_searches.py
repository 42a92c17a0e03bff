import pytest

from intelligence.store import accounts, control, saved_searches
from intelligence.store.saved_searches import MOST, SavedSearchError, of, remove, save
from tests.rig.passwords import cheap_passwords  # noqa: F401


@pytest.fixture
def db(tmp_path):
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        yield db


def kept(db, user: str) -> list[tuple[str, str, str]]:
    return [(s.user, s.name, s.query) for s in of(db, user)]


def actions(db) -> list[tuple[str, str, str]]:
    return [(e["actor"], e["action"], e["subject"]) for e in reversed(control.audited(db, 100))]


def test_ones_own_and_what_others_share(db):
    save(db, "ada", "zebra", "model:gpt-5", "newest", False)
    save(db, "ada", "  Dear \n ones ", "cost>1", "best", True)
    save(db, "bob", "mine", "x", "newest", False)
    assert kept(db, "ada") == [("ada", "Dear ones", "cost>1"), ("ada", "zebra", "model:gpt-5")]
    assert kept(db, "bob") == [("bob", "mine", "x"), ("ada", "Dear ones", "cost>1")]
    assert [(s.sort, s.shared) for s in of(db, "ada")] == [("best", True), ("newest", False)]


def test_the_same_name_is_replaced_and_written_down_when_it_changes(db):
    for query in ("a", "b", "b"):
        save(db, "ada", "one", query, "newest", False)
    assert kept(db, "ada") == [("ada", "one", "b")]
    assert actions(db) == [("ada", "save search", "one")] * 2
    (entry, _) = control.audited(db, 2)
    assert '"query": "a"' in entry["before"] and '"query": "b"' in entry["after"]


def test_who_may_remove_what(db):
    save(db, "ada", "own", "a", "newest", False)
    save(db, "ada", "shared", "b", "newest", True)
    own, shared = (s.id for s in of(db, "ada"))
    for id_, more in ((own, {}), (shared, {}), (own, {"of_others": True}), (999, {"of_others": True})):
        with pytest.raises(SavedSearchError, match="not there any more"):
            remove(db, "bob", id_, **more)
    remove(db, "bob", shared, of_others=True)
    remove(db, "ada", own)
    assert of(db, "ada") == []
    assert actions(db)[2:] == [("bob", "remove search", "shared"), ("ada", "remove search", "own")]


@pytest.mark.parametrize(
    ("name", "query", "sort"),
    [("", "a", "newest"), (" ", "a", "newest"), ("n" * 81, "a", "newest"), ("n", " ", "newest"), ("n", "q" * 501, "best"),
     ("n", "a", "oddest")],
)  # fmt: skip
def test_what_cannot_be_kept(db, name, query, sort):
    with pytest.raises(SavedSearchError):
        save(db, "ada", name, query, sort, False)
    assert of(db, "ada") == [] and actions(db) == []


def test_there_is_an_end(db, monkeypatch):
    monkeypatch.setattr(saved_searches, "MOST", 2)
    for name in ("a", "b"):
        save(db, "ada", name, "x", "newest", False)
    with pytest.raises(SavedSearchError, match="already"):
        save(db, "ada", "c", "x", "newest", False)
    save(db, "ada", "b", "y", "newest", False)
    assert MOST >= 100


def test_they_go_with_their_user(db):
    accounts.add(db, "test", "root", "admin", "correct horse battery")
    accounts.add(db, "test", "ada", "viewer", "correct horse battery")
    save(db, "ada", "shared", "x", "newest", True)
    accounts.remove(db, "test", "ada")
    assert of(db, "root") == []
