"""Gemini, with google-genai on the other side; the JSON array and snake_case by hand."""

from __future__ import annotations

import json
import ssl

import httpx
import httpx2
import pytest
from google import genai
from google.genai import errors, types

WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters=types.Schema(
        type="OBJECT", properties={"in_city": types.Schema(type="STRING")}, required=["in_city"]
    ),
)
CONFIG = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[WEATHER])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)
PATH = "/v1beta/models/gemini-3-flash:"


@pytest.fixture
def client(provider, trust: ssl.SSLContext):
    http_options = types.HttpOptions(base_url=provider.url, client_args={"verify": trust})
    with genai.Client(api_key="test", http_options=http_options) as client:
        yield client


def test_whole_and_streamed_say_the_same(client):
    whole = client.models.generate_content(model="gemini-3-flash", contents="tell of trees")
    chunks = list(client.models.generate_content_stream(model="gemini-3-flash", contents="tell of trees"))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert "tell of trees" in whole.text and whole.model_version == "gemini-3-flash"
    assert len(chunks) > 3 and chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_tool_call_then_text(client):
    contents = [types.Content(role="user", parts=[types.Part(text="use tool get_weather")])]
    first = client.models.generate_content(model="m", contents=contents, config=CONFIG)
    (call,) = first.function_calls
    assert (call.name, call.args) == ("get_weather", {"in_city": "example in city"})
    contents += [
        first.candidates[0].content,
        types.Content(
            role="user",
            parts=[types.Part.from_function_response(name="get_weather", response={"sky": "clear"})],
        ),
    ]
    stream = client.models.generate_content_stream(model="m", contents=contents, config=CONFIG)
    assert 'get_weather said "{"sky":"clear"}"' in "".join(chunk.text for chunk in stream)


def test_thoughts_are_outside_the_candidates_count(client):
    whole = client.models.generate_content(model="m", contents="x [[offline: thinking]]")
    usage = whole.usage_metadata
    assert whole.candidates[0].content.parts[0].thought
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )


def test_structured_output_and_count(client):
    config = types.GenerateContentConfig(
        response_mime_type="application/json",
        response_schema={"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]},
    )
    assert json.loads(client.models.generate_content(model="m", contents="x", config=config).text) == {"n": 1}
    assert client.models.count_tokens(model="m", contents="twelve chars").total_tokens > 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "error"), [(429, errors.ClientError), (503, errors.ServerError)])
def test_errors(client, status, error, stream):
    call = client.models.generate_content_stream if stream else client.models.generate_content
    with pytest.raises(error) as caught:
        list(call(model="m", contents=f"[[offline: status={status}]]"))
    assert caught.value.code == status
    assert caught.value.status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")


@pytest.mark.parametrize(
    ("directive", "error"),
    [
        ("cut=2", (httpx.TransportError, httpx2.TransportError)),
        ("error_event status=503", errors.APIError),
        ("garbage", (ValueError, errors.APIError)),
    ],
)
def test_stream_faults(client, directive, error):
    with pytest.raises(error):
        list(client.models.generate_content_stream(model="m", contents=f"x [[offline: {directive}]]"))


def test_event_stream_has_crlf_and_the_other_stream_is_one_array(http):
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    events = http.post(f"{PATH}streamGenerateContent?alt=sse", json=body)
    array = http.post(f"{PATH}streamGenerateContent", json=body)
    assert events.headers["content-type"] == "text/event-stream"
    assert events.text.endswith("\r\n\r\n") and "\n\n" not in events.text
    chunks = [json.loads(line.removeprefix("data: ")) for line in events.text.split("\r\n\r\n") if line]
    assert array.headers["content-type"].startswith("application/json")
    assert array.json() == chunks


def test_errors_of_the_array_are_in_an_array(http):
    body = {"contents": [{"parts": [{"text": "x [[offline: error_event=2 status=503]]"}]}]}
    *_, last = http.post(f"{PATH}streamGenerateContent", json=body).json()
    assert last["error"]["status"] == "UNAVAILABLE"
    body = {"contents": [{"parts": [{"text": "[[offline: status=429]]"}]}]}
    refused = http.post(f"{PATH}streamGenerateContent", json=body)
    assert refused.status_code == 429 and refused.json()[0]["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_snake_case_keys_are_read_and_schemas_left_alone(http):
    schema = {"type": "object", "properties": {"my_key": {"type": "string"}}, "required": ["my_key"]}
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"function_declarations": [{"name": "f", "parameters": schema}]}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    }
    part = http.post(f"{PATH}generateContent", json=body).json()["candidates"][0]["content"]["parts"][0]
    assert part["functionCall"] == {"name": "f", "args": {"my_key": "example my key"}}
