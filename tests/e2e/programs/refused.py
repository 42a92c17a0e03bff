"""Calls by the providers' own SDKs that a policy may refuse. Reads a JSON list of [api, prompt, model, stream]; prints for each
what came back: `{"raised": "openai.RateLimitError", "message": …, "id": …, "rule": …}` or `{"text": …}`."""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import errors, types


def ask(api: str, prompt: str, model: str, stream: bool) -> str:
    if api == "chat":
        messages: Any = [{"role": "user", "content": prompt}]
        answer = openai.OpenAI(max_retries=0).chat.completions.create(
            model=model, messages=messages, stream=stream
        )
        if stream:
            return "".join(c.choices[0].delta.content or "" for c in answer if c.choices)
        return answer.choices[0].message.content or ""
    if api == "responses":
        response = openai.OpenAI(max_retries=0).responses.create(model=model, input=prompt, stream=stream)
        if stream:
            return "".join(event.delta for event in response if event.type == "response.output_text.delta")
        return response.output_text
    if api == "messages":
        client = anthropic.Anthropic(max_retries=0)
        given: Any = {"model": model, "max_tokens": 300, "messages": [{"role": "user", "content": prompt}]}
        if stream:
            with client.messages.stream(**given) as events:
                return "".join(events.text_stream)
        return "".join(
            block.text for block in client.messages.create(**given).content if block.type == "text"
        )
    google = genai.Client(http_options=types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=1)))
    if stream:
        return "".join(
            c.text or "" for c in google.models.generate_content_stream(model=model, contents=prompt)
        )
    return google.models.generate_content(model=model, contents=prompt).text or ""


def outcome(*call: Any) -> dict[str, Any]:
    try:
        return {"text": ask(*call)}
    except (openai.APIError, anthropic.APIError) as e:
        response = getattr(e, "response", None)
        headers = response.headers if response is not None else {}
        name = f"{type(e).__module__.partition('.')[0]}.{type(e).__name__}"
        told = {
            "id": headers.get("x-llmitm-id"),
            "rule": headers.get("x-llmitm-rule"),
            "retry_after": headers.get("retry-after"),
        }
        return {"raised": name, "message": str(e), **told}
    except errors.APIError as e:
        return {"raised": f"google.{type(e).__name__}", "message": str(e), "code": e.code}


for call in json.load(sys.stdin):
    print(json.dumps(outcome(*call)), flush=True)
