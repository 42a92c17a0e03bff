"""Thirty answers at once over one HTTP/2 connection. When some of each has come it says so, waits for a line on standard
input, and leaves them all."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx

COUNT = 30
URL = "https://api.openai.com/v1/chat/completions"


async def one(
    client: httpx.AsyncClient, number: int, all_begun: asyncio.Barrier, leave: asyncio.Event, ports: set[int]
) -> None:
    prompt = f"number {number} in parallel [[offline: length=2000 drip_ms=200]]"
    body = {"model": "gpt-5.2", "stream": True, "messages": [{"role": "user", "content": prompt}]}
    async with client.stream("POST", URL, json=body) as answer:
        ports.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
        async for piece in answer.aiter_text():
            if '"content":"' in piece and '"content":""' not in piece:
                break
        await all_begun.wait()
        await leave.wait()


async def main() -> None:
    all_begun, leave, ports = asyncio.Barrier(COUNT + 1), asyncio.Event(), set[int]()
    async with httpx.AsyncClient(http2=True, timeout=30) as client, asyncio.TaskGroup() as tasks:
        # While no connection has shown that it speaks HTTP/2, httpx opens one for each request.
        await client.get("https://api.openai.com/v1/models")
        for number in range(COUNT):
            tasks.create_task(one(client, number, all_begun, leave, ports))
        await all_begun.wait()
        print(json.dumps({"connections": len(ports), "streams": COUNT}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        leave.set()


if __name__ == "__main__":
    asyncio.run(main())
