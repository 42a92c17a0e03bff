"""The `anthropic` SDK as anyone uses it: nothing but environment variables says where calls go. Protocol: see `clients.py`."""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": "get_weather", "input_schema": PARAMETERS}]
# Long enough for the provider's cache.
SYSTEM = [{"type": "text", "text": "Be brief. " * 600, "cache_control": {"type": "ephemeral"}}]


def _seen(answer: Any) -> dict[str, Any]:
    """Anthropic's `input_tokens` leaves out what the cache took or gave."""
    usage = answer.usage
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    return {
        "model": answer.model,
        "finish_reason": answer.stop_reason,
        "input_tokens": usage.input_tokens + read + written,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "text": "".join(block.text for block in answer.content if block.type == "text"),
        "tool_calls": [block.name for block in answer.content if block.type == "tool_use"],
    }


def messages(ask: dict[str, Any], sdk: anthropic.Anthropic) -> list[dict[str, Any]]:
    turns: list[Any] = [{"role": "user", "content": ask["prompt"]}]
    options: dict[str, Any] = {"model": ask["model"], "max_tokens": 2000, "system": SYSTEM}
    options |= {"tools": TOOLS} if ask["tool"] else {}
    seen = []
    while True:
        if ask["stream"]:
            with sdk.messages.stream(messages=turns, **options) as stream:
                if ask["leave_after"]:
                    pieces = zip(stream.text_stream, range(ask["leave_after"]), strict=False)
                    return [{"left": True, "text": "".join(text for text, _ in pieces)}]
                answer: Any = stream.get_final_message()
        else:
            answer = sdk.messages.create(messages=turns, **options)
        seen.append(_seen(answer))
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            return seen
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "14 degrees"} for call in calls]
        turns += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]


def count_tokens(ask: dict[str, Any], sdk: anthropic.Anthropic) -> list[dict[str, Any]]:
    turns: list[Any] = [{"role": "user", "content": ask["prompt"]}]
    counted = sdk.messages.count_tokens(model=ask["model"], messages=turns)
    return [{"input_tokens": counted.input_tokens, "text": "", "tool_calls": []}]


def main() -> None:
    client = anthropic.Anthropic(max_retries=0)
    apis = {"messages": messages, "count_tokens": count_tokens}
    for number, ask in enumerate(json.load(sys.stdin)):
        try:
            seen = apis[ask["api"]](ask, client.with_options(max_retries=ask["retries"]))
        except anthropic.APIStatusError as e:
            seen = [{"status": e.status_code, "retry_after": e.response.headers.get("retry-after")}]
        except anthropic.APIError as e:
            seen = [{"broken": type(e).__name__}]
        except Exception as e:  # the SDK lets the HTTP library's error through when a stream breaks off
            seen = [{"broken": type(e).__name__}]
        for one in seen:
            print(json.dumps({"ask": number, **one}), flush=True)


if __name__ == "__main__":
    main()
