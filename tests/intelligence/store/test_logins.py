from __future__ import annotations

from pathlib import Path

import pytest

from intelligence.store import accounts, control, logins
from tests.rig.passwords import cheap_passwords  # noqa: F401

GOOD = "correct horse battery"
HERE = "127.0.0.1"


class Clock:
    """The time that the code under test sees."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(logins, "now_ms", clock)
    return clock


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    control.prepare(tmp_path)
    with control.changing(tmp_path) as db:
        accounts.add(db, "test", "ana", "admin", GOOD)
        accounts.add(db, "test", "bob", "viewer", GOOD)
    return tmp_path


def log_in(data_dir: Path, name: str = "bob") -> str:
    token = logins.log_in(data_dir, name, GOOD, HERE)
    assert token
    return token


def test_a_token_stands_for_its_user(data_dir: Path) -> None:
    token = log_in(data_dir, " Bob ")
    assert logins.look(data_dir, token) == logins.Login("bob", "viewer")
    assert logins.look(data_dir, token + "x") is None
    assert logins.look(data_dir, "") is None


def test_the_token_is_not_stored(data_dir: Path) -> None:
    token = log_in(data_dir)
    stored = b"".join(path.read_bytes() for path in data_dir.iterdir())
    assert token.encode() not in stored and b"bob" in stored


def test_wrong_and_unknown_give_nothing(data_dir: Path) -> None:
    assert logins.log_in(data_dir, "bob", "wrong", HERE) is None
    assert logins.log_in(data_dir, "nobody", GOOD, HERE) is None
    assert logins.log_in(data_dir, "nobody", "nobody has this password", HERE) is None


def test_an_unknown_name_costs_the_same_work(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    hasher = accounts._hasher()

    class Counting:
        hash = hasher.hash

        def verify(self, stored: str, password: str) -> bool:
            verified.append(stored.rsplit("$", 2)[0])  # algorithm and parameters
            return hasher.verify(stored, password)

    monkeypatch.setattr(accounts, "_hasher", Counting)
    logins.log_in(data_dir, "bob", "wrong", HERE)
    logins.log_in(data_dir, "nobody", "wrong", HERE)
    assert len(verified) == 2 and verified[0] == verified[1]


def test_role_and_removal_count_at_the_next_look(data_dir: Path) -> None:
    token = log_in(data_dir)
    with control.changing(data_dir) as db:
        accounts.set_role(db, "ana", "bob", "reviewer")
    assert logins.look(data_dir, token) == logins.Login("bob", "reviewer")
    with control.changing(data_dir) as db:
        accounts.remove(db, "ana", "bob")
    assert logins.look(data_dir, token) is None


def test_another_password_ends_the_sessions(data_dir: Path) -> None:
    token = log_in(data_dir)
    with control.changing(data_dir) as db:
        accounts.set_password(db, "ana", "bob", "another " + GOOD)
    assert logins.look(data_dir, token) is None


def test_logging_out(data_dir: Path) -> None:
    here, there, other = log_in(data_dir), log_in(data_dir), log_in(data_dir, "ana")
    logins.log_out(data_dir, here)
    assert logins.look(data_dir, here) is None and logins.look(data_dir, there)
    again = log_in(data_dir)
    logins.log_out(data_dir, again, everywhere=True)
    assert logins.look(data_dir, there) is None
    assert logins.look(data_dir, other)
    with control.changing(data_dir) as db:
        logins.end_sessions(db, "ana", "ana")
    assert logins.look(data_dir, other) is None
    logins.log_out(data_dir, here)  # ended already: nothing to do


def test_a_session_ends_unused(data_dir: Path, clock: Clock) -> None:
    token = log_in(data_dir)
    clock.ms += logins.IDLE_MS - 1
    assert logins.look(data_dir, token)
    clock.ms += logins.IDLE_MS - 1
    assert logins.look(data_dir, token)
    clock.ms += logins.IDLE_MS
    assert logins.look(data_dir, token) is None


def test_a_session_in_use_ends_too(data_dir: Path, clock: Clock) -> None:
    token, began = log_in(data_dir), clock.ms
    while clock.ms + logins.IDLE_MS // 2 < began + logins.LONGEST_MS:
        clock.ms += logins.IDLE_MS // 2
        assert logins.look(data_dir, token)
    clock.ms = began + logins.LONGEST_MS
    assert logins.look(data_dir, token) is None


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_attempts_are_throttled(
    data_dir: Path, clock: Clock, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "matches", lambda stored, password: stored is not None and password == GOOD)
    for _ in range(logins.MOST_BY_BOTH):
        assert logins.log_in(data_dir, name, "wrong", HERE) is None
    with pytest.raises(logins.Throttled, match="15 minutes"):
        logins.log_in(data_dir, name, GOOD, HERE)
    with pytest.raises(logins.Throttled):  # spelt otherwise it is the same name
        logins.log_in(data_dir, name.upper(), GOOD, HERE)
    assert logins.log_in(
        data_dir, "ana", GOOD, HERE
    )  # others from there go on, as the name does from elsewhere
    assert (logins.log_in(data_dir, name, GOOD, "10.0.0.9") is not None) == (name == "bob")
    clock.ms += logins.WINDOW_MS
    assert (logins.log_in(data_dir, name, GOOD, HERE) is not None) == (name == "bob")


def test_many_names_from_one_address_and_one_name_from_many(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "matches", lambda stored, password: False)
    for n in range(logins.MOST_BY_ADDRESS):
        logins.log_in(data_dir, f"user{n}", "wrong", HERE)
    with pytest.raises(logins.Throttled):
        logins.log_in(data_dir, "ana", GOOD, HERE)
    for n in range(logins.MOST_BY_NAME):
        logins.log_in(data_dir, "bob", "wrong", f"10.0.0.{n}")
    with pytest.raises(logins.Throttled):
        logins.log_in(data_dir, "bob", GOOD, "10.0.1.1")


def test_a_success_forgives_typing_mistakes(data_dir: Path) -> None:
    for _ in range(2):
        for _ in range(logins.MOST_BY_BOTH - 1):
            logins.log_in(data_dir, "bob", "wrong", HERE)
        log_in(data_dir)


def test_log_ins_are_audited_but_not_what_was_tried(data_dir: Path) -> None:
    logins.log_in(data_dir, "my secret passphrase", "x", HERE)
    logins.log_out(data_dir, log_in(data_dir))
    with control.reading(data_dir) as db:
        assert [e["action"] for e in control.audited(db, 2)] == ["log out", "log in"]
        assert "secret" not in "\n".join(db.iterdump())
