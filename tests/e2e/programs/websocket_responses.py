"""Responses over a WebSocket, spoken as Codex does, by the `websockets` library: a warm-up, then an ask, then the results of
its tool. Protocol: see `clients.py`; the warm-up is told too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}]


async def create(socket: ClientConnection, **body: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"type": "response.create", "tools": TOOLS, **body}))
    while True:
        event = json.loads(await socket.recv())
        if event["type"] == "response.completed":
            return event["response"]


def seen(answer: dict[str, Any]) -> dict[str, Any]:
    parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
    return {
        "model": answer["model"],
        "finish_reason": answer["status"],
        "input_tokens": answer["usage"]["input_tokens"],
        "output_tokens": answer["usage"]["output_tokens"],
        "text": "".join(part["text"] for part in parts),
        "tool_calls": [item["name"] for item in answer["output"] if item["type"] == "function_call"],
    }


async def converse(ask: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with connect("wss://api.openai.com/v1/responses", additional_headers=headers) as socket:
        answer = await create(socket, model=ask["model"], generate=False, input=[])
        print(json.dumps({"warm_up": True, **seen(answer)}))
        content = [{"type": "input_text", "text": ask["prompt"]}]
        given: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": content}]
        while given:
            answer = await create(socket, model=ask["model"], input=given, previous_response_id=answer["id"])
            print(json.dumps({"ask": 0, **seen(answer)}))
            calls = [item for item in answer["output"] if item["type"] == "function_call"]
            given = [
                {"type": "function_call_output", "call_id": c["call_id"], "output": "14 degrees"}
                for c in calls
            ]
        if ask["leave_after"]:
            prompt = "leaving [[offline: length=2000 drip_ms=30]]"
            await socket.send(json.dumps({"type": "response.create", "model": ask["model"], "input": prompt}))
            text, left = "", ask["leave_after"]
            while left:
                event = json.loads(await socket.recv())
                if event["type"] == "response.output_text.delta":
                    text, left = text + event["delta"], left - 1
            print(json.dumps({"left": True, "text": text}))
            socket.transport.abort()


if __name__ == "__main__":
    (given,) = json.load(sys.stdin)
    asyncio.run(converse(given))
