"""Realtime, with the OpenAI SDK and a plain WebSocket client."""

from __future__ import annotations

import json
import ssl

import openai
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

TOOL = {
    "type": "function",
    "name": "dial",
    "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
}


def user(text: str) -> dict:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_sdk_conversation_with_a_tool(provider, trust: ssl.SSLContext):
    client = openai.AsyncOpenAI(
        api_key="sk-test", websocket_base_url=f"wss://localhost:{provider.address[1]}/v1"
    )
    options = {"ssl": trust, "proxy": None}
    async with client.realtime.connect(
        model="gpt-realtime", websocket_connection_options=options
    ) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(session={"type": "realtime", "instructions": "Hi.", "tools": [TOOL]})
        assert (await connection.recv()).type == "session.updated"

        await connection.conversation.item.create(item=user("use tool dial"))
        await connection.response.create()
        done = await until_done(connection)
        call = done.response.output[0]
        assert call.name == "dial" and json.loads(call.arguments) == {"number": "example number"}

        output = {"type": "function_call_output", "call_id": call.call_id, "output": "line is busy"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        done = await until_done(connection)
        assert "line is busy" in done.response.output[0].content[0].text
        assert done.response.status == "completed"
        assert (
            done.response.usage.total_tokens
            == done.response.usage.input_tokens + done.response.usage.output_tokens
        )


async def until_done(connection):
    text = ""
    async for event in connection:
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.done":
            if text:
                assert text == event.response.output[0].content[0].text
            return event
    raise AssertionError("the socket closed")


def opened(provider, trust, **more):
    url = f"wss://localhost:{provider.address[1]}/v1/realtime?model=gpt-realtime"
    return connect(url, ssl=trust, proxy=None, **more)


async def events_until(socket, last: str) -> list[dict]:
    events = []
    while not events or events[-1]["type"] != last:
        events.append(json.loads(await socket.recv()))
    return events


async def test_older_event_names_and_browser_subprotocols(provider, trust):
    protocols = ["realtime", "openai-insecure-api-key.ek_test", "openai-beta.realtime-v1"]
    async with opened(provider, trust, subprotocols=protocols) as socket:
        assert socket.subprotocol == "realtime"
        await socket.send(json.dumps({"type": "conversation.item.create", "item": user("hello")}))
        await socket.send(json.dumps({"type": "response.create"}))
        kinds = {event["type"] for event in await events_until(socket, "response.done")}
    assert {"conversation.item.created", "response.text.delta"} <= kinds
    assert "response.output_text.delta" not in kinds


async def test_cancel_ends_the_response(provider, trust):
    async with opened(provider, trust) as socket:
        item = user("x [[offline: length=500 drip_ms=50]]")
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send(json.dumps({"type": "response.create"}))
        await events_until(socket, "response.output_text.delta")
        await socket.send(json.dumps({"type": "response.create"}))
        refused = await events_until(socket, "error")
        assert "under way" in refused[-1]["error"]["message"]
        await socket.send(json.dumps({"type": "response.cancel"}))
        done = (await events_until(socket, "response.done"))[-1]
    assert done["response"]["status"] == "cancelled"


async def test_faults(provider, trust):
    async with opened(provider, trust) as socket:
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA"}))
        for directive, code in (
            ("status=429", "rate_limit_exceeded"),
            ("error_event status=503", "overloaded"),
        ):
            item = user(f"x [[offline: {directive}]]")
            await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await socket.send(json.dumps({"type": "response.create"}))
            assert (await events_until(socket, "error"))[-1]["error"]["code"] == code
        await socket.send(json.dumps({"type": "nonsense", "event_id": "e1"}))
        assert (await events_until(socket, "error"))[-1]["error"]["event_id"] == "e1"
        item = user("x [[offline: cut=4]]")
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send(json.dumps({"type": "response.create"}))
        with pytest.raises(ConnectionClosedError):
            await events_until(socket, "response.done")
