"""What becomes of a request: passed, changed, answered; and that every way to fail goes the way the rule says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.flow import Error

from addons.govern import Message
from intelligence.detect.detection import DeadlineExceeded, Detection
from intelligence.store.journal import GovernHead
from tests.addons.governed import REDACTS, SECRET, Rig, Sees, the, told

BLOCKS = "{id: no-words, action: block, reason: not here, when: {text: {matches: forbidden}}}"


def _raise(error: Exception) -> Any:
    raise error


def test_what_no_rule_concerns_passes_untouched(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCKS)
    flow = rig.ask("hello")
    before = rig.flow("hello").request
    assert flow.response is None
    assert (flow.request.raw_content, flow.request.headers) == (before.raw_content, before.headers)
    assert told(flow) == [] and the(flow).sent is None


def test_a_blocked_request_is_answered_in_the_providers_shape(tmp_path: Path) -> None:
    flow = Rig(tmp_path, BLOCKS).ask("forbidden words")
    assert flow.response and flow.response.status_code == 403
    error = json.loads(flow.response.raw_content or b"")["error"]
    assert error["message"].startswith("no-words: not here")
    assert flow.response.headers["x-llmitm-rule"] == "no-words"
    assert flow.response.headers["x-llmitm-id"] == the(flow).text_id
    assert the(flow).answered and told(flow) == [("no-words", "block", True, False)]


@pytest.mark.parametrize(("wait", "retries"), [("5", None), ("3600", "false")])
def test_a_throttled_request_is_told_to_wait(tmp_path: Path, wait: str, retries: str | None) -> None:
    rule = f"{{id: wait, action: throttle, retry_after_s: {wait}, when: {{text: {{matches: slow}}}}}}"
    response = Rig(tmp_path, rule).ask("slow").response
    assert response and response.status_code == 429
    assert (response.headers["retry-after"], response.headers.get("x-should-retry")) == (wait, retries)


def test_only_what_is_redacted_changes(tmp_path: Path) -> None:
    body = b'{"n": 1.50, "messages":[{"role":"user","content":"it is %s \\u00e9"}], "model":"m"}'
    flow = Rig(tmp_path, REDACTS).ask(body=body % SECRET.encode(), content_length="9")
    (change,) = the(flow).governed[0].rewrites
    assert flow.request.raw_content == body % (change.after or "").encode()
    assert SECRET.encode() not in flow.request.raw_content
    assert change.before is None and the(flow).governed[0].undo == []
    assert flow.request.headers["content-length"] == str(len(flow.request.raw_content))


def test_a_compressed_body_goes_out_plain(tmp_path: Path) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": SECRET}]}).encode()
    flow = Rig(tmp_path, REDACTS).ask(body=gzip.compress(body), content_encoding="gzip")
    assert "content-encoding" not in flow.request.headers and the(flow).encoding is None
    assert b"REDACTED-SECRET-" in (flow.request.raw_content or b"")


def test_what_was_kept_from_leaving_is_not_recorded(tmp_path: Path) -> None:
    rule = REDACTS.replace("redact", "block")
    flow = Rig(tmp_path, rule).ask(f"it is {SECRET}")
    kept = the(flow).sent
    assert kept and SECRET.encode() not in kept and b"it is REDACTED-" in kept


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize(
    "instead",
    [
        lambda: _raise(ValueError("broken")),
        lambda: _raise(DeadlineExceeded()),
        lambda: [(object(), Detection("secret", "x", 7.0, 3, 1, "x"))],
        lambda: None,
    ],
    ids=["raises", "overruns", "nonsense", "nothing"],
)
@pytest.mark.parametrize("action", ["redact", "block", "throttle"])
def test_a_detector_that_fails_fails_the_rule_as_it_says(
    tmp_path: Path, action: str, instead: Any, fail: str
) -> None:
    rule = f"{{id: keys, action: {action}, fail: {fail}, when: {{detection: {{kind: secret}}}}}}"
    flow = Rig(tmp_path, rule, sees=Sees(instead)).ask(SECRET)
    if fail == "closed":
        assert flow.response and flow.response.status_code == 403
        assert told(flow) == [("keys", "block", True, True)]
        assert the(flow).sent == b""  # nobody knows what in it may rest in the record
    else:
        assert flow.response is None and told(flow) == [("keys", "alert", True, True)]
        assert SECRET.encode() in (flow.request.raw_content or b"")


def test_the_deadline_is_handed_to_the_detectors_once_for_all_rules(tmp_path: Path) -> None:
    more = REDACTS.replace("keys", "more").replace("secret}", "[secret, pii]}")
    rig = Rig(tmp_path, REDACTS, more)
    rig.ask("hello")
    assert rig.sees.asked == 2  # each kind once: pii alone the second time
    rig = Rig(_other(tmp_path), REDACTS, REDACTS.replace("keys", "again"))
    rig.ask("hello")
    assert rig.sees.asked == 1


def _other(folder: Path) -> Path:
    (folder / "other").mkdir()
    return folder / "other"


@pytest.mark.parametrize(("fail", "stopped"), [("open", False), ("closed", True)])
@pytest.mark.parametrize("body", [b'{"model": "m", "messages": [', b"\xff\xfe", b""])
def test_a_body_that_cannot_be_read(tmp_path: Path, body: bytes, fail: str, stopped: bool) -> None:
    flow = Rig(tmp_path, BLOCKS.replace("action", f"fail: {fail}, action")).ask(body=body)
    assert bool(flow.response) == stopped
    assert told(flow) == [("no-words", "block" if stopped else "alert", True, True)]


@pytest.mark.parametrize(
    ("mode", "fail", "stopped"),
    [("enforce", "closed", True), ("enforce", "open", False), ("shadow", "closed", False)],
)
def test_an_error_of_our_own_goes_as_enforced_rules_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, fail: str, stopped: bool
) -> None:
    rig = Rig(tmp_path, BLOCKS.replace("action", f"mode: {mode}, fail: {fail}, action"))
    # A rule in shadow mode that looks at texts is the worker's; this one keeps the proxy asking.
    monkeypatch.setattr(rig.govern, "facts", lambda *_: _raise(RuntimeError("bug")))
    rig.govern.in_force()
    rig.govern._rules = rig.policies.in_force.compiled.rules
    flow = rig.ask("forbidden")
    assert bool(flow.response) == stopped
    if stopped:
        assert flow.response and b"fails closed" in (flow.response.raw_content or b"")
        assert told(flow) == [("no-words", "block", True, True)]


def test_a_body_too_large_to_be_held_is_judged_by_its_head(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "{id: no-host, action: block, when: {host: api.openai.com}}")
    flow = rig.flow("hello")
    flow.request.stream = True
    rig.govern.requestheaders(flow)
    assert flow.response is None and flow.error and flow.error.msg == Error.KILLED_MESSAGE
    assert told(flow) == [("no-host", "block", True, False)]


def test_the_kill_switch_stops_everything_without_a_rule(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCKS)
    rig.panic("block")
    flow = rig.ask("hello")
    assert flow.response and b"panic: all requests are stopped: a key is out" in (
        flow.response.raw_content or b""
    )
    assert told(flow) == [("panic", "block", True, False)]


@pytest.mark.parametrize("text", ["forbidden", SECRET])
def test_observing_does_nothing_and_tells_all(tmp_path: Path, text: str) -> None:
    rig = Rig(tmp_path, BLOCKS, REDACTS)
    rig.panic("observe")
    flow = rig.ask(text)
    assert flow.response is None and flow.request.raw_content == rig.flow(text).request.raw_content
    assert [(action, acts) for _, action, acts, _ in told(flow)] in ([("block", False)], [("redact", False)])


def test_an_error_while_observing_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, BLOCKS.replace("action", "fail: closed, action"))
    rig.panic("observe")
    monkeypatch.setattr(rig.govern, "facts", lambda *_: _raise(RuntimeError("bug")))
    assert rig.ask("forbidden").response is None


def test_what_is_signed_is_blocked_instead_of_rewritten(tmp_path: Path) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": SECRET}]}).encode()
    flow = Rig(tmp_path, REDACTS).ask(body=body, signature_input='sig1=("content-digest")')
    assert flow.response and flow.response.status_code == 403
    assert flow.request.raw_content == body


def test_how_many_are_open_is_counted_until_they_end(tmp_path: Path) -> None:
    rule = "{id: two, action: throttle, when: {concurrent: '>= 2'}}"
    rig = Rig(tmp_path, rule)
    one, two = (rig.ask(str(n), authorization="Bearer sk-1") for n in range(2))
    assert rig.ask("three", authorization="Bearer sk-1").response
    assert not rig.ask("three", authorization="Bearer sk-2").response
    rig.govern.response(one)
    rig.govern.error(one)  # ended once
    again = rig.ask("four", authorization="Bearer sk-1")
    assert not again.response
    assert rig.ask("five", authorization="Bearer sk-1").response
    for flow in (two, again):
        rig.govern.error(flow)
    assert sum(rig.govern.open.values()) == 1  # that of the other key


def test_another_set_of_rules_counts_from_the_next_request_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCKS)
    assert rig.ask("forbidden").response
    other = Rig(_other(tmp_path), REDACTS)
    rig.policies.in_force = other.policies.in_force
    assert rig.ask("forbidden").response is None


# --- on a WebSocket ---------------------------------------------------------------------------------------------


def _message(rig: Rig, text: str) -> tuple[Message | None, list[GovernHead]]:
    flow = rig.flow(body=b"{}")
    rig.identify.requestheaders(flow)
    content = json.dumps({"type": "response.create", "model": "m", "input": text}).encode()
    return rig.govern.message(flow, the(flow), content), the(flow).governed


def test_messages_are_requests_of_their_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BLOCKS, REDACTS.replace("action", "reversible: true, action"))
    assert _message(rig, "hello") == (None, [])
    refused, heads = _message(rig, "forbidden")
    assert refused and refused.refused == (403, "no-words: not here") and heads[0].decisions[0].acted
    changed, _ = _message(rig, SECRET)
    assert changed and changed.body and SECRET.encode() not in changed.body
    assert list(changed.restores.values()) == [SECRET] and SECRET not in repr(changed)


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_message_that_cannot_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str) -> None:
    rig = Rig(tmp_path, BLOCKS.replace("action", f"fail: {fail}, action"))
    monkeypatch.setattr(rig.govern, "facts", lambda *_: _raise(RuntimeError("bug")))
    outcome, heads = _message(rig, "hello")
    assert bool(outcome and outcome.refused) == (fail == "closed")
    assert bool(heads) == (fail == "closed")
    rig.panic("observe")
    assert _message(rig, "hello") == (None, [])
