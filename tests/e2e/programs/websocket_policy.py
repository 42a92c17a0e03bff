"""Asks on one WebSocket that a policy may refuse. Reads a JSON list of [api, prompt], api `responses` or `realtime`, of one
api, or `raw`, which sends the prompt as it is; prints for each what came: `{"text": …, "done": …}`, from the deltas and from
the last event, or `{"error": …}`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ADDRESSES = {
    "responses": "wss://api.openai.com/v1/responses",
    "realtime": "wss://api.openai.com/v1/realtime?model=gpt-realtime",
}


def asked(api: str, prompt: str) -> list[str]:
    return [prompt] if api == "raw" else [json.dumps(event) for event in events(api, prompt)]


def events(api: str, prompt: str) -> list[dict[str, Any]]:
    content = [{"type": "input_text", "text": prompt}]
    item = {"type": "message", "role": "user", "content": content}
    if api == "responses":
        return [{"type": "response.create", "model": "gpt-5.2", "input": [item]}]
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


async def ask(socket: Any, api: str, prompt: str) -> dict[str, Any]:
    text = ""
    waiting = asked(api, prompt)
    await socket.send(waiting.pop(0))
    while True:
        event = json.loads(await asyncio.wait_for(socket.recv(), 60))
        if waiting and event["type"].startswith("conversation.item."):
            await socket.send(waiting.pop(0))
        if event["type"] == "error":
            return {"error": event["error"]["message"], "text": text}
        if event["type"].endswith("text.delta"):
            text += event["delta"]
        elif event["type"] in ("response.completed", "response.done"):
            items = event["response"]["output"]
            done = "".join(part.get("text", "") for item in items for part in item.get("content", []))
            return {"text": text, "done": done}


async def main(asks: list[list[str]]) -> None:
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with connect(ADDRESSES[asks[0][0]], additional_headers=headers) as socket:
        for api, prompt in asks:
            try:
                print(json.dumps(await ask(socket, api, prompt)), flush=True)
            except ConnectionClosed:
                print(json.dumps({"closed": True}), flush=True)
                return


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
