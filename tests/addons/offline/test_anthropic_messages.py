"""Messages, with the Anthropic SDK on the other side."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import anthropic
import httpx2
import pytest

from addons.offline.server import OfflineProvider

TOOLS = [
    {
        "name": "Read",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
    {"name": "Now", "input_schema": {"type": "object", "properties": {}}},
    {"type": "web_search_20250305", "name": "web_search"},
]


@pytest.fixture
def client(provider: OfflineProvider, trust: ssl.SSLContext) -> Iterator[anthropic.Anthropic]:
    with anthropic.DefaultHttpxClient(verify=trust) as http:
        yield anthropic.Anthropic(
            api_key="sk-ant-test", base_url=provider.url, http_client=http, max_retries=0
        )


def options(prompt: str, **more) -> dict:
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": prompt}],
        **more,
    }


def streamed(client, **body):
    with client.messages.stream(**body) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("directive", ["", "[[offline: thinking]]"])
def test_whole_and_streamed_are_the_same_message(client, directive):
    body = options(f"compare {directive}", system="Be fair.")
    whole, assembled = client.messages.create(**body), streamed(client, **body)
    said = [
        [(b.type, getattr(b, "text", None) or b.thinking) for b in message.content]
        for message in (whole, assembled)
    ]
    assert said[0] == said[1]
    assert (assembled.id, assembled.stop_reason, assembled.usage.output_tokens) == (
        whole.id,
        "end_turn",
        whole.usage.output_tokens,
    )
    assert [b.type for b in whole.content] == (["thinking", "text"] if directive else ["text"])
    assert whole._request_id.startswith("req_")


def test_tools_then_text(client):
    body = options('use tool Read with {"path": "/etc/hosts"}, then use tool Now', tools=TOOLS)
    message = streamed(client, **body)
    read, now = message.content
    assert message.stop_reason == "tool_use"
    assert (read.name, read.input, now.name, now.input) == ("Read", {"path": "/etc/hosts"}, "Now", {})
    results = [{"type": "tool_result", "tool_use_id": read.id, "content": "127.0.0.1 localhost"}]
    reminder = {"type": "text", "text": "<system-reminder>use tool Now</system-reminder>"}
    turns = [
        *body["messages"],
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": [*results, reminder]},
    ]
    answer = client.messages.create(**{**body, "messages": turns})
    assert answer.stop_reason == "end_turn"
    assert 'Read said "127.0.0.1 localhost"' in answer.content[0].text


def test_forced_tool_and_provider_run_tools_are_not_called(client):
    forced = client.messages.create(**options("hi", tools=TOOLS, tool_choice={"type": "tool", "name": "Now"}))
    assert forced.content[0].name == "Now"
    searched = client.messages.create(**options("use tool web_search", tools=TOOLS[::-1]))
    assert searched.content[0].name == "Now"


def test_cache_marks(client):
    system = [{"type": "text", "text": "Long rules. " * 600, "cache_control": {"type": "ephemeral"}}]
    first = client.messages.create(**options("one", system=system)).usage
    second = client.messages.create(**options("two", system=system)).usage
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens > 1024
    assert first.cache_read_input_tokens == second.cache_creation_input_tokens == 0
    assert second.input_tokens < 50


def test_count_tokens(client):
    body = options("count me")
    del body["max_tokens"]
    counted = client.messages.count_tokens(**body).input_tokens
    assert counted == client.messages.create(**options("count me")).usage.input_tokens


def test_max_tokens(client):
    message = client.messages.create(**options("a long story", max_tokens=1))
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 1)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_errors(client, status, error, kind):
    with pytest.raises(error) as caught:
        client.messages.create(**options(f"[[offline: status={status}]]"))
    assert caught.value.status_code == status
    assert caught.value.body["error"]["type"] == kind


@pytest.mark.parametrize(
    ("directive", "error"),
    [
        ("error_event=4", anthropic.APIStatusError),
        ("cut=3", httpx2.RemoteProtocolError),  # the SDK lets it through
        ("garbage", (ValueError, anthropic.APIError)),
    ],
)
def test_stream_faults(client, directive, error):
    with pytest.raises(error) as caught:
        streamed(client, **options(f"x [[offline: {directive}]]"))
    if directive.startswith("error_event"):
        assert "overloaded_error" in str(caught.value)


def test_eof_leaves_no_stop_reason(client):
    events = list(client.messages.create(**options("x [[offline: eof=4]]"), stream=True))
    assert [event.type for event in events][-1] == "content_block_delta"


def test_models(client):
    assert "claude-sonnet-4-6" in [model.id for model in client.models.list()]
