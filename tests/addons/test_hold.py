"""What becomes of an answer: left alone, held, changed, ended; whole or in pieces, and whatever fails."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.net.encoding import encode

from addons.hold import MAX_WHOLE_BYTES
from intelligence.wire.registry import Target
from tests.addons.governed import SECRET, Rig, Sees, fields_of, said, streamed, the, told
from tests.intelligence.policy.streams import chat, heard

BLOCKS = "{id: no-words, action: block, %s when: {direction: response, text: {matches: unspeakable}}}"
REDACTS = "{id: keys, action: redact, when: {direction: response, detection: {kind: secret}}}"
OTHERS = (
    "{id: others, action: block, fail: closed, when: {direction: response, model: x-*, text: {matches: .}}}"
)


STREAM = chat(["some ", "words ", "that take ", "their place"], [])


def _raise(*_: Any) -> Any:
    raise RuntimeError("bug")


def _blocks(fail: str = "open") -> str:
    return BLOCKS % f"fail: {fail},"


@pytest.mark.parametrize("rules", [(), (OTHERS,), (REDACTS.replace("redact", "alert"),)])
def test_an_answer_that_no_acting_rule_concerns_is_not_touched(tmp_path: Path, rules: tuple[str]) -> None:
    rig = Rig(tmp_path, *rules)
    flow = rig.ask()
    response = rig.answer(flow, content_encoding="gzip", content_length="12")
    assert not response.stream and response.headers["content-length"] == "12"
    assert rig.whole(rig.ask(), b"{damaged").raw_content == b"{damaged"
    assert told(flow) == [] and rig.sees.asked == 0


@pytest.mark.parametrize("status", [301, 400, 500])
def test_errors_of_the_provider_pass(tmp_path: Path, status: int) -> None:
    rig = Rig(tmp_path, _blocks("closed"))
    assert not rig.answer(rig.ask(), status).stream


def test_a_blocked_stream_ends_with_an_error_before_what_is_blocked(tmp_path: Path) -> None:
    rig = Rig(tmp_path, _blocks())
    flow = rig.ask()
    stream = chat(["so far ", "so good, ", "but unspeak", "able words"], [])
    out = streamed(rig.answer(flow), stream[:300], stream[300:])
    assert b"unspeak" not in out and b"no-words" in out and out.endswith(b"\n\n")
    assert the(flow).over and the(flow).answered
    rig.hold.response(flow)
    assert told(flow) == [("no-words", "block", True, False)]


def test_a_compressed_stream_is_read_and_leaves_plain(tmp_path: Path) -> None:
    rig = Rig(tmp_path, REDACTS)
    response = rig.answer(rig.ask(), content_encoding="gzip")
    assert "content-encoding" not in response.headers
    packed = gzip.compress(chat([f"it is {SECRET}."], []))
    out = streamed(response, packed[:20], packed[20:])
    assert SECRET.encode() not in out and heard("sse", out)[0].startswith("it is REDACTED-SECRET-")


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_damaged_encoding_cannot_be_judged(tmp_path: Path, fail: str) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask()
    out = streamed(rig.answer(flow, content_encoding="gzip"), gzip.compress(STREAM)[:-8] + b"\0" * 8, b"more")
    assert (b"no-words" in out) == (fail == "closed")
    rig.hold.response(flow)
    assert told(flow) == [("no-words", "block" if fail == "closed" else "alert", True, True)]


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize(
    "headers",
    [
        {"content_encoding": "unheard-of"},
        {"content_type": "application/octet-stream"},
        {"content_type": "application/json", "content_length": str(MAX_WHOLE_BYTES + 1)},
    ],
    ids=["encoding", "type", "size"],
)
def test_what_cannot_be_held_goes_as_the_rule_says(
    tmp_path: Path, headers: dict[str, str], fail: str
) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask(body=b'{"model": "m", "messages": []}')
    response = rig.answer(flow, **headers)
    if fail == "open":
        assert not response.stream and told(flow) == [("no-words", "alert", True, True)]
        return
    assert response.status_code == 403 and response.headers["x-llmitm-rule"] == "no-words"
    out = streamed(response, b"whatever", b"comes")
    assert json.loads(out)["error"]["message"].startswith("no-words: ") and the(flow).over
    assert told(flow) == [("no-words", "block", True, True)]


def test_no_more_than_the_bound_is_held_back(tmp_path: Path) -> None:
    bound = 200
    rule = _blocks().replace("action", f"hold_bytes: {bound}, action")
    rig = Rig(tmp_path, rule)
    response = rig.answer(rig.ask())
    assert callable(response.stream)
    left, words = b"", [f"word {n:03} " for n in range(200)]
    events = chat(words, []).split(b"\n\n")[:-2]
    for n, event in enumerate(events):
        left += b"".join(response.stream(event + b"\n\n"))
        held = "".join(words[: max(n - 1, 0)])[len(heard("sse", left)[0]) :]
        assert len(held) <= bound + len(words[0])  # an event leaves whole
    assert heard("sse", left)[0]


CALLS = "{id: no-rm, action: block, fail: closed, when: {%s}}"


@pytest.mark.parametrize(
    ("when", "held"),
    [
        ('tool: {name: Bash, arguments: "rm -rf"}', False),
        ("tool: {name: Bash}, text: {source: tool_call, matches: rm}", False),
        ("detection: {kind: command}", False),
        ("direction: response, detection: {kind: [command, secret], source: tool_call}", False),
        ("direction: response, text: {matches: rm}", True),
        ("direction: response, text: {role: assistant, matches: rm}", True),
        ("direction: response, text: {role: tool, matches: rm}", False),
        ("detection: {kind: [command, exfiltration]}", True),
        ("any: [{tool: {name: Bash}}, {not: {text: {matches: fine}}}]", True),
    ],
    ids=range(9),
)
def test_words_wait_only_for_a_rule_that_reads_them(tmp_path: Path, when: str, held: bool) -> None:
    """A rule about calls does not make a stream stutter; the calls themselves wait."""
    rig = Rig(tmp_path, CALLS % when)
    response = rig.answer(rig.ask())
    assert callable(response.stream)
    events = chat(["one ", "two "], ['{"c": ', '"ls"}']).split(b"\n\n")
    out = b"".join(response.stream(b"\n\n".join(events[:4]) + b"\n\n"))
    assert (b"two" in out) != held
    response.stream(events[4] + b"\n\n")  # the call begins
    assert response.stream(events[5] + b"\n\n") == []


@pytest.mark.parametrize("at", [0, 3, 40])
def test_a_stream_cut_off_leaves_what_was_judged(tmp_path: Path, at: int) -> None:
    """At an event's border and inside of one: the client has what the provider sent, no more and no less."""
    rig = Rig(tmp_path, _blocks())
    stream = chat(["fine ", "words"], [])
    cut = stream[: stream.index(b"words") + at] if at else b"".join(stream.partition(b"\n\n")[:2])
    assert streamed(rig.answer(rig.ask()), cut) == cut


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_event_that_cannot_be_read(tmp_path: Path, fail: str) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask()
    broken = b'data: {"choices": [{"delta": {"content": "unspeakable"\n\n'
    out = streamed(rig.answer(flow), STREAM[:-14] + broken + STREAM[-14:])
    assert (b"unspeakable" in out) == (fail == "open")
    rig.hold.response(flow)
    assert told(flow) == [("no-words", "block" if fail == "closed" else "alert", True, True)]


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_detector_that_raises_in_a_stream(tmp_path: Path, fail: str) -> None:
    rule = REDACTS.replace("action", f"fail: {fail}, action")
    rig = Rig(tmp_path, rule, sees=Sees(_raise))
    flow, stream = rig.ask(), chat(["some ", "words"], [])
    out = streamed(rig.answer(flow), stream)
    assert (out == stream) == (fail == "open")
    assert (b"words" in out) == (fail == "open")
    rig.hold.response(flow)
    assert told(flow) == [("keys", "block" if fail == "closed" else "alert", True, True)]


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_error_of_our_own_at_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask()
    monkeypatch.setattr(rig.hold, "_facts", _raise)
    response = rig.answer(flow)
    assert (response.status_code == 403) == bool(response.stream) == (fail == "closed")
    assert told(flow) == [("no-words", "block" if fail == "closed" else "alert", True, True)]


# --- whole answers --------------------------------------------------------------------------------------------


def test_a_whole_answer_is_blocked_or_changed_before_it_leaves(tmp_path: Path) -> None:
    rig = Rig(tmp_path, _blocks(), REDACTS)
    flow = rig.ask()
    rig.whole(flow, said("an unspeakable thing"))
    assert flow.response and flow.response.status_code == 403
    assert b"unspeak" not in (flow.response.raw_content or b"")
    body = encode(said(f"it is {SECRET}"), "gzip")
    response = rig.whole(rig.ask(), body, content_encoding="gzip")
    assert "content-encoding" not in response.headers
    assert b"REDACTED-SECRET-" in (response.raw_content or b"")
    fine = said("all is well")
    assert rig.whole(rig.ask(), fine).raw_content == fine


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize("body", [b"{damaged", said("unspeakable")[:-2], b"", b"<html>"], ids="abcd")
def test_a_whole_answer_that_cannot_be_read(tmp_path: Path, body: bytes, fail: str) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask()
    rig.whole(flow, body)
    assert flow.response
    assert (flow.response.status_code == 403) == (fail == "closed")
    assert fail == "closed" or flow.response.raw_content == body
    assert told(flow) == [("no-words", "block" if fail == "closed" else "alert", True, True)]


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_error_of_our_own_over_a_whole_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str
) -> None:
    rig = Rig(tmp_path, _blocks(fail))
    flow = rig.ask()
    monkeypatch.setattr(rig.hold, "_whole", _raise)
    rig.whole(flow, said("hello"))
    assert flow.response
    assert (flow.response.status_code == 403) == (fail == "closed")
    assert told(flow) == [("no-words", "block" if fail == "closed" else "alert", True, True)]


def test_a_stream_that_was_announced_as_a_whole(tmp_path: Path) -> None:
    rig = Rig(tmp_path, _blocks(), REDACTS)
    response = rig.whole(rig.ask(), chat([f"it is {SECRET}"], []))
    assert heard("sse", response.raw_content or b"")[0].startswith("it is REDACTED-")
    flow = rig.ask()
    rig.whole(flow, chat(["unspeakable"], []))
    assert flow.response and flow.response.status_code == 403


# --- at once, and not at all ----------------------------------------------------------------------------------


def test_a_rule_that_looks_at_no_text_acts_on_the_head(tmp_path: Path) -> None:
    rule = "{id: wait, action: throttle, retry_after_s: 9, when: {direction: response, model: m}}"
    rig = Rig(tmp_path, rule)
    response = rig.answer(rig.ask())
    assert response.status_code == 429 and response.headers["retry-after"] == "9"


@pytest.mark.parametrize("mode", ["observe", "block"])
def test_under_the_kill_switch_nothing_is_held(tmp_path: Path, mode: str) -> None:
    rig = Rig(tmp_path, _blocks("closed"))
    flow = rig.ask()
    rig.panic(mode)
    assert not rig.answer(flow).stream
    assert rig.hold.screen(flow, the(flow)) is None


def test_what_a_socket_says_is_screened_by_the_same_rules(tmp_path: Path) -> None:
    rig = Rig(tmp_path, _blocks())
    flow = rig.ask(target=Target("openai", "realtime", "openai-realtime"))
    assert not rig.answer(flow).stream  # message by message
    assert rig.hold.screen(flow, the(flow)) is not None
    assert Rig(_other(tmp_path), OTHERS).hold.screen(flow, the(flow)) is None


def _other(folder: Path) -> Path:
    (folder / "other").mkdir()
    return folder / "other"


def test_another_answer_in_its_place_is_judged_as_the_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path, _blocks())
    flow = rig.ask()
    flow.response = rig.answer(flow)
    flow.response.headers = fields_of({"content_type": "application/json"})
    flow.response.raw_content = said("an unspeakable thing")
    rig.hold.whole_again(flow, the(flow))
    rig.hold.response(flow)
    assert flow.response.status_code == 403


@pytest.mark.parametrize("hook", ["error", "done"])
def test_what_was_decided_is_told_however_it_ends(tmp_path: Path, hook: str) -> None:
    rig = Rig(tmp_path, REDACTS)
    flow = rig.ask()
    response = rig.answer(flow)
    assert callable(response.stream)
    response.stream(chat([f"it is {SECRET} and more"], []))
    assert told(flow) == []
    rig.hold.done() if hook == "done" else rig.hold.error(flow)
    assert told(flow) == [("keys", "redact", True, False)]
    assert not rig.hold._open
