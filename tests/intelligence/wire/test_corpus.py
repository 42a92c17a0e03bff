"""Every recorded exchange, read back: model, finish reason, counts, tools, text."""

import hashlib
import json

import pytest

from intelligence.wire.answer import Answer, AnswerReader
from tests.intelligence.wire import corpus

pytestmark = pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")


def read(exchange, target) -> Answer:
    reader = AnswerReader(
        target.format,
        target.operation,
        status_code=exchange["response_status"],
        headers=exchange["response_headers"],
        path=exchange["path"],
    )
    reader.feed(corpus.body_of(exchange, "response"))
    return reader.finish()


def differences(exchange, target, answer: Answer):
    expected = exchange["expected"]
    if answer.model != expected["model"]:
        yield "model", answer.model, expected["model"]
    # The corpus has a number where enums came as numbers.
    if answer.finish_reason != (expected["finish_reason"] and str(expected["finish_reason"])):
        yield "finish_reason", answer.finish_reason, expected["finish_reason"]
    for field, value in corpus.otel(target.format, expected).items():
        if getattr(answer, field) != value:
            yield field, getattr(answer, field), value
    # Of embeddings and counting the corpus keeps the counts but not where they stood.
    if answer.usage_raw != expected["usage_raw"] and target.operation not in ("embeddings", "count_tokens"):
        yield "usage_raw", answer.usage_raw, expected["usage_raw"]
    names = [call.name for call in answer.tool_calls]
    if names != expected["tool_calls"]:
        yield "tool_calls", names, expected["tool_calls"]
    arguments = [parsed(call.arguments) for call in answer.tool_calls]
    if arguments != [parsed(a) for a in expected["tool_args"]]:
        yield "tool_args", arguments, expected["tool_args"]
    if [c.name for c in answer.server_tool_calls] != expected.get("server_tool_calls", []):
        yield "server_tool_calls", answer.server_tool_calls, expected.get("server_tool_calls")
    digest = hashlib.sha256(answer.text.encode()).hexdigest()[:16] if answer.text else None
    if digest != expected["text_sha256"]:
        yield "text", answer.text[:300], expected["text_prefix"][:300]
    reasoning = (len(answer.reasoning), answer.reasoning[:120])
    wanted = (expected.get("reasoning_len", 0), expected.get("reasoning_prefix", ""))
    # Of Cohere the corpus keeps the thinking, and no `tool_plan`, which is reasoning too.
    if reasoning != wanted and not (target.format == "cohere-v2" and "reasoning_len" not in expected):
        yield "reasoning", reasoning, wanted
    if "error" in expected:
        if (answer.error_message or "") != (expected["error"]["message"] or ""):
            yield "error", answer.error_message, expected["error"]
    elif answer.error_message is not None:
        yield "error", answer.error_message, None
    if exchange["response_status"] == 200 and answer.terminal is False:
        yield "terminal", answer.terminal, True


def parsed(arguments):
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


@pytest.mark.parametrize("file", corpus.FILES)
def test_answers(file):
    wrong = []
    for exchange in corpus.exchanges(file):
        target = corpus.target_of(exchange)
        if target is None or exchange["format"] in ("other", "realtime-ws"):
            continue  # nothing is expected of "other"
        for field, got, wanted in differences(exchange, target, read(exchange, target)):
            if field != corpus.EXCEPTIONS.get(exchange["id"]):
                wrong.append(
                    f"{exchange['id']} {target.format} {exchange['framing']} {field}: {got!r} != {wanted!r}"
                )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("file", corpus.FILES)
def test_what_is_no_llm_call(file):
    for exchange in corpus.exchanges(file):
        if exchange["framing"] != "websocket" and corpus.target_of(exchange) is None:
            assert exchange["format"] == "other", exchange["path"]
