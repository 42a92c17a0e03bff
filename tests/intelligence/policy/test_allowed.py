from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from intelligence.policy.allowed import allowed
from intelligence.policy.evidence import seen_digest
from intelligence.policy.rule import Allowance

KEY = bytes(range(32))
DAY = date(2026, 3, 31)


def test_nothing_allowed_is_nothing_to_ask() -> None:
    assert allowed([], KEY) is None


def test_by_text_and_by_digest() -> None:
    digest = seen_digest(KEY, "secret", "AKIAEXAMPLE")
    ask = allowed([Allowance(value="doc-key", kind="secret", type=["aws_*"]), Allowance(hash=digest)], KEY)
    assert ask
    assert ask("secret", "aws_key", "doc-key")
    assert not ask("secret", "github_token", "doc-key")
    assert not ask("pii", "aws_key", "doc-key")
    assert ask("secret", "anything", "AKIAEXAMPLE")
    assert not ask("pii", "anything", "AKIAEXAMPLE")  # the digest is of the kind too
    assert not ask("secret", "aws_key", "doc-key2")


@given(st.integers(-5, 5))
def test_until_is_the_last_day(days: int) -> None:
    ask = allowed([Allowance(value="x", until=DAY)], KEY, lambda: DAY + timedelta(days))
    assert ask
    assert ask("secret", "any", "x") == (days <= 0)


@given(st.text(), st.binary(min_size=32, max_size=32))
def test_another_installations_digest_allows_nothing(text: str, other: bytes) -> None:
    ask = allowed([Allowance(hash=seen_digest(other, "secret", text))], KEY)
    assert ask
    assert ask("secret", "any", text) == (other == KEY)
