"""Calls by the providers' own SDKs that a policy may refuse. Reads a JSON list of [api, prompt, model, stream, tool]; prints for
each what came back: `{"raised": "openai.RateLimitError", "message": …, "id": …, "rule": …, "so_far": …}` or `{"text": …}`.
With `tool` (false if not given) one is offered, and the text is the arguments it is called with, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import errors, types

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "parameters": PARAMETERS}


def chat(prompt: str, model: str, stream: bool, tool: bool) -> Iterator[str]:
    given: Any = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if tool:
        given["tools"] = [{"type": "function", "function": FUNCTION}]
    answer = openai.OpenAI(max_retries=0).chat.completions.create(stream=stream, **given)
    if not stream:
        message = answer.choices[0].message
        yield message.tool_calls[0].function.arguments if message.tool_calls else message.content or ""
        return
    for chunk in answer:
        for choice in chunk.choices:
            yield choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                yield call.function.arguments or ""


def responses(prompt: str, model: str, stream: bool, tool: bool) -> Iterator[str]:
    given: Any = {"model": model, "input": prompt}
    if tool:
        given["tools"] = [{"type": "function", **FUNCTION}]
    answer = openai.OpenAI(max_retries=0).responses.create(stream=stream, **given)
    if not stream:
        calls = [item.arguments for item in answer.output if item.type == "function_call"]
        yield calls[0] if calls else answer.output_text
        return
    said, told = "", ""
    for event in answer:
        if event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
            said += event.delta
            yield event.delta
        elif event.type == "response.completed":
            calls = [item.arguments for item in event.response.output if item.type == "function_call"]
            told = calls[0] if calls else event.response.output_text
    if told != said:
        raise RuntimeError(f"streamed {said!r}, completed {told!r}")


def messages(prompt: str, model: str, stream: bool, tool: bool) -> Iterator[str]:
    client = anthropic.Anthropic(max_retries=0)
    given: Any = {"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": prompt}]}
    if tool:
        given["tools"] = [{"name": "get_weather", "input_schema": PARAMETERS}]
    if not stream:
        for block in client.messages.create(**given).content:
            yield json.dumps(block.input) if block.type == "tool_use" else getattr(block, "text", "")
        return
    with client.messages.stream(**given) as events:
        for event in events:
            if event.type == "content_block_delta":
                yield getattr(event.delta, "text", "") or getattr(event.delta, "partial_json", "")


def generate_content(prompt: str, model: str, stream: bool, tool: bool) -> Iterator[str]:
    google = genai.Client(http_options=types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=1)))
    config: Any = None
    if tool:
        declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=PARAMETERS)
        off = types.AutomaticFunctionCallingConfig(disable=True)
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declared])], automatic_function_calling=off
        )
    models: Any = google.models
    if stream:
        chunks = models.generate_content_stream(model=model, contents=prompt, config=config)
    else:
        chunks = [models.generate_content(model=model, contents=prompt, config=config)]
    for chunk in chunks:
        for call in chunk.function_calls or []:
            yield json.dumps(call.args)
        if not chunk.function_calls:
            yield chunk.text or ""


APIS = {"chat": chat, "responses": responses, "messages": messages, "generate_content": generate_content}


def outcome(api: str, prompt: str, model: str, stream: bool, tool: bool = False) -> dict[str, Any]:
    so_far: list[str] = []
    try:
        for piece in APIS[api](prompt, model, stream, tool):
            so_far.append(piece)
        return {"text": "".join(so_far)}
    except (openai.APIError, anthropic.APIError) as e:
        response = getattr(e, "response", None)
        headers = response.headers if response is not None else {}
        name = f"{type(e).__module__.partition('.')[0]}.{type(e).__name__}"
        told = {
            "id": headers.get("x-llmitm-id"),
            "rule": headers.get("x-llmitm-rule"),
            "retry_after": headers.get("retry-after"),
        }
        return {"raised": name, "message": str(e), "so_far": "".join(so_far), **told}
    except errors.APIError as e:
        told = {"message": str(e), "code": e.code, "so_far": "".join(so_far)}
        return {"raised": f"google.{type(e).__name__}", **told}


if __name__ == "__main__":
    for call in json.load(sys.stdin):
        print(json.dumps(outcome(*call)), flush=True)
