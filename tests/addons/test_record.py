import json
from pathlib import Path

import msgspec
import pytest
from mitmproxy.flow import Error
from mitmproxy.http import Headers
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.call import begin
from addons.identify import Identify
from addons.record import Record
from intelligence.store.journal import EndHead, Kind, MessageHead, RequestHead, ResponseHead
from intelligence.store.journal_reader import SegmentReader, segments
from intelligence.store.journal_writer import JournalWriter
from intelligence.wire.credentials import Redactor
from intelligence.wire.registry import Target

CHAT = Target("openai", "chat", "openai-chat")
REALTIME = Target("openai", "realtime", "openai-realtime")
KEY = b"k" * 32
BODY = b'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'


class Rig:
    """A recording proxy without a network: flows go through the hooks by hand, frames are read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        redactor = Redactor(KEY)
        self.journal = JournalWriter(folder)
        self.identify = Identify(KEY, redactor)
        self.record = Record(self.journal, redactor)

    def flow(self, target: Target = CHAT, body: bytes = BODY, **headers: str):
        fields = Headers([(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
        request = tutils.treq(
            method=b"POST", host="api.openai.com", path=b"/v1/x?key=secret", content=body, headers=fields
        )
        flow = tflow.tflow(req=request)
        flow.live = True
        begin(flow, target)
        return flow

    def ask(self, flow) -> None:
        for hook in ("requestheaders", "request"):
            getattr(self.identify, hook)(flow)
            getattr(self.record, hook)(flow)

    def answer(self, flow, *chunks: bytes, **headers: str) -> None:
        fields = Headers([(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
        flow.response = tutils.tresp(content=None, headers=fields)
        self.record.responseheaders(flow)
        for chunk in chunks:
            assert flow.response.stream(chunk) == chunk

    def frames(self) -> list:
        (path,) = segments(self.folder)
        return list(SegmentReader(path).frames())

    def kinds(self) -> list[Kind]:
        return [frame.kind for frame in self.frames()]

    def end(self) -> EndHead:
        return msgspec.msgpack.decode(next(f for f in self.frames() if f.kind is Kind.END).body, type=EndHead)

    def head(self) -> tuple[RequestHead, bytes]:
        head, body = next(f for f in self.frames() if f.kind is Kind.REQUEST).split()
        return msgspec.msgpack.decode(head, type=RequestHead), body


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_each_piece_is_written_before_it_is_handed_on(rig: Rig) -> None:
    flow = rig.flow()
    rig.ask(flow)
    assert rig.kinds() == [Kind.REQUEST]
    rig.answer(flow, b"a", b"b")
    assert rig.kinds() == [Kind.REQUEST, Kind.RESPONSE, Kind.CHUNK, Kind.CHUNK]
    assert flow.response.stream(b"") == b""
    rig.record.response(flow)
    assert rig.kinds()[-1] is Kind.END and rig.end().cause == "complete"


def test_the_request_is_identified_and_stripped(rig: Rig) -> None:
    rig.ask(rig.flow(authorization="Bearer sk-1", user_agent="OpenAI/Python 3.52.0"))
    head, body = rig.head()
    assert body == BODY
    assert (head.model, head.stream, head.client, head.client_version) == (
        "m",
        True,
        "openai-python",
        "3.52.0",
    )
    assert head.credential_kind == "api_key" and head.conversation_key and head.credential_fingerprint
    assert head.path == "/v1/x?key=[redacted]" and ("authorization", "[redacted]") in head.headers


def test_an_answer_that_errors_ends_as_what_it_was(rig: Rig) -> None:
    flow = rig.flow()
    rig.ask(flow)
    flow.error = Error("Client disconnected.")
    rig.record.error(flow)
    assert rig.end().cause == "client_left"


def test_an_upstream_failure_keeps_its_message(rig: Rig) -> None:
    flow = rig.flow()
    rig.ask(flow)
    flow.client_conn.timestamp_end = None
    flow.error = Error("[Errno 111] refused")
    rig.record.error(flow)
    assert (rig.end().cause, rig.end().message) == ("upstream_error", "[Errno 111] refused")


def test_a_request_that_never_got_whole_is_not_recorded(rig: Rig) -> None:
    flow = rig.flow()
    rig.identify.requestheaders(flow)
    rig.record.requestheaders(flow)
    flow.error = Error("Client disconnected.")
    rig.record.error(flow)
    assert rig.frames() == []


def test_done_ends_what_is_open_and_later_hooks_are_harmless(rig: Rig) -> None:
    flow = rig.flow()
    rig.ask(flow)
    rig.answer(flow, b"a")
    rig.record.done()
    flow.error = Error("Client disconnected.")
    rig.record.error(flow)
    flow.response.stream(b"after the end")
    assert rig.kinds().count(Kind.END) == 1 and rig.end().cause == "proxy_stopped"


def test_the_tap_never_raises(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = rig.flow()
    rig.ask(flow)

    def broken(*_: object) -> bool:
        raise ValueError

    monkeypatch.setattr(rig.journal, "chunk", broken)
    rig.answer(flow, b"a")


def test_a_call_is_recorded_without_identify(rig: Rig) -> None:
    flow = rig.flow()
    rig.record.requestheaders(flow)
    rig.record.request(flow)
    head, body = rig.head()
    assert (head.provider, body, head.path) == ("openai", BODY, "/v1/x?key=[redacted]")


def test_an_answer_by_an_addon_is_recorded_whole(rig: Rig) -> None:
    flow = rig.flow()
    rig.ask(flow)
    flow.response = tutils.tresp(content=b"no")
    rig.record.responseheaders(flow)
    rig.record.response(flow)
    assert rig.kinds() == [Kind.REQUEST, Kind.RESPONSE, Kind.CHUNK, Kind.END]


def test_a_minted_client_secret_is_held_and_stripped(rig: Rig) -> None:
    flow = rig.flow(REALTIME, b"{}")
    rig.ask(flow)
    rig.answer(flow)
    assert not flow.response.stream
    body = json.dumps({"value": "ek_secret"}, separators=(",", ":")).encode()
    flow.response.raw_content = body
    rig.record.response(flow)
    frames = {frame.kind: frame.body for frame in rig.frames()}
    assert b"ek_secret" not in frames[Kind.CHUNK] and flow.response.raw_content == body
    assert msgspec.msgpack.decode(frames[Kind.RESPONSE], type=ResponseHead).body_redacted


def test_a_stripped_body_says_so_and_keeps_the_hash_of_the_original(rig: Rig) -> None:
    rig.ask(rig.flow(body=b'{"model": "m", "input": "x", "tools": [{"authorization": "secret"}]}'))
    head, body = rig.head()
    assert head.body_redacted and head.body_sha256 and b"secret" not in body


def test_websocket_messages_one_by_one(rig: Rig) -> None:
    flow = rig.flow(REALTIME, b"", upgrade="websocket")
    rig.ask(flow)
    rig.answer(flow)
    flow.websocket = tflow.twebsocketflow().websocket
    flow.websocket.messages = [
        WebSocketMessage(Opcode.TEXT, False, b'{"session": {"client_secret": {"value": "ek_1"}}}')
    ]
    rig.record.websocket_message(flow)
    flow.websocket.messages.append(WebSocketMessage(Opcode.BINARY, True, b"\x00"))
    rig.record.websocket_message(flow)
    rig.record.response(flow)
    flow.websocket.closed_by_client, flow.websocket.close_code = True, 1006
    rig.record.websocket_end(flow)
    messages = [f.split() for f in rig.frames() if f.kind is Kind.MESSAGE]
    heads = [msgspec.msgpack.decode(head, type=MessageHead) for head, _ in messages]
    assert [(h.from_client, h.text, h.redacted) for h in heads] == [(False, True, True), (True, False, False)]
    assert b"ek_1" not in messages[0][1] and messages[1][1] == b"\x00"
    assert (rig.end().cause, rig.end().close_code) == ("client_left", 1006)
