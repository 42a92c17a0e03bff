"""The `openai` SDK as anyone uses it: nothing but environment variables says where calls go. Protocol: see `clients.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
TOOLS = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}]
RESULT = "14 degrees"


def _chat_seen(answer: Any) -> dict[str, Any]:
    choice, usage = answer.choices[0], answer.usage
    if choice.finish_reason is None:
        raise RuntimeError("the stream ended before the answer did")
    return {
        "model": answer.model,
        "finish_reason": choice.finish_reason,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "cache_read_tokens": usage.prompt_tokens_details.cached_tokens,
        "reasoning_tokens": usage.completion_tokens_details.reasoning_tokens,
        "text": choice.message.content or "",
        "tool_calls": [call.function.name for call in choice.message.tool_calls or ()],
    }


def chat(ask: dict[str, Any], sdk: openai.OpenAI) -> list[dict[str, Any]]:
    messages: list[Any] = [{"role": "user", "content": ask["prompt"]}]
    options: dict[str, Any] = {"model": ask["model"]} | ({"tools": CHAT_TOOLS} if ask["tool"] else {})
    seen = []
    while True:
        if ask["stream"]:
            usage = {"include_usage": True}
            with sdk.chat.completions.stream(messages=messages, stream_options=usage, **options) as stream:
                if ask["leave_after"]:
                    return [{"left": True, "text": _partial_chat(stream, ask["leave_after"])}]
                answer: Any = stream.get_final_completion()
        else:
            answer = sdk.chat.completions.create(messages=messages, **options)
        seen.append(_chat_seen(answer))
        message = answer.choices[0].message
        if not message.tool_calls:
            return seen
        messages.append({"role": "assistant", "tool_calls": [_as_given(c) for c in message.tool_calls]})
        messages += [{"role": "tool", "tool_call_id": c.id, "content": RESULT} for c in message.tool_calls]


def _as_given(call: Any) -> dict[str, Any]:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _partial_chat(stream: Any, events: int) -> str:
    text = ""
    for event in stream:
        if event.type == "content.delta":
            text, events = text + event.delta, events - 1
        if not events:
            break
    return text


def responses(ask: dict[str, Any], sdk: openai.OpenAI) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"model": ask["model"]} | ({"tools": TOOLS} if ask["tool"] else {})
    given: Any = ask["prompt"]
    previous: dict[str, Any] = {}
    seen = []
    while True:
        if ask["stream"]:
            with sdk.responses.stream(input=given, **options, **previous) as stream:
                answer: Any = stream.get_final_response()
        else:
            answer = sdk.responses.create(input=given, **options, **previous)
        calls = [item for item in answer.output if item.type == "function_call"]
        seen.append(_response_seen(answer, calls))
        if not calls:
            return seen
        given = [{"type": "function_call_output", "call_id": c.call_id, "output": RESULT} for c in calls]
        previous = {"previous_response_id": answer.id}


def _response_seen(answer: Any, calls: list[Any]) -> dict[str, Any]:
    return {
        "model": answer.model,
        "finish_reason": answer.status,
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cache_read_tokens": answer.usage.input_tokens_details.cached_tokens,
        "reasoning_tokens": answer.usage.output_tokens_details.reasoning_tokens,
        "text": answer.output_text,
        "tool_calls": [call.name for call in calls],
    }


def embeddings(ask: dict[str, Any], sdk: openai.OpenAI) -> list[dict[str, Any]]:
    answer = sdk.embeddings.create(model=ask["model"], input=ask["prompt"])
    assert len(answer.data[0].embedding) == 1536
    return [{"model": answer.model, "input_tokens": answer.usage.prompt_tokens, "text": "", "tool_calls": []}]


def realtime(ask: dict[str, Any], sdk: openai.OpenAI) -> list[dict[str, Any]]:
    return asyncio.run(_realtime(ask))


async def _realtime(ask: dict[str, Any]) -> list[dict[str, Any]]:
    seen = []
    async with openai.AsyncOpenAI().realtime.connect(model=ask["model"]) as connection:
        if ask["tool"]:
            await connection.session.update(session={"type": "realtime", "tools": TOOLS})  # type: ignore[typeddict-item]
        content = [{"type": "input_text", "text": ask["prompt"]}]
        item: Any = {"type": "message", "role": "user", "content": content}
        while True:
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            answer = await _done(connection)
            calls = [item for item in answer.output if item.type == "function_call"]
            seen.append(_realtime_seen(answer, calls))
            if not calls:
                return seen
            item = {"type": "function_call_output", "call_id": calls[0].call_id, "output": RESULT}


async def _done(connection: Any) -> Any:
    async for event in connection:
        if event.type == "response.done":
            return event.response
    raise AssertionError("the socket closed")


def _realtime_seen(answer: Any, calls: list[Any]) -> dict[str, Any]:
    texts = [part.text for item in answer.output if item.type == "message" for part in item.content]
    return {
        "finish_reason": answer.status,
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cache_read_tokens": answer.usage.input_token_details.cached_tokens,
        "text": "".join(texts),
        "tool_calls": [call.name for call in calls],
    }


def main() -> None:
    client = openai.OpenAI(max_retries=0)
    apis = {"chat": chat, "responses": responses, "embeddings": embeddings, "realtime": realtime}
    for number, ask in enumerate(json.load(sys.stdin)):
        try:
            seen = apis[ask["api"]](ask, client.with_options(max_retries=ask["retries"]))
        except openai.APIStatusError as e:
            seen = [{"status": e.status_code, "retry_after": e.response.headers.get("retry-after")}]
        except (openai.APIError, RuntimeError) as e:
            seen = [{"broken": type(e).__name__}]
        for one in seen:
            print(json.dumps({"ask": number, **one}), flush=True)


if __name__ == "__main__":
    main()
