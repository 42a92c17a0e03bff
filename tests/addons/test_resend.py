"""A refused rewriting is sent once as it came, where every rule permits; a rule refused three times rests for this client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import HTTPFlow, Response

from addons.resend import REJECTED, RESTS_AFTER, Original, Resend
from tests.addons.governed import SECRET, Rig, fields_of, said, the, told

MAY = "{id: keys, action: redact, if_rejected: original, when: {detection: {kind: secret}}}"
MAY_NOT = "{id: names, action: redact, when: {text: {matches: Aurora}}}"
REVERSIBLE = MAY.replace("action", "reversible: true, action")


class Upstream:
    """Every host is `address`, or what cannot be reached says why."""

    def __init__(self, address: Any = None) -> None:
        self.address = address

    async def target(self, host: str, port: int) -> Any:
        return self.address


def resend(rig: Rig, upstream: Any = None) -> Resend:
    return Resend(rig.parts, upstream or Upstream(), rig.rejections, rig.hold)


def sends(made: Resend, monkeypatch: pytest.MonkeyPatch, answer: Any = None) -> list[Original]:
    sent: list[Original] = []

    async def _send(flow: HTTPFlow, original: Original) -> Response:
        sent.append(original)
        if isinstance(answer, Exception):
            raise answer
        return Response.make(200, answer or said("fine"), {"content-type": "application/json"})

    monkeypatch.setattr(made, "_send", _send)
    return sent


def refused(made: Resend, flow: HTTPFlow, status: int = 400) -> None:
    flow.response = Response.make(status, b'{"error": {}}', {"content-type": "application/json"})
    made.responseheaders(flow)
    asyncio.run(made.response(flow))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 422, 429, 500])
def test_which_answers_bring_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    rig = Rig(tmp_path, MAY)
    made = resend(rig)
    sent = sends(made, monkeypatch)
    flow = rig.ask(SECRET)
    refused(made, flow, status)
    again = status in (400, 404, 422)
    assert {400, 404, 422} == REJECTED
    assert len(sent) == again and (flow.response and flow.response.status_code) == (200 if again else status)
    if again:
        assert SECRET.encode() in sent[0].body and sent[0].rules == ("keys",)
        assert the(flow).original is None  # once
        refused(made, flow)
        assert len(sent) == 1
        assert [kind for kind, _ in rig.journal.events] == ["rewrite_rejected"]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ((MAY_NOT,), "Aurora"),
        ((MAY, MAY_NOT), f"{SECRET} Aurora"),  # one forbids it for all
        ((MAY, "{id: stops, action: block, when: {text: {matches: stop}}}"), f"{SECRET} stop"),
        ((MAY,), "nothing to rewrite"),
    ],
    ids=["forbidden", "one of two", "blocked", "as it came"],
)
def test_the_original_is_never_sent_where_a_rule_forbids_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: tuple[str, ...], text: str
) -> None:
    rig = Rig(tmp_path, *rules)
    made = resend(rig)
    sent = sends(made, monkeypatch)
    flow = rig.ask(text)
    assert the(flow).original is None
    if flow.response is None:
        refused(made, flow)
    assert sent == []


def test_the_original_is_the_very_request(tmp_path: Path) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": SECRET}], "n": 1}, indent=3).encode()
    flow = Rig(tmp_path, MAY).ask(body=body, x_one="1", authorization="Bearer sk-1")
    original = the(flow).original
    assert original and original.body == body
    assert (b"authorization", b"Bearer sk-1") in original.fields
    assert SECRET not in repr(the(flow)) and "sk-1" not in repr(the(flow))


def test_a_rule_refused_three_times_rests_for_this_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, MAY, MAY_NOT)
    made = resend(rig)
    sent = sends(made, monkeypatch)
    for n in range(RESTS_AFTER):
        assert the(rig.ask(SECRET, authorization="Bearer sk-1")).original, n
        refused(made, rig.ask(SECRET, authorization="Bearer sk-1"))
    assert len(sent) == RESTS_AFTER == 3
    assert ["rests" in message for _, message in rig.journal.events] == [False, False, True]
    resting = rig.ask(f"{SECRET} Aurora", authorization="Bearer sk-1")
    assert [rule for rule, *_ in told(resting)] == ["names"]  # other rules do not rest
    assert SECRET.encode() in (resting.request.raw_content or b"")
    for who in ({"authorization": "Bearer sk-2"}, {"authorization": "Bearer sk-1", "user_agent": "curl/8"}):
        assert [rule for rule, *_ in told(rig.ask(SECRET, **who))] == ["keys"]
    # Another set of rules begins anew.
    compiled = rig.policies.in_force.compiled
    rig.policies.in_force = SimpleNamespace(  # type: ignore[assignment]
        compiled=SimpleNamespace(version="other", of=compiled.of), allow=(), groups={}
    )
    assert [rule for rule, *_ in told(rig.ask(SECRET, authorization="Bearer sk-1"))] == ["keys"]


def test_an_original_that_cannot_be_sent_leaves_the_providers_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, REVERSIBLE)
    made = resend(rig)
    sends(made, monkeypatch, ConnectionError("no way"))
    flow = rig.ask(SECRET)
    refused(made, flow)
    assert flow.response and flow.response.status_code == 400
    assert the(flow).restores and rig.journal.events == []


def test_the_answer_to_the_original_needs_nothing_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, REVERSIBLE)
    made = resend(rig)
    sends(made, monkeypatch)
    flow = rig.ask(SECRET)
    refused(made, flow)
    assert the(flow).restores == {}


def test_the_answer_to_the_original_is_judged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = "{id: stops, action: block, when: {direction: response, text: {matches: unspeakable}}}"
    rig = Rig(tmp_path, MAY, block)
    made = resend(rig)
    sends(made, monkeypatch, said("unspeakable"))
    flow = rig.ask(SECRET)
    refused(made, flow)
    rig.hold.response(flow)
    assert flow.response and flow.response.status_code == 403


def test_who_has_gone_gets_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, MAY)
    made = resend(rig)
    sent = sends(made, monkeypatch)
    flow = rig.ask(SECRET)
    flow.error = Error("Client disconnected.")
    refused(made, flow)
    assert sent == []


def test_where_the_proxy_must_not_go_the_original_does_not_either(tmp_path: Path) -> None:
    rig = Rig(tmp_path, MAY)
    flow = rig.ask(SECRET)
    refused(resend(rig, Upstream("an address of this machine")), flow)
    assert flow.response and flow.response.status_code == 400


async def test_what_is_sent_is_the_request_without_the_hop(tmp_path: Path) -> None:
    """To a server of plain HTTP: bytes and headers as they came, but for those of the connection."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.extend([head, await reader.readexactly(size)])
        writer.write(b"HTTP/1.1 200 OK\r\nx-provider: 1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        rig = Rig(tmp_path, MAY)
        flow = rig.ask(SECRET, x_one="1", proxy_authorization="Basic x", connection="keep-alive")
        flow.request.scheme, flow.request.port = "http", 80
        original = the(flow).original
        assert original
        made = resend(rig, Upstream(server.sockets[0].getsockname()[:2]))
        answer = await made._send(flow, original)
    head, body = seen
    assert body == original.body
    assert b"x-one: 1" in head.lower() and b"host: api.openai.com" in head.lower()
    assert b"proxy-authorization" not in head.lower()
    assert (answer.status_code, answer.raw_content, answer.headers["x-provider"]) == (200, b"{}", "1")
    assert "connection" not in answer.headers


def test_the_answer_that_is_held_is_marked_before_its_body_comes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, MAY)
    flow = rig.ask(SECRET)
    flow.response = Response.make(422, b"", {})
    flow.response.headers = fields_of({})
    resend(rig).responseheaders(flow)
    assert the(flow).cut == "whole"
