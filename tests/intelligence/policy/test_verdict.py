from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.policy.decide import Decision
from intelligence.policy.facts import Found
from intelligence.policy.match import Held
from intelligence.policy.verdict import verdict
from intelligence.wire.place import Place
from tests.intelligence.policy.rules import rule

KEY = bytes(32)
PLACE = Place("/messages/0/content", "user", "user", "my secret is out")
FOUND = Found(PLACE, 3, 9, "secret", "word", 1.0)


def _said(action: str, acts: bool = True, found: bool = True, **more: Any) -> Decision:
    return Decision(rule(action, action, **more), action, acts, Held(found=[FOUND] if found else []))


def test_a_redaction_becomes_an_edit_and_the_original_is_not_kept() -> None:
    judged = verdict([_said("redact")], KEY)
    ((edit,),) = [rewrite.edits for rewrite in judged.rewrites]
    assert (edit.pointer, edit.start, edit.end) == ("/messages/0/content", 3, 9)  # type: ignore[union-attr]
    assert "secret" not in getattr(edit, "text", "secret")
    assert (judged.answered, judged.keep_original, judged.restores, judged.if_rejected) == (
        False,
        False,
        {},
        False,
    )


def test_what_a_rule_says_of_its_redaction() -> None:
    judged = verdict([_said("redact", reversible=True, keep_original=True, if_rejected="original")], KEY)
    assert list(judged.restores.values()) == ["secret"]
    assert judged.keep_original and judged.if_rejected
    both = verdict([_said("redact", keep_original=True, if_rejected="original"), _said("redact")], KEY)
    assert not both.keep_original and not both.if_rejected  # the stricter of two


@pytest.mark.parametrize("instead", ["block", "alert"])
def test_where_nothing_may_be_rewritten_the_rule_says_what_is_done(instead: str) -> None:
    judged = verdict([_said("redact", observe_only=instead)], KEY, frozen="signed")
    assert judged.rewrites == []
    assert judged.answered == (instead == "block")
    assert [(one.action, one.failed) for one in judged.decisions] == [(instead, "signed")]


@pytest.mark.parametrize("action", ["block", "throttle", "allow"])
def test_the_first_terminal_decision_ends_it(action: str) -> None:
    judged = verdict([_said("redact"), _said(action), _said("block")], KEY)
    assert judged.final and judged.final.action == action
    assert judged.answered == (action != "allow")
    assert len(judged.rewrites) == 1
    assert len(judged.decisions) == 2


@given(st.lists(st.sampled_from(["allow", "alert", "redact", "block", "throttle"])), st.booleans())
def test_observed_or_in_shadow_nothing_is_done(actions: list[str], observe: bool) -> None:
    judged = verdict([_said(action, acts=observe) for action in actions], KEY, observe=observe)
    assert not judged.answered and judged.rewrites == [] and judged.restores == {}
    assert [one.action for one in judged.decisions] == actions
    assert not any(one.acts for one in judged.decisions)
