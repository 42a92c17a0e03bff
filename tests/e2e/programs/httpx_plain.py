"""Plain HTTP by `httpx`, in the HTTP version given. Protocol: see `clients.py`."""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx

URL = "https://api.openai.com/v1/chat/completions"


def chat(client: httpx.Client, ask: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"model": ask["model"], "messages": [{"role": "user", "content": ask["prompt"]}]}
    if not ask["stream"]:
        answer = client.post(URL, json=body).raise_for_status()
        document = answer.json()
        choice = document["choices"][0]
        return {
            "http_version": answer.http_version,
            "model": document["model"],
            "finish_reason": choice["finish_reason"],
            "input_tokens": document["usage"]["prompt_tokens"],
            "output_tokens": document["usage"]["completion_tokens"],
            "text": choice["message"]["content"],
            "tool_calls": [],
        }
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    text, finish, usage = "", None, {}
    with client.stream("POST", URL, json=body) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            usage = chunk["usage"] or usage
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
    return {
        "http_version": answer.http_version,
        "finish_reason": finish,
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "text": text,
        "tool_calls": [],
    }


def main() -> None:
    with httpx.Client(http2=sys.argv[1] == "HTTP/2", timeout=20) as client:
        for number, ask in enumerate(json.load(sys.stdin)):
            print(json.dumps({"ask": number, **chat(client, ask)}))


if __name__ == "__main__":
    main()
