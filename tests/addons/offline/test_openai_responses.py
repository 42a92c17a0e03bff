"""Responses over HTTP, with the OpenAI SDK on the other side."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import openai
import pytest

from addons.offline.server import OfflineProvider

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"term": {"type": "string"}}, "required": ["term"]},
    "strict": False,
}


@pytest.fixture
def client(provider: OfflineProvider, trust: ssl.SSLContext) -> Iterator[openai.OpenAI]:
    with openai.DefaultHttpxClient(verify=trust) as http:
        yield openai.OpenAI(api_key="sk-test", base_url=f"{provider.url}/v1", http_client=http, max_retries=0)


def test_whole_and_streamed_say_the_same(client):
    whole = client.responses.create(model="gpt-5.2", instructions="Be kind.", input="tell me of bees")
    with client.responses.stream(model="gpt-5.2", instructions="Be kind.", input="tell me of bees") as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    assert final.output_text == whole.output_text and "tell me of bees" in whole.output_text
    assert (final.id, final.usage, final.status) == (whole.id, whole.usage, "completed")
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 3


def test_event_numbers_and_names(http):
    body = {"model": "m", "input": "hi", "stream": True}
    text = http.post("/v1/responses", json=body).text
    events = [block.split("\n") for block in text.strip().split("\n\n")]
    data = [json.loads(line.removeprefix("data: ")) for _, line in events]
    assert [event["sequence_number"] for event in data] == list(range(len(data)))
    assert [name.removeprefix("event: ") for name, _ in events] == [event["type"] for event in data]


def test_tool_call_then_text_by_previous_response(client):
    with client.responses.stream(model="m", input="use tool look_up", tools=[TOOL]) as events:
        done = [e for e in events if e.type == "response.function_call_arguments.done"]
        first = events.get_final_response()
    call = first.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call",
        "look_up",
        {"term": "example term"},
    )
    assert done[0].arguments == call.arguments
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "a small animal"}
    second = client.responses.create(model="m", previous_response_id=first.id, input=[result], tools=[TOOL])
    assert 'look_up said "a small animal"' in second.output_text


def test_custom_and_namespaced_tools_from_an_input_item(client):
    tools = [
        {"type": "custom", "name": "exec"},
        {"type": "namespace", "name": "web", "tools": [{**TOOL, "name": "fetch"}]},
    ]
    items = [
        {"type": "additional_tools", "tools": tools},
        {"role": "user", "content": "use tool fetch, then use tool exec with print(1)"},
    ]
    namespaced, custom = client.responses.create(model="m", input=items).output
    assert (namespaced.type, namespaced.name, namespaced.namespace) == ("function_call", "fetch", "web")
    assert (custom.type, custom.name, custom.input) == ("custom_tool_call", "exec", "print(1)")


def test_reasoning(client):
    final = client.responses.create(model="m", input="x [[offline: thinking]]")
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert 0 < final.usage.output_tokens_details.reasoning_tokens < final.usage.output_tokens


def test_incomplete(client):
    with client.responses.stream(model="m", input="a long story", max_output_tokens=5) as events:
        last = list(events)[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"


def test_structured_output(client):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    assert json.loads(client.responses.create(model="m", input="count", text=text).output_text) == {"n": 1}


@pytest.mark.parametrize(
    ("directive", "error"),
    [
        ("status=429", openai.RateLimitError),
        ("status=500", openai.InternalServerError),
        ("error_event", openai.APIError),
        ("cut=3", openai.APIConnectionError),
    ],
)
def test_faults(client, directive, error):
    with pytest.raises(error):
        list(client.responses.create(model="m", input=f"x [[offline: {directive}]]", stream=True))


def test_compressed_request(http):
    import zstandard

    body = zstandard.compress(json.dumps({"model": "m", "input": "packed question"}).encode())
    answer = http.post("/v1/responses", content=body, headers={"content-encoding": "zstd"}).json()
    assert "packed question" in answer["output"][0]["content"][0]["text"]
