import pytest

from tests.intelligence.wire.answers import JSON, NDJSON, ndjson, read, tokens, tools

DONE = {
    "model": "q",
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 21,
    "eval_count": 8,
    "total_duration": 1,
}


def line(**message):
    return {"model": "q", "created_at": "…", "message": {"role": "assistant", **message}, "done": False}


LINES = [
    line(content="", thinking="Hm"),
    line(content="Hé"),
    line(content="llo"),
    line(content="", tool_calls=[{"function": {"name": "add", "arguments": {"a": 1}}}]),
    DONE | {"message": {"role": "assistant", "content": ""}},
]


@pytest.mark.parametrize("content_type", [NDJSON, JSON, "text/plain"])
def test_stream(content_type):
    answer = read("ollama", ndjson(*LINES), content_type)
    assert (answer.model, answer.finish_reason, answer.terminal) == ("q", "stop", True)
    assert (answer.text, answer.reasoning) == ("Héllo", "Hm")
    assert tools(answer) == [(None, "add", '{"a":1}')]
    assert tokens(answer) == (21, 8, None, None, None)
    assert answer.usage_raw == {"prompt_eval_count": 21, "eval_count": 8}


def test_whole_and_generate():
    assert read("ollama", DONE | {"message": {"content": "Hi"}}).text == "Hi"
    assert read("ollama", DONE | {"response": "Hi", "thinking": "Hm"}).reasoning == "Hm"
    body = ndjson({"model": "q", "response": "H", "done": False}, DONE | {"response": "i"})
    assert read("ollama", body, NDJSON).text == "Hi"


def test_a_prompt_from_cache_is_not_counted():
    answer = read("ollama", {"model": "q", "done": True, "eval_count": 3, "message": {"content": "Hi"}})
    assert tokens(answer)[:2] == (None, 3)


def test_a_stream_that_breaks_off():
    answer = read("ollama", ndjson(*LINES[:3]), NDJSON)
    assert (answer.text, answer.terminal) == ("Héllo", False)


@pytest.mark.parametrize("body", [{"error": "model 'x' not found"}])
def test_error(body):
    answer = read("ollama", body, status=404)
    assert (answer.error_type, answer.error_message) == (None, "model 'x' not found")
    assert read("ollama", ndjson(LINES[1], body), NDJSON).error_message == "model 'x' not found"


def test_embeddings():
    answer = read(
        "ollama", {"model": "e", "embeddings": [[0.1]], "prompt_eval_count": 2}, operation="embeddings"
    )
    assert (answer.model, answer.input_tokens, answer.terminal) == ("e", 2, True)
