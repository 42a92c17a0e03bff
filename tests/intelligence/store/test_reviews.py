from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from intelligence.policy import handed
from intelligence.policy.allowed import allowed
from intelligence.policy.evidence import seen_digest
from intelligence.store import audit, control, reviews
from intelligence.store.reviews import ReviewError, Subject

KEY = b"k" * 32
SEEN = "AKIAIOSFODNN7EXAMPLE"
SUBJECT = Subject(seen_digest(KEY, "secret", SEEN), "secret", "aws_access_key", "call-1")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    control.prepare(tmp_path)
    return tmp_path


def _say(data_dir: Path, verdict: str | None, subject: Subject = SUBJECT, until: date | None = None) -> None:
    with control.changing(data_dir) as db:
        reviews.say(db, "ada", [subject], verdict, " of the \n docs ", until)
    reviews.hand_over(data_dir)


def _is_allowed(data_dir: Path, kind: str = "secret", text: str = SEEN) -> bool:
    judge = allowed(handed.allowed_by_people(data_dir), KEY)
    return bool(judge and judge(kind, "aws_access_key", text))


def test_what_is_allowed_is_in_force_until_it_is_taken_back(data_dir: Path) -> None:
    assert not _is_allowed(data_dir)
    before = handed.stamp(data_dir)
    _say(data_dir, "allowed")
    assert handed.stamp(data_dir) != before
    assert _is_allowed(data_dir)
    assert not _is_allowed(data_dir, text=SEEN + "2")
    assert not _is_allowed(data_dir, kind="pii")
    _say(data_dir, None)
    assert not _is_allowed(data_dir)


def test_what_is_confirmed_or_dismissed_is_not_allowed(data_dir: Path) -> None:
    _say(data_dir, "allowed")
    _say(data_dir, "confirmed")
    assert not _is_allowed(data_dir)
    _say(data_dir, "dismissed")
    assert not _is_allowed(data_dir)


def test_an_entry_ends(data_dir: Path) -> None:
    _say(data_dir, "allowed", until=date.today() + timedelta(days=2))
    assert _is_allowed(data_dir)
    _say(data_dir, "allowed", until=date.today() - timedelta(days=2))
    assert not _is_allowed(data_dir)


def test_who_said_what_is_audited_without_the_text(data_dir: Path) -> None:
    _say(data_dir, "allowed")
    with control.reading(data_dir) as db:
        (entry,) = control.audited(db, 10)
        said = reviews.of(db, [SUBJECT.digest])[SUBJECT.digest]
        assert reviews.reviewed(db) == {SUBJECT.digest}
        assert audit.verify(db).faults == []
    assert (entry["actor"], entry["action"], entry["subject"]) == ("ada", "review", "secret aws_access_key")
    assert (said.verdict, said.user, said.reason) == ("allowed", "ada", "of the docs")
    for path in data_dir.rglob("*"):
        assert not path.is_file() or SEEN.encode() not in path.read_bytes()


def test_a_decision_cannot_be_allowed(data_dir: Path) -> None:
    subject = reviews.subject_of_decision("call-1", "request", "no-keys")
    with pytest.raises(ReviewError):
        _say(data_dir, "allowed", subject)
    _say(data_dir, "dismissed", subject)
    with pytest.raises(ReviewError):
        _say(data_dir, "anything", subject)


def test_a_damaged_hand_over_allows_nothing(data_dir: Path) -> None:
    _say(data_dir, "allowed")
    (data_dir / "policy" / "allowed.json").write_text('{"allow": [{"hash": 3}]}')
    assert not _is_allowed(data_dir)
