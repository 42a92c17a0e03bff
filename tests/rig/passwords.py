"""Passwords that are hashed in no time, for tests that are not about hashing."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from intelligence.store import accounts

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NOBODY = CHEAP.hash("nobody has this password")


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """In force in each module that imports it."""
    monkeypatch.setattr(accounts, "_hasher", lambda: CHEAP)
    monkeypatch.setattr(accounts, "_nobody", lambda: NOBODY)
