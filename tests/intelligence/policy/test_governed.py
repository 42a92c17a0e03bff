from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from intelligence.policy import governed
from intelligence.policy.decide import Decision
from intelligence.policy.facts import Facts, Found, Standing
from intelligence.policy.match import Held
from intelligence.policy.rule import Rule
from intelligence.policy.verdict import Verdict, verdict
from intelligence.rewrite.apply import apply
from intelligence.store.spending import GONE
from intelligence.wire.places import places
from tests.intelligence.policy.rules import rule
from tests.intelligence.policy.test_evidence import _evidence

KEY = bytes(32)
SECRET = "tok-123456"
VALUE = {"model": "m", "messages": [{"role": "user", "content": f"use {SECRET} now"}]}
BODY = json.dumps(VALUE).encode()
(PLACE,) = [place for place in places("openai-chat", "chat", "", VALUE) if SECRET in place.text]
FOUND = Found(PLACE, 4, 4 + len(SECRET), "secret", "token", 0.9)


def _judged(action: str = "redact", kind: str = "secret", **more: Any) -> Verdict:
    found = Found(PLACE, FOUND.start, FOUND.end, kind, "token", 0.9)
    return verdict([Decision(rule("r", action, **more), action, True, Held(found=[found]))], KEY)


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_written_down_holds_a_kept_original_only(keep: bool) -> None:
    judged = _judged(keep_original=keep)
    rewritten = apply(BODY, judged.rewrites)
    assert SECRET.encode() not in rewritten.body
    head = governed.head(KEY, "v", "request", judged, rewritten)
    written = msgspec.msgpack.encode(head)
    assert (SECRET.encode() in written) == keep
    assert [(one.rule, one.action, one.acted) for one in head.decisions] == [("r", "redact", True)]
    assert [(one.pointer, one.before) for one in head.rewrites] == [(PLACE.pointer, SECRET if keep else None)]
    assert bool(head.undo) == keep
    (seen,) = head.detections
    assert (seen.kind, seen.pointer, seen.start, seen.rule) == ("secret", PLACE.pointer, 4, "r")


@pytest.mark.parametrize("kind", sorted(governed.KEPT_OUT))
def test_what_stopped_a_request_is_not_in_its_record(kind: str) -> None:
    kept = governed.without_secrets(KEY, BODY, _judged("block", kind))
    assert kept is not None
    assert SECRET.encode() not in kept
    assert json.loads(kept)["model"] == "m"


def test_other_requests_that_were_stopped_are_recorded_as_they_came() -> None:
    assert governed.without_secrets(KEY, BODY, _judged("block", "injection")) is None


def _failed(one: Rule, found: list[Found]) -> Verdict:
    return verdict([Decision(one, "block", True, Held(found=found), failed="DeadlineExceeded")], KEY)


def test_of_a_body_that_could_not_be_judged_nothing_is_recorded() -> None:
    secrets, personal = ({"detection": {"kind": kind}} for kind in ("secret", ["content", "pii"]))
    for one in (
        rule("r", "block", when=secrets),
        rule("r", "throttle", when={"not": personal}),
        rule("r", "redact"),
    ):
        assert governed.without_secrets(KEY, BODY, _failed(one, [])) == b""
    attacks = rule("r", "block", when={"detection": {"kind": "injection"}})
    assert governed.without_secrets(KEY, BODY, _failed(attacks, [])) is None
    assert governed.without_secrets(KEY, BODY, _failed(rule("r", "redact"), [FOUND])) not in (None, b"")


def test_of_a_body_that_cannot_be_edited_nothing_is_recorded() -> None:
    assert governed.without_secrets(KEY, b"{" + BODY, _judged("block")) == b""


@pytest.mark.parametrize(("fail", "action"), [("closed", "block"), ("open", "alert")])
def test_a_refused_edit_fails_as_its_rule_says(fail: str, action: str) -> None:
    judged = _judged(fail=fail)
    rewritten = apply(b"no json", judged.rewrites)
    assert rewritten.refused
    after = governed.refused(judged, rewritten)
    assert [(one.action, bool(one.failed)) for one in after.decisions] == [(action, True)]
    assert after.answered == (action == "block")


def test_a_soft_limit_tells_and_does_nothing() -> None:
    soft = Decision(
        rule("r", "throttle"), "alert", True, Held(standings=[Standing(8, 10, False, 1, True)]), soft=True
    )
    head = governed.decision_head(soft)
    assert (head.action, head.mode, head.acted) == ("alert", "alert", False)


@pytest.mark.parametrize(
    ("more", "asked"),
    [({}, None), ({"max_tokens": 7}, 7), ({"max_completion_tokens": 9}, 9), ({"max_tokens": "many"}, None),
     ({"generationConfig": {"maxOutputTokens": 5}}, 5)],
)  # fmt: skip
def test_how_large_a_call_is(more: dict[str, Any], asked: int | None) -> None:
    body = json.dumps(VALUE | more).encode()
    facts = Facts(_evidence(body))
    governed.measure(facts, body)
    assert (facts.body_bytes, facts.prompt_tokens) == (len(body), len(body) // 4)
    assert facts.evidence.max_tokens() == asked


def test_what_is_never_rewritten() -> None:
    mine = Facts(GONE, provider="anthropic", credential="oauth")
    assert governed.frozen(mine, ()) == "nothing is rewritten in subscription traffic"
    signed = [(b"Authorization", b"AWS4-HMAC-SHA256 Credential=x")]
    assert governed.frozen(Facts(GONE, provider="bedrock"), signed) == "signed by AWS Signature Version 4"
    assert governed.frozen(Facts(GONE, provider="anthropic", credential="api_key"), ()) is None
