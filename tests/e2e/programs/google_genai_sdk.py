"""The `google-genai` SDK as anyone uses it: nothing but environment variables says where calls go. Protocol: see
`clients.py`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from google import genai
from google.genai import errors, types

WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters=types.Schema(
        type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]
    ),
)
TOOLS = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[WEATHER])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def _seen(chunks: list[Any]) -> dict[str, Any]:
    """Gemini's `candidates_token_count` leaves out the thoughts; counts and finish reason stand in the last chunk."""
    usage = chunks[-1].usage_metadata
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    return {
        "model": chunks[-1].model_version,
        "finish_reason": chunks[-1].candidates[0].finish_reason.value,
        "input_tokens": usage.prompt_token_count,
        "output_tokens": usage.candidates_token_count + (usage.thoughts_token_count or 0),
        "text": "".join(part.text for part in parts if part.text and not part.thought),
        "tool_calls": [part.function_call.name for part in parts if part.function_call],
    }


def generate_content(ask: dict[str, Any], client: genai.Client) -> list[dict[str, Any]]:
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=ask["prompt"])])]
    options: dict[str, Any] = {"model": ask["model"]} | ({"config": TOOLS} if ask["tool"] else {})
    seen = []
    while True:
        if ask["stream"]:
            chunks: list[Any] = list(client.models.generate_content_stream(contents=contents, **options))
        else:
            chunks = [client.models.generate_content(contents=contents, **options)]
        seen.append(_seen(chunks))
        calls = [part for chunk in chunks for part in chunk.candidates[0].content.parts if part.function_call]
        if not calls:
            return seen
        result = types.Part.from_function_response(name="get_weather", response={"degrees": 14})
        contents += [types.Content(role="model", parts=calls), types.Content(role="user", parts=[result])]


def generate_content_async(ask: dict[str, Any], client: genai.Client) -> list[dict[str, Any]]:
    """The same SDK with its other HTTP stack."""

    async def call() -> Any:
        return await client.aio.models.generate_content(model=ask["model"], contents=ask["prompt"])

    return [_seen([asyncio.run(call())])]


def main() -> None:
    client = genai.Client()
    apis = {"generate_content": generate_content, "generate_content_async": generate_content_async}
    for number, ask in enumerate(json.load(sys.stdin)):
        try:
            seen = apis[ask["api"]](ask, client)
        except errors.APIError as e:
            seen = [{"status": e.code}]
        except Exception as e:  # what its HTTP library raises when a stream breaks off
            seen = [{"broken": type(e).__name__}]
        for one in seen:
            print(json.dumps({"ask": number, **one}), flush=True)


if __name__ == "__main__":
    main()
