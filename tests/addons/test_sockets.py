"""Messages of a WebSocket: dropped, changed, answered; what is dropped is heard of by nobody, the record included."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.exceptions import AddonHalt
from mitmproxy.http import HTTPFlow
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons import sockets
from addons.call import Call
from addons.patches import Several
from addons.sockets import MAX_VALUES, Sockets
from intelligence.wire.registry import Target
from tests.addons.governed import SECRET, Rig, the, told

RESPONSES = Target("openai", "responses", "openai-responses")
BLOCKS = "{id: no-words, action: block, reason: not here, when: {text: {matches: forbidden, source: user}}}"
CLOSED = BLOCKS.replace("action", "fail: closed, action")
UNREADABLE = {
    "words": b"words",
    "damaged": b'{"type": "response.create", "input": "forbidden"',
    "bytes": b"\x00\xff",
    "string": b'"forbidden"',
}
ENDS = "{id: no-talk, action: block, %s when: {direction: response, text: {matches: unspeakable}}}"
REVERSIBLE = "{id: keys, action: redact, reversible: true, when: {detection: {kind: secret}}}"


class Recorded:
    """What reaches the record besides the messages that pass."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.told = 0

    def governed(self, call: Call) -> None:
        self.told += 1

    def said(self, call: Call, data: bytes, *, is_text: bool) -> None:
        self.lines.append(data)


class Talk:
    """A client, its socket, and a provider. `injected` is what the proxy tells the client by itself."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rig = rig
        self.record = Recorded()
        self.sockets = Sockets(rig.policies, rig.govern, rig.hold, self.record)  # type: ignore[arg-type]
        self.flow: HTTPFlow = rig.flow(body=b"", target=RESPONSES)
        rig.identify.requestheaders(self.flow)
        self.flow.websocket = WebSocketData()
        self.injected: list[dict[str, Any]] = []
        self.hung_up: list[set[str]] = []
        commands = SimpleNamespace(call=self._inject)
        monkeypatch.setattr(sockets, "ctx", SimpleNamespace(master=SimpleNamespace(commands=commands)))
        monkeypatch.setattr(sockets, "hang_up", self.hung_up.append)
        self.sockets.websocket_start(self.flow)

    def _inject(self, name: str, flow: HTTPFlow, to_client: bool, data: bytes, is_text: bool) -> None:
        assert (name, to_client, is_text) == ("inject.websocket", True, True)
        self.injected.append(json.loads(data))

    def message(self, said: Any, *, from_client: bool, injected: bool = False) -> WebSocketMessage:
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        message = WebSocketMessage(Opcode.TEXT, from_client, data, injected=injected)
        assert self.flow.websocket
        self.flow.websocket.messages.append(message)
        self.sockets.websocket_message(self.flow)
        return message

    def ask(self, text: str) -> WebSocketMessage:
        return self.message({"type": "response.create", "model": "m", "input": text}, from_client=True)

    def hear(self, kind: str, **more: Any) -> WebSocketMessage:
        return self.message({"type": kind, "item_id": "m1", **more}, from_client=False)

    def words(self, *words: str) -> list[WebSocketMessage]:
        spot = {"output_index": 0, "content_index": 0}
        return [self.hear("response.output_text.delta", **spot, delta=word) for word in words]


def _talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rules: str) -> Talk:
    return Talk(Rig(tmp_path, *rules), monkeypatch)


def test_a_socket_no_rule_concerns_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = _talk(tmp_path, monkeypatch)
    monkeypatch.setattr(sockets, "decode", lambda _: pytest.fail("it was read"))
    for said in (b"{}", b"\xff", b'{"type": "response.create"}'):
        for from_client in (True, False):
            assert talk.message(said, from_client=from_client).content == said
    assert talk.record.told == 0 and talk.record.lines == []


@pytest.mark.parametrize("said", [b"", b"[1]", b'{"type": "x"}'], ids=["nothing", "list", "event"])
def test_what_says_nothing_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    talk = _talk(tmp_path, monkeypatch, CLOSED, ENDS % "fail: closed,")
    for from_client in (True, False):
        message = talk.message(said, from_client=from_client)
        assert message.content == said and not message.dropped
    assert told(talk.flow) == []


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_a_message_that_cannot_be_read_fails_as_the_rule_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    talk = _talk(tmp_path, monkeypatch, BLOCKS)
    message = talk.message(said, from_client=True)
    assert message.content == said and not message.dropped and not talk.injected
    assert told(talk.flow) == [("no-words", "alert", True, True)]
    (tmp_path / "closed").mkdir()
    talk = _talk(tmp_path / "closed", monkeypatch, CLOSED)
    assert talk.message(said, from_client=True).dropped
    assert told(talk.flow) == [("no-words", "block", True, True)] and talk.record.told == 1
    (answer,) = talk.injected
    assert answer["type"] == "error" and "no-words" in answer["error"]["message"]
    assert not talk.ask("a fine question").dropped  # the conversation goes on


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_a_rule_that_needs_no_text_reads_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    rule = "{id: m, action: block, fail: closed, when: {%s: m}}"
    for number, (looks_at, dropped) in enumerate([("model", True), ("user", False)]):
        (tmp_path / str(number)).mkdir()
        talk = _talk(tmp_path / str(number), monkeypatch, rule % looks_at)
        the(talk.flow).head.model = "m"  # type: ignore[union-attr]
        assert talk.message(said, from_client=True).dropped == dropped


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_with_what_cannot_be_read_fails_as_the_rule_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    talk = _talk(tmp_path, monkeypatch, ENDS % "")
    message = talk.message(said, from_client=False)
    assert message.content == said and talk.record.lines == []  # the record takes it as any that passes
    talk.sockets.websocket_end(talk.flow)
    assert told(talk.flow) == [("no-talk", "alert", True, True)]
    (tmp_path / "closed").mkdir()
    talk = _talk(tmp_path / "closed", monkeypatch, ENDS % "fail: closed,")
    assert b"no-talk" in talk.message(said, from_client=False).content
    for more in (said, b'{"type": "response.output_text.delta", "delta": "more"}'):
        with pytest.raises(AddonHalt):
            talk.message(more, from_client=False)
    assert told(talk.flow) == [("no-talk", "block", True, True)]
    talk.hear("response.created", response={"id": "r2"})
    assert b"fine" in talk.hear("response.output_text.done", text="fine").content


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_error_of_ours_goes_as_the_rule_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str
) -> None:
    talk = _talk(tmp_path, monkeypatch, ENDS % f"fail: {fail},")
    held = talk.words("some words")[0]
    assert held.dropped  # it waits

    def breaks(*_: Any) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("intelligence.policy.holding.DeltaReader.read", breaks)
    came = b"".join(_messages(talk.words("and more")[0]))
    assert (b"some words" in came and b"and more" in came) == (fail == "open")
    assert (b"no-talk" in came) == (fail == "closed")


def test_a_blocked_message_is_dropped_and_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, BLOCKS)
    assert talk.ask("forbidden").dropped
    (answer,) = talk.injected
    assert answer["type"] == "error" and "no-words: not here" in answer["error"]["message"]
    assert told(talk.flow) == [("no-words", "block", True, False)] and talk.record.told == 1
    assert not talk.ask("a fine question").dropped  # the conversation goes on
    assert len(talk.injected) == 1


def test_sound_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, BLOCKS)
    said = {"type": "input_audio_buffer.append", "audio": "forbidden"}
    assert not talk.message(said, from_client=True).dropped and talk.record.told == 0


def test_values_come_back_to_the_client_and_not_to_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = _talk(tmp_path, monkeypatch, REVERSIBLE)
    sent = json.loads(talk.ask(f"it is {SECRET}").content)["input"]
    assert sent.startswith("it is REDACTED-SECRET-")
    standin = sent.removeprefix("it is ")
    first, second = talk.words(f"your {standin[:10]}", f"{standin[10:]}!")
    heard = [json.loads(one)["delta"] for one in _messages(second)]
    assert first.dropped and "".join(heard) == f"your {SECRET}!"
    assert SECRET.encode() not in b"".join(talk.record.lines)
    assert standin.encode() in b"".join(json.loads(one)["delta"].encode() for one in talk.record.lines)
    assert the(talk.flow).said is second


def _messages(message: WebSocketMessage) -> tuple[bytes, ...]:
    content = message.content
    return content.messages if isinstance(content, Several) else (content,)


def test_what_a_conversation_may_put_back_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, REVERSIBLE)
    monkeypatch.setattr(sockets, "MAX_VALUES", 3)
    conversation = talk.sockets._open[talk.flow.id]
    conversation.values = {f"REDACTED-{n}": str(n) for n in range(5)}
    talk.ask(SECRET)
    assert len(conversation.values) == 3 < MAX_VALUES
    assert SECRET in conversation.values.values() and "REDACTED-0" not in conversation.values


def test_a_stopped_answer_ends_and_the_next_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, ENDS % "hold_bytes: 0,")
    talk.hear("response.created", response={"id": "r"})
    assert not talk.words("all is well ")[0].dropped
    stopped = talk.words("unspeakable")[0]
    assert b"unspeakable" not in stopped.content and b"no-talk" in stopped.content
    for kind in ("response.output_text.delta", "response.output_item.done"):
        with pytest.raises(AddonHalt):
            talk.hear(kind, delta="and more unspeakable")
        assert talk.flow.websocket and talk.flow.websocket.messages == []
    with pytest.raises(AddonHalt):
        talk.hear("response.completed", response={"id": "r"})
    talk.hear("response.created", response={"id": "r2"})
    (fine,) = talk.words("fine again")
    assert not fine.dropped and b"fine again" in fine.content
    assert told(talk.flow) == [("no-talk", "block", True, False)]
    assert not any(b"unspeakable" in line for line in talk.record.lines)


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_answer_that_cannot_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: str) -> None:
    rule = f"{{id: keys, action: block, fail: {fail}, when: {{direction: response, detection: {{kind: secret}}}}}}"
    talk = _talk(tmp_path, monkeypatch, rule)

    def breaks() -> Any:
        raise RuntimeError("bug")

    talk.rig.sees.instead = breaks
    talk.hear("response.created", response={"id": "r"})
    talk.words("some ", "words")
    out = talk.hear("response.output_text.done", text="some words", output_index=0, content_index=0)
    assert (b"keys" in out.content) == (fail == "closed")
    talk.sockets.websocket_end(talk.flow)
    assert told(talk.flow) == [("keys", "block" if fail == "closed" else "alert", True, True)]


def test_under_the_kill_switch_no_message_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch)  # no rule is needed
    talk.rig.panic("block")
    for from_client in (True, False):
        with pytest.raises(AddonHalt):
            talk.message(b'{"type": "x"}', from_client=from_client)
    assert talk.hung_up == [{talk.flow.client_conn.id}] * 2
    assert talk.flow.websocket and talk.flow.websocket.messages == []


def test_observing_everything_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, BLOCKS, ENDS % "fail: closed,")
    talk.hear("response.created", response={"id": "r"})
    talk.rig.panic("observe")
    assert not talk.ask("forbidden").dropped and talk.injected == []
    assert [acts for *_, acts, _ in told(talk.flow)] == [False]
    assert b"unspeakable" in talk.words("unspeakable")[0].content


def test_other_rules_count_from_the_next_message_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch)
    assert b"unspeakable" in talk.words("unspeakable")[0].content
    (tmp_path / "other").mkdir()
    talk.rig.policies.in_force = Rig(tmp_path / "other", ENDS % "hold_bytes: 0,").policies.in_force
    assert b"no-talk" in talk.words("unspeakable")[0].content


def test_our_own_messages_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = _talk(tmp_path, monkeypatch, BLOCKS)
    said = {"type": "response.create", "input": "forbidden"}
    assert not talk.message(said, from_client=True, injected=True).dropped
