"""Chat completions, with the OpenAI SDK on the other side."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import openai
import pytest
from pydantic import BaseModel

from addons.offline.server import OfflineProvider

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def client(provider: OfflineProvider, trust: ssl.SSLContext) -> Iterator[openai.OpenAI]:
    with openai.DefaultHttpxClient(verify=trust) as http:
        yield openai.OpenAI(api_key="sk-test", base_url=f"{provider.url}/v1", http_client=http, max_retries=0)


def ask(prompt: str) -> list:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]


def test_whole_and_streamed_say_the_same(client):
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=ask("why is the sky blue"))
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=ask("why is the sky blue"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert "why is the sky blue" in text
    assert whole.choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert {chunk.id for chunk in chunks} == {whole.id}
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole.usage.completion_tokens > 5


def test_a_stream_has_usage_only_if_asked(client):
    stream = client.chat.completions.create(model="m", messages=ask("hi"), stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in stream)


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_then_text(client, stream):
    messages = ask('please use tool get_weather with {"city": "Oslo", "days": 3} now')
    with client.chat.completions.stream(model="m", messages=messages, tools=[CLOCK, WEATHER]) as events:
        streamed = events.get_final_completion().choices[0]
    whole = client.chat.completions.create(model="m", messages=messages, tools=[CLOCK, WEATHER]).choices[0]
    choice = streamed if stream else whole
    call = choice.message.tool_calls[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert call.function.name == "get_weather" and call.id == whole.message.tool_calls[0].id
    assert json.loads(call.function.arguments) == {"city": "Oslo", "days": 3}

    messages += [
        whole.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "14 degrees"},
    ]
    answer = client.chat.completions.create(model="m", messages=messages, tools=[CLOCK, WEATHER]).choices[0]
    assert answer.finish_reason == "stop"
    assert 'get_weather said "14 degrees"' in answer.message.content


def test_arguments_fit_the_schema_and_first_tool_is_the_default(client):
    whole = client.chat.completions.create(model="m", messages=ask("call the tool"), tools=[WEATHER, CLOCK])
    call = whole.choices[0].message.tool_calls[0].function
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"city": "example city", "days": 2}


def test_two_tools_in_one_answer(client):
    messages = ask("use tool clock and then use the get_weather tool")
    calls = client.chat.completions.create(model="m", messages=messages, tools=[WEATHER, CLOCK])
    names = [call.function.name for call in calls.choices[0].message.tool_calls]
    assert names == ["clock", "get_weather"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", None),
        ("auto", None),
        ("required", "get_weather"),
        ({"type": "function", "function": {"name": "clock"}}, "clock"),
    ],
)
def test_tool_choice(client, choice, called):
    prompt = "call the tool" if choice == "none" else "hello"
    message = (
        client.chat.completions.create(
            model="m", messages=ask(prompt), tools=[WEATHER, CLOCK], tool_choice=choice
        )
        .choices[0]
        .message
    )
    assert (message.tool_calls[0].function.name if message.tool_calls else None) == called


def test_structured_output(client):
    class Verdict(BaseModel):
        ok: bool
        reasons: list[str]

    parsed = client.chat.completions.parse(model="m", messages=ask("judge"), response_format=Verdict)
    assert parsed.choices[0].message.parsed == Verdict(ok=True, reasons=["example reasons"])


def test_max_tokens_cuts_the_answer(client):
    whole = client.chat.completions.create(model="m", messages=ask("a long story"), max_tokens=4)
    assert whole.choices[0].finish_reason == "length"
    assert len(whole.choices[0].message.content) == 16
    assert whole.usage.completion_tokens == 4


def test_a_resent_history_reports_cached_tokens(client):
    messages = ask("remember this: " + "one two three four " * 400)
    first = client.chat.completions.create(model="m", messages=messages).usage
    again = [*messages, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "and now?"}]
    second = client.chat.completions.create(model="m", messages=again).usage
    assert first.prompt_tokens_details.cached_tokens == 0
    assert 1024 <= second.prompt_tokens_details.cached_tokens < second.prompt_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_errors(client, status, error, stream):
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            model="m", messages=ask(f"[[offline: status={status} retry_after=2]]"), stream=stream
        )
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.body["message"] == "The offline provider was asked to fail."


def test_a_fault_with_times_is_overcome_by_a_retry(client):
    prompt = "[[offline: status=429 retry_after=0.01 times=1]] and then?"
    whole = client.with_options(max_retries=1).chat.completions.create(model="m", messages=ask(prompt))
    assert "and then?" in whole.choices[0].message.content


def test_an_unknown_directive_is_refused(client):
    with pytest.raises(openai.BadRequestError, match=r"Unknown offline directive 'statsu'"):
        client.chat.completions.create(model="m", messages=ask("[[offline: statsu=500]]"))


def test_cut(client):
    stream = client.chat.completions.create(model="m", messages=ask("x [[offline: cut=3]]"), stream=True)
    got = []
    with pytest.raises(openai.APIConnectionError):
        got.extend(stream)
    assert len(got) == 3


def test_cut_of_a_whole_answer(client):
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="m", messages=ask("x [[offline: cut]]"))


def test_eof_ends_without_finish_reason(client):
    chunks = list(
        client.chat.completions.create(model="m", messages=ask("x [[offline: eof=2]]"), stream=True)
    )
    assert len(chunks) == 2 and chunks[-1].choices[0].finish_reason is None


def test_error_event_inside_the_stream(client):
    stream = client.chat.completions.create(
        model="m", messages=ask("x [[offline: error_event=2 status=503]]"), stream=True
    )
    with pytest.raises(openai.APIError, match="asked to fail") as caught:
        list(stream)
    assert caught.value.code == "overloaded"


@pytest.mark.parametrize("stream", [False, True])
def test_garbage(client, stream):
    with pytest.raises((ValueError, openai.APIError)):
        list(client.chat.completions.create(model="m", messages=ask("x [[offline: garbage]]"), stream=stream))


def test_length_and_reasoning(client):
    whole = client.chat.completions.create(model="m", messages=ask("x [[offline: length=2000 thinking]]"))
    assert len(whole.choices[0].message.content.split()) == 2000
    assert whole.usage.completion_tokens_details.reasoning_tokens > 0
    assert whole.choices[0].message.reasoning_content
