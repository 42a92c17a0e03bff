from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from certs import authority, reissue

CERT = Path("/certs/mitmproxy-ca-cert.pem")
A = authority.constraints(["a.example"], ["127.0.0.1"])
AB = authority.constraints(["a.example", "b.example"], ["127.0.0.1"])
ANY = authority.constraints([""], ["127.0.0.1"])


@pytest.mark.parametrize(
    ("before", "now", "grew"),
    [
        (A, AB, True),
        (AB, A, False),
        (A, None, True),
        (None, A, False),
        (A, ANY, True),
        (ANY, A, False),
        (A, A, False),
    ],
)
def test_grew(before: object, now: object, grew: bool) -> None:
    assert reissue.Why(before, now, None).grew is grew  # type: ignore[arg-type]


def test_growth_warns_that_old_copies_refuse_the_new_hosts() -> None:
    message = reissue.message(reissue.Why(A, AB, None), CERT, AB)
    assert "the scope grew by b.example" in message
    assert "is refused for the new ones" in message
    assert f"put {CERT} in the old one's place" in message


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (A, ANY, "the scope grew by a pattern that could be any name"),
        (ANY, A, "the scope has no pattern any more that could be any name"),
        (AB, A, "the scope no longer needs b.example"),
    ],
)
def test_every_change_has_its_reason(before: object, now: object, reason: str) -> None:
    message = reissue.message(reissue.Why(before, now, None), CERT, now)  # type: ignore[arg-type]
    assert f"same key and name: {reason}." in message


def test_long_lists_are_cut() -> None:
    many = authority.constraints([f"h{i}.example" for i in range(9)], ["127.0.0.1"])
    message = reissue.message(reissue.Why(A, many, None), CERT, many)
    assert "h0.example, h1.example, h2.example, h3.example, h4.example and 4 more" in message


def test_the_end_of_the_old_one_is_named() -> None:
    ends = datetime.datetime(2036, 2, 3, tzinfo=datetime.UTC)
    message = reissue.message(reissue.Why(A, A, ends), CERT, A)
    assert "the old certificate ends on 2036-02-03" in message
    assert "it works until its end" in message


def test_a_foreign_ca_that_covers_the_scope_is_fine() -> None:
    wider = authority.constraints(["example"], ["127.0.0.1"])
    assert reissue.foreign(CERT, wider, AB) is None


def test_a_foreign_ca_that_leaves_hosts_out_is_said() -> None:
    message = reissue.foreign(CERT, A, AB)
    assert message
    assert "leave out b.example" in message
