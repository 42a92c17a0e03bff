import pytest

from tests.intelligence.wire.answers import ndjson, read, sse, tokens, tools

UNITS = {
    "billed_units": {"input_tokens": 12, "output_tokens": 40},
    "tokens": {"input_tokens": 212, "output_tokens": 49},
}


def event(kind, **more):
    return (kind, {"type": kind, **more})


def delta(kind, **message):
    return event(kind, index=0, delta={"message": message})


STREAM = [
    event("message-start", id="m", delta={"message": {"role": "assistant", "content": [], "tool_plan": ""}}),
    delta("tool-plan-delta", tool_plan="I will "),
    delta("tool-plan-delta", tool_plan="add."),
    delta(
        "tool-call-start",
        tool_calls={"id": "c", "type": "function", "function": {"name": "add", "arguments": ""}},
    ),
    delta("tool-call-delta", tool_calls={"function": {"arguments": '{"a"'}}),
    delta("tool-call-delta", tool_calls={"function": {"arguments": ":1}"}}),
    event("tool-call-end", index=0),
    delta("content-start", content={"type": "text", "text": ""}),
    delta("content-delta", content={"text": "Hé"}),
    delta("content-delta", content={"text": "llo"}),
    event("content-end", index=0),
    event("message-end", delta={"finish_reason": "TOOL_CALL", "usage": UNITS | {"cached_tokens": 208}}),
]


def test_v2_stream():
    answer = read("cohere-v2", sse(*STREAM, done=True))
    assert (answer.finish_reason, answer.terminal, answer.model) == ("TOOL_CALL", True, None)
    assert (answer.text, answer.reasoning) == ("Héllo", "I will add.")
    assert tools(answer) == [("c", "add", '{"a":1}')]
    assert tokens(answer) == (212, 49, 208, None, None)


def test_v2_whole():
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    message = {
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
        "tool_calls": [call],
    }
    answer = read("cohere-v2", {"id": "m", "finish_reason": "COMPLETE", "message": message, "usage": UNITS})
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Hi", "Hm", "COMPLETE")
    assert tools(answer) == [("c", "add", '{"a":1}')]
    assert tokens(answer)[:2] == (212, 49)


def test_v1_whole():
    body = {
        "text": "Hi",
        "finish_reason": "COMPLETE",
        "tool_calls": [{"name": "add", "parameters": {"a": 1}}],
        "meta": UNITS,
    }
    answer = read("cohere-v1", body)
    assert (answer.text, answer.finish_reason, tokens(answer)[:2]) == ("Hi", "COMPLETE", (212, 49))
    assert tools(answer) == [(None, "add", '{"a":1}')]
    assert answer.usage_raw == UNITS


def test_v1_stream_tells_all_again_at_its_end():
    body = ndjson(
        {"is_finished": False, "event_type": "stream-start", "generation_id": "g"},
        {"is_finished": False, "event_type": "text-generation", "text": "H"},
        {"is_finished": False, "event_type": "text-generation", "text": "i"},
        {"is_finished": False, "event_type": "tool-calls-generation", "tool_calls": [{"name": "add", "parameters": {}}]},
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE",
         "response": {"text": "Hi", "tool_calls": [{"name": "add", "parameters": {}}], "meta": UNITS}},
    )  # fmt: skip
    answer = read("cohere-v1", body, "application/stream+json")
    assert (answer.text, tools(answer)) == ("Hi", [(None, "add", "{}")])
    assert (answer.finish_reason, tokens(answer)[:2], answer.terminal) == ("COMPLETE", (212, 49), True)


def test_generate():
    body = {
        "generations": [{"text": "Hi", "finish_reason": "COMPLETE"}],
        "meta": {"billed_units": {"input_tokens": 5}},
    }
    answer = read("cohere-v1", body, operation="text_completion")
    assert (answer.text, answer.finish_reason, answer.input_tokens) == ("Hi", "COMPLETE", 5)


@pytest.mark.parametrize("body", [{"message": "model removed"}, {"id": "x", "message": "model removed"}])
def test_error(body):
    assert read("cohere-v2", body, status=404).error_message == "model removed"
