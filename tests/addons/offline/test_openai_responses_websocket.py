"""Responses over a WebSocket, spoken as Codex does."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

from tests.addons.offline.test_openai_responses import TOOL


@asynccontextmanager
async def opened(provider, trust, path="/v1/responses"):
    url = f"wss://localhost:{provider.address[1]}{path}"
    async with connect(url, ssl=trust, proxy=None, max_size=None) as socket:
        yield socket


async def ask(socket, **body) -> list[dict]:
    await socket.send(json.dumps({"type": "response.create", "model": "gpt-5.2-codex", **body}))
    events = []
    while not events or events[-1]["type"] not in ("response.completed", "response.incomplete", "error"):
        events.append(json.loads(await socket.recv()))
    return events


async def test_warm_up_then_a_turn_with_a_tool(provider, trust):
    async with opened(provider, trust) as socket:
        warm = await ask(socket, generate=False, input=[], tools=[TOOL])
        assert [event["type"] for event in warm] == ["response.created", "response.completed"]
        assert warm[-1]["response"]["output"] == []
        previous = warm[-1]["response"]["id"]

        user = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "use tool look_up"}],
        }
        events = await ask(socket, input=[user], tools=[TOOL], previous_response_id=previous)
        done = events[-1]["response"]
        call = done["output"][0]
        assert call["type"] == "function_call" and done["usage"]["output_tokens"] > 0

        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "found it"}
        events = await ask(socket, input=[result], tools=[TOOL], previous_response_id=done["id"])
        assert 'look_up said "found it"' in events[-1]["response"]["output"][0]["content"][0]["text"]
    seen = provider.wait_for(lambda r: r.websocket and r.path == "/v1/responses" and len(r.messages) == 3)
    assert seen.method == "GET" and seen.status == 101
    assert json.loads(seen.messages[0])["generate"] is False


async def test_two_requests_at_once_are_answered_in_turn(provider, trust):
    async with opened(provider, trust) as socket:
        for word in ("first", "second"):
            body = {"type": "response.create", "model": "m", "input": f"{word} [[offline: drip_ms=1]]"}
            await socket.send(json.dumps(body))
        kinds, texts = [], []
        while len(texts) < 2:
            event = json.loads(await socket.recv())
            kinds.append(event["type"])
            if event["type"] == "response.completed":
                texts.append(event["response"]["output"][0]["content"][0]["text"])
    assert "first" in texts[0] and "second" in texts[1]
    assert kinds.index("response.completed") < len(kinds) - 1 - kinds[::-1].index("response.created")


async def test_error_has_the_status(provider, trust):
    async with opened(provider, trust) as socket:
        (error,) = await ask(socket, input="[[offline: status=429]]")
    assert error["status"] == 429 and error["error"]["code"] == "rate_limit_exceeded"


async def test_unreadable_and_unknown_messages_are_told(provider, trust):
    async with opened(provider, trust) as socket:
        (error,) = await ask(socket, input=3)
        assert error["status"] == 400
        await socket.send("no json")
        assert json.loads(await socket.recv())["status"] == 400


@pytest.mark.parametrize(
    ("directive", "closed"), [("cut=3", ConnectionClosedError), ("eof=3", ConnectionClosedOK)]
)
async def test_cut_and_eof(provider, trust, directive, closed):
    async with opened(provider, trust) as socket:
        await socket.send(
            json.dumps({"type": "response.create", "model": "m", "input": f"x [[offline: {directive}]]"})
        )
        got = []
        with pytest.raises(closed) as caught:
            while True:
                got.append(await socket.recv())
    assert len(got) == 3
    assert (caught.value.rcvd is None) == (closed is ConnectionClosedError)


async def test_client_abort_stops_the_answer(provider, trust):
    async with opened(provider, trust, "/abort/v1/responses") as socket:
        body = {"type": "response.create", "model": "m", "input": "x [[offline: length=500 drip_ms=20]]"}
        await socket.send(json.dumps(body))
        await socket.recv()
        socket.transport.abort()
    seen = provider.wait_for(lambda r: r.path == "/abort/v1/responses" and r.ended, timeout=2)
    assert seen.aborted and seen.events < 20


async def test_other_paths_refuse_a_websocket(provider, trust):
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus):
        async with opened(provider, trust, "/v1/elsewhere"):
            pass
