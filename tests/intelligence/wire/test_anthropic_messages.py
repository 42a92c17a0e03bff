import pytest

from tests.intelligence.wire.answers import read, sse, tokens, tools

START_USAGE = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 40,
    "output_tokens": 1,
}


def event(kind, **more):
    return (kind, {"type": kind, **more})


def block(index, **content):
    return event("content_block_start", index=index, content_block=content)


def delta(index, **more):
    return event("content_block_delta", index=index, delta=more)


START = event(
    "message_start", message={"model": "claude-x", "content": [], "stop_reason": None, "usage": START_USAGE}
)
PING = event("ping")
STREAM = [
    START,
    block(0, type="thinking", thinking="", signature=""),
    delta(0, type="thinking_delta", thinking="Hm"),
    delta(0, type="signature_delta", signature="c2ln"),
    event("content_block_stop", index=0),
    block(1, type="redacted_thinking", data="x"),
    event("content_block_stop", index=1),
    PING,
    block(2, type="text", text=""),
    delta(2, type="text_delta", text="Hé"),
    PING,
    delta(2, type="text_delta", text="llo"),
    delta(2, type="citations_delta", citation={}),
    event("content_block_stop", index=2),
    block(3, type="server_tool_use", id="s", name="web_search", input={}),
    delta(3, type="input_json_delta", partial_json='{"query": "x"}'),
    event("content_block_stop", index=3),
    block(
        4,
        type="web_search_tool_result",
        tool_use_id="s",
        content=[{"type": "web_search_result", "title": "no text"}],
    ),
    event("content_block_stop", index=4),
    block(5, type="tool_use", id="t", name="add", input={}),
    delta(5, type="input_json_delta", partial_json=""),
    delta(5, type="input_json_delta", partial_json='{"a":'),
    delta(5, type="input_json_delta", partial_json=" 1}"),
    event("content_block_stop", index=5),
    block(6, type="tool_use", id="u", name="now", input={}),
    event("content_block_stop", index=6),
]
END = [
    event(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={"input_tokens": None, "output_tokens": 25, "output_tokens_details": {"thinking_tokens": 7}},
    ),
    event("message_stop"),
]


def test_stream():
    answer = read("anthropic-messages", sse(*STREAM, *END))
    assert (answer.model, answer.finish_reason, answer.terminal) == ("claude-x", "tool_use", True)
    assert (answer.text, answer.reasoning) == ("Héllo", "Hm")
    assert tools(answer) == [("t", "add", '{"a": 1}'), ("u", "now", "{}")]
    assert [(c.id, c.name, c.arguments) for c in answer.server_tool_calls] == [
        ("s", "web_search", '{"query": "x"}')
    ]
    assert tokens(answer) == (143, 25, 40, 100, 7)
    assert answer.usage_raw == START_USAGE | {
        "output_tokens": 25,
        "output_tokens_details": {"thinking_tokens": 7},
    }


def test_pings_may_stand_anywhere():
    events = [*STREAM, *END]
    everywhere = [PING, *(one for event in events for one in (event, PING))]
    assert read("anthropic-messages", sse(*everywhere)) == read("anthropic-messages", sse(*events))


def test_counts_replace_and_never_add():
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 50,
        "output_tokens": 9,
    }
    body = sse(
        START, *(event("message_delta", delta={}, usage=usage | {"output_tokens": n}) for n in (4, 9)), END[1]
    )
    assert tokens(read("anthropic-messages", body)) == (153, 9, 50, 100, None)


def test_whole():
    body = {
        "type": "message", "model": "claude-x", "stop_reason": "end_turn", "usage": START_USAGE,
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}},
            {"type": "mcp_tool_use", "id": "m", "name": "fetch", "input": {}},
        ],
    }  # fmt: skip
    answer = read("anthropic-messages", body)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Hi", "Hm", "end_turn")
    assert tools(answer) == [("t", "add", '{"a":1}')]
    assert [c.name for c in answer.server_tool_calls] == ["fetch"]
    assert tokens(answer) == (143, 1, 40, 100, None)


@pytest.mark.parametrize("told", [9, 10, 12, 20, 22])
def test_a_stream_that_breaks_off_keeps_what_came(told):
    answer = read("anthropic-messages", sse(*STREAM[:told]))
    assert answer.terminal is False
    assert answer.reasoning == "Hm"
    assert answer.text == {9: "", 10: "Hé"}.get(told, "Héllo")
    assert tools(answer) == {20: [("t", "add", "{}")], 22: [("t", "add", '{"a":')]}.get(told, [])


def test_overloaded_in_a_stream():
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    answer = read("anthropic-messages", sse(*STREAM[:10], error))
    assert (answer.error_type, answer.error_message) == ("overloaded_error", "Overloaded")
    assert (answer.text, answer.terminal) == ("Hé", True)


@pytest.mark.parametrize("status", [200, 429, 529])
def test_error_body(status):
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow."}, "request_id": "r"}
    answer = read("anthropic-messages", body, status=status)
    assert (answer.error_type, answer.error_message) == ("rate_limit_error", "Slow.")


def test_count_tokens():
    answer = read("anthropic-messages", {"input_tokens": 11}, operation="count_tokens")
    assert tokens(answer) == (11, None, None, None, None)
    assert answer.terminal


def test_old_completions():
    pieces = [
        event("completion", completion=c, stop_reason=r, model="claude-2")
        for c, r in (("Hi", None), ("", "stop_sequence"))
    ]
    answer = read("anthropic-complete", sse(*pieces))
    assert (answer.text, answer.finish_reason, answer.model, answer.terminal) == (
        "Hi",
        "stop_sequence",
        "claude-2",
        True,
    )
