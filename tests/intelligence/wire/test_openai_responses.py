import pytest

from tests.intelligence.wire.answers import read, sse, tokens, tools

USAGE = {
    "input_tokens": 9, "output_tokens": 6, "total_tokens": 15,
    "input_tokens_details": {"cached_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 3},
}  # fmt: skip
REASONING = {
    "type": "reasoning",
    "id": "r",
    "summary": [{"type": "summary_text", "text": "Hm"}],
    "encrypted_content": "x",
}
MESSAGE = {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hello"}]}
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "add", "arguments": '{"a":1}'}
SEARCH = {"type": "web_search_call", "id": "ws", "action": {"query": "x"}}
MCP = {"type": "mcp_call", "id": "mc", "name": "fetch", "arguments": "{}"}
RESPONSE = {
    "id": "resp",
    "model": "gpt-x",
    "status": "completed",
    "output": [REASONING, SEARCH, MESSAGE, CALL, MCP],
    "usage": USAGE,
}


def event(kind, **more):
    return (f"response.{kind}", {"type": f"response.{kind}", **more})


# Every text is told five times.
STREAM = [
    event("created", response=RESPONSE | {"status": "in_progress", "output": [], "usage": None}),
    event("output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
    event("reasoning_summary_text.delta", output_index=0, delta="Hm"),
    event("reasoning_summary_text.done", output_index=0, text="Hm"),
    event("output_item.done", output_index=0, item=REASONING),
    event("output_item.done", output_index=1, item=SEARCH),
    event("output_item.added", output_index=2, item={"type": "message", "content": []}),
    event("content_part.added", output_index=2, part={"type": "output_text", "text": ""}),
    event("output_text.delta", output_index=2, delta="Hel", obfuscation="xxx"),
    event("output_text.delta", output_index=2, delta="lo"),
    event("output_text.done", output_index=2, text="Hello"),
    event("content_part.done", output_index=2, part={"type": "output_text", "text": "Hello"}),
    event("output_item.done", output_index=2, item=MESSAGE),
    event("output_item.added", output_index=3, item=CALL | {"arguments": ""}),
    event("function_call_arguments.delta", output_index=3, delta='{"a"'),
    event("function_call_arguments.delta", output_index=3, delta=":1}"),
    event("function_call_arguments.done", output_index=3, arguments='{"a":1}'),
    event("output_item.done", output_index=3, item=CALL),
    event("output_item.done", output_index=4, item=MCP),
]


@pytest.mark.parametrize(
    "body",
    [
        RESPONSE,
        sse(*STREAM, event("completed", response=RESPONSE)),
        sse(*STREAM, event("completed", response=RESPONSE | {"output": []})),
    ],
    ids=["whole", "stream", "stream whose end repeats nothing"],
)
def test_each_text_once(body):
    answer = read("openai-responses", body)
    assert (answer.model, answer.finish_reason, answer.terminal) == ("gpt-x", "completed", True)
    assert (answer.text, answer.reasoning) == ("Hello", "Hm")
    assert tools(answer) == [("c", "add", '{"a":1}')]
    assert [(c.name, c.arguments) for c in answer.server_tool_calls] == [
        ("web_search_call", '{"query":"x"}'),
        ("fetch", "{}"),
    ]
    assert tokens(answer) == (9, 6, 2, None, 3)
    assert answer.usage_raw == USAGE


@pytest.mark.parametrize("told", range(1, len(STREAM) + 1))
def test_a_stream_that_breaks_off_keeps_what_came(told):
    answer = read("openai-responses", sse(*STREAM[:told]))
    assert (answer.terminal, answer.finish_reason) == (False, None)
    assert "Hello".startswith(answer.text)
    assert answer.text == ("" if told < 9 else "Hel" if told == 9 else "Hello")
    assert (answer.reasoning == "Hm") == (told >= 3)
    if told >= 16:
        assert tools(answer) == [("c", "add", '{"a":1}')]


def test_incomplete():
    response = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert (
        read("openai-responses", sse(event("incomplete", response=response))).finish_reason
        == "max_output_tokens"
    )


def test_failed():
    response = {
        "id": "r",
        "model": "m",
        "status": "failed",
        "output": [],
        "error": {"code": "server_error", "message": "Oh."},
    }
    answer = read("openai-responses", sse(event("failed", response=response)))
    assert (answer.error_type, answer.error_message) == ("server_error", "Oh.")
    assert (answer.finish_reason, answer.terminal) == ("failed", True)


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "rate_limit", "message": "Slow.", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"type": "rate_limit", "message": "Slow."}},
    ],
)
def test_error_event(error):
    answer = read("openai-responses", sse(*STREAM[:10], ("error", error)))
    assert (answer.error_type, answer.error_message, answer.terminal) == ("rate_limit", "Slow.", True)
    assert answer.text == "Hello"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "ls"}, ("c", "exec", "ls")),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"cmd": "ls"}},
            ("c", "local_shell_call", '{"cmd":"ls"}'),
        ),
        (
            {"type": "computer_call", "call_id": "c", "action": {"type": "click"}},
            ("c", "computer_call", '{"type":"click"}'),
        ),
    ],
)
def test_calls_the_client_must_run(item, expected):
    assert tools(read("openai-responses", RESPONSE | {"output": [item]})) == [expected]


def test_refusal_is_text():
    output = [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]
    assert read("openai-responses", RESPONSE | {"output": output}).text == "No."


def test_comments_and_done():
    """As OpenRouter sends it."""
    end = sse(event("completed", response=RESPONSE), done=True)
    body = b": OPENROUTER PROCESSING\n\n: \n\n" + sse(*STREAM[:9]) + b": \n\n" + sse(*STREAM[9:]) + end
    answer = read("openai-responses", body)
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hello", "completed", True)


def test_a_realtime_session_over_http():
    answer = read(
        "openai-realtime", {"object": "realtime.session", "model": "gpt-realtime"}, operation="realtime"
    )
    assert (answer.model, answer.terminal) == ("gpt-realtime", True)
