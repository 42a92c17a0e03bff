"""What is common to all formats: framing, compression, errors, ends, and that nothing raises."""

import gzip
import itertools
import json
import time

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire import answer as answers
from intelligence.wire.answer import Answer, AnswerReader
from intelligence.wire.paths import FORMATS
from tests.intelligence.wire import corpus
from tests.intelligence.wire.answers import JSON, NDJSON, SSE, read, reader, sse

CHUNKS = [{"model": "m", "choices": [{"index": 0, "delta": {"content": text}}]} for text in ("Hé", "llo 😀")]
STREAM = sse(*CHUNKS, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, done=True)
WHOLE = json.dumps(
    {"model": "m", "choices": [{"message": {"content": "Héllo 😀"}, "finish_reason": "stop"}]}
).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        SSE,
        "text/event-stream",
        "text/event-stream;charset=UTF-8",
        JSON,
        "text/plain",
        "",
        "Text/Event-Stream",
    ],
)
@pytest.mark.parametrize(
    "body", [STREAM, b": hello\n\n" + STREAM, b"\n\n" + STREAM, WHOLE, b"\xef\xbb\xbf" + WHOLE]
)
def test_framing_is_told_by_the_first_byte_too(content_type, body):
    answer = reader("openai-chat", content_type=content_type)
    answer.feed(body[:3])
    answer.feed(body[3:])
    found = answer.finish()
    assert (found.text, found.finish_reason, found.terminal) == ("Héllo 😀", "stop", True)


ENCODERS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_compressed_and_cut(encoding):
    packed = ENCODERS[encoding](STREAM)
    answer = reader("openai-chat", content_type=SSE, content_encoding=encoding)
    for i in range(len(packed)):
        answer.feed(packed[i : i + 1])
    assert answer.finish().text == "Héllo 😀"


def test_compressed_and_broken_keeps_what_came():
    packed = gzip.compress(STREAM * 20)
    answer = reader("openai-chat", content_type=SSE, content_encoding="gzip")
    answer.feed(packed[: len(packed) * 7 // 8] + b"\xff" * 50)
    assert answer.finish().text.startswith("Hé")


def test_headers_as_mapping_or_pairs_in_any_case():
    for headers in (
        {"Content-Type": JSON, "CONTENT-ENCODING": "gzip"},
        [("Content-Type", JSON), ("content-encoding", "gzip")],
    ):
        answer = AnswerReader("openai-chat", "chat", status_code=200, headers=headers)
        answer.feed(gzip.compress(WHOLE))
        assert answer.finish().text == "Héllo 😀"


def test_saw_token_with_the_first_content():
    answer = reader("openai-chat", content_type=SSE)
    answer.feed(sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}))
    assert not answer.saw_token
    answer.feed(sse(CHUNKS[0]))
    assert answer.saw_token


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (
            "anthropic-messages",
            ("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}}),
        ),
        ("openai-responses", ("response.output_text.delta", {"output_index": 0, "delta": "H"})),
        ("openai-responses", ("response.function_call_arguments.delta", {"output_index": 0, "delta": "{"})),
        ("gemini", {"candidates": [{"content": {"parts": [{"text": "H"}]}}]}),
        ("cohere-v2", ("content-delta", {"delta": {"message": {"content": {"text": "H"}}}})),
    ],
)
def test_saw_token_of_formats(first, rest):
    answer = reader(first, content_type=SSE)
    answer.feed(sse(rest))
    assert answer.saw_token


# Format, status, content type, body -> terminal, error message.
ENDS = {
    "truncated JSON": ("openai-chat", 200, JSON, WHOLE[:-5], False, None),
    "empty": ("openai-chat", 200, JSON, b"", False, None),
    "empty stream": ("openai-chat", 200, SSE, b"", False, None),
    "comments only": ("openai-chat", 200, SSE, b": waiting\n\n", False, None),
    "stream cut": ("openai-chat", 200, SSE, STREAM[:100], False, None),
    "speech": ("openai-audio", 200, "audio/mpeg", b"\xff\xfb\x90", None, None),
    "protobuf": ("cursor", 200, "application/connect+proto", b"\0\0\0\0\5hello", None, None),
    "unknown format, stream": ("unknown", 200, SSE, STREAM, True, None),
    "unknown format, JSON": ("unknown", 200, JSON, b'{"a": 1}', True, None),
    "unknown events": ("openai-chat", 200, SSE, sse({"value": "x"}), None, None),
    "error page": (
        "openai-chat",
        502,
        "text/html",
        b"<html>Bad gateway</html>",
        None,
        "<html>Bad gateway</html>",
    ),
    "error text": ("openai-chat", 404, "text/plain", b"Not Found", None, "Not Found"),
    "error text said to be JSON": ("openai-chat", 500, JSON, b"upstream", False, "upstream"),
    "error without a body": ("openai-chat", 500, JSON, b"", False, None),
    "error JSON as event stream": ("openai-chat", 400, SSE, b'{"error":{"message":"No."}}', True, "No."),
    "error of a framework": (
        "openai-chat",
        422,
        JSON,
        b'{"detail":[{"msg":"No."}]}',
        True,
        '[{"msg":"No."}]',
    ),
    "error nobody knows": ("openai-chat", 400, JSON, b'{"oops": 1}', True, None),
    "error of no format": (None, 400, JSON, b'{"error":"No."}', True, "No."),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends(name):
    format_, status, content_type, body, terminal, message = ENDS[name]
    answer = read(format_, body, content_type, status=status)
    assert (answer.terminal, answer.error_message) == (terminal, message)


def test_finish_twice_is_the_same():
    answer = reader("openai-chat", content_type=SSE)
    answer.feed(STREAM)
    assert answer.finish() is answer.finish()


def test_an_event_too_long_to_hold_costs_that_event_only():
    answer = reader("openai-chat", content_type=SSE)
    answer.feed(sse(CHUNKS[0]) + b"data: ")
    start = time.process_time()
    for _ in range(500):
        answer.feed(b"x" * 100_000)
    answer.feed(b"\n\n" + sse(CHUNKS[1]))
    assert answer.finish().text == "Héllo 😀"
    assert time.process_time() - start < 3


def test_events_beyond_any_real_number_are_not_read(monkeypatch):
    monkeypatch.setattr("intelligence.wire.answer.MAX_EVENTS", 5)
    for body in (sse(*[{"choices": [{"delta": {"content": "a"}}]}] * 9), b'{"response": "a"}\n' * 9):
        format_ = "openai-chat" if body.startswith(b"data") else "ollama"
        answer = read(format_, body, None if format_ == "openai-chat" else NDJSON)
        assert (answer.text, answer.terminal) == ("aaaaa", None)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'data: {"choices":' + b"[" * 200_000 + b"\n\n",
        b'{"usage":{"prompt_tokens":' + b"9" * 50_000 + b"}}",
    ],
    ids=["arrays", "objects", "in an event", "a long number"],
)
def test_hostile_json(body):
    for format_ in ("openai-chat", "gemini", "ollama"):
        answer = reader(format_, content_type=JSON)
        answer.feed(body)
        assert isinstance(answer.finish(), Answer)


KEYS = st.sampled_from(
    "choices delta message content text type index usage prompt_tokens prompt_tokens_details tool_calls function name arguments "
    "id finish_reason error code status candidates parts functionCall usageMetadata promptFeedback response output item "
    "output_index content_block partial_json delta event_type meta tokens generations outputs results bytes output toolUse "
    "contentBlockDelta messageStop metadata stopReason done reasoning_details thinking x_groq model details result errors".split()
)
KINDS = st.sampled_from(
    "text thinking tool_use message_start message_delta content_block_start content_block_delta content_block_stop message_stop "
    "error response.created response.completed response.output_item.done response.output_text.delta content-delta message-end "
    "tool-call-start tool-call-delta stream-end input_json_delta function_call message custom reasoning".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(KINDS, VALUES), max_size=6),
    st.sampled_from([200, 400]),
    st.booleans(),
)
def test_any_json(format_, values, status, streamed):
    values = [value | {"type": kind} if isinstance(value, dict) else value for kind, value in values]
    answer = reader(
        format_, status=status, content_type=SSE if streamed else JSON, path="/m:streamGenerateContent"
    )
    answer.feed(sse(*values) if streamed else json.dumps(values[0] if values else None).encode())
    found = answer.finish()
    json.dumps([found.text, found.usage_raw]).encode()
    assert isinstance(found.text, str)
    for count in (found.input_tokens, found.output_tokens, found.cache_read_tokens, found.reasoning_tokens):
        assert count is None or (type(count) is int and count >= 0)
    for call in found.tool_calls + found.server_tool_calls:
        assert isinstance(call.name, str)
        assert isinstance(call.arguments, str)
    for words in (found.model, found.finish_reason, found.error_type, found.error_message):
        assert words is None or isinstance(words.encode(), bytes)


CONTENT_TYPES = [SSE, JSON, "application/x-ndjson", "application/vnd.amazon.eventstream", "text/plain", ""]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([*FORMATS, "unknown", None]),
    st.sampled_from(CONTENT_TYPES),
    st.sampled_from(["", "gzip", "br", "deflate", "zstd"]),
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: ", b"{", b"\n\n", b"[", b'"', STREAM[:50]]),
        max_size=8,
    ),
)
def test_any_bytes(format_, content_type, encoding, pieces):
    answer = reader(format_, content_type=content_type, content_encoding=encoding)
    for piece in pieces:
        answer.feed(piece)
    assert isinstance(answer.finish(), Answer)


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")
def test_recorded_answers_cut_and_damaged(data):
    exchanges = _RECORDED or _RECORDED.extend(_recorded()) or _RECORDED
    exchange, target = data.draw(st.sampled_from(exchanges))
    body = corpus.body_of(exchange, "response")

    def answer(pieces):
        status, headers = exchange["response_status"], exchange["response_headers"]
        found = AnswerReader(
            target.format, target.operation, status_code=status, headers=headers, path=exchange["path"]
        )
        for piece in pieces:
            found.feed(piece)
        return found.finish()

    at = data.draw(st.lists(st.integers(0, len(body)), max_size=6).map(sorted))
    cuts = [0, *at, len(body)]
    assert answer([body[a:b] for a, b in itertools.pairwise(cuts)]) == answer([body])
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 5))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    answer([bytes(damaged[: data.draw(st.integers(0, len(damaged)))])])


_RECORDED: list = []


def _recorded():
    for file in corpus.FILES:
        for exchange in corpus.exchanges(file):
            target = corpus.target_of(exchange)
            if target is not None and exchange["framing"] != "websocket":
                yield exchange, target


@pytest.mark.parametrize(
    ("operation", "size", "terminal", "model"),
    [("embeddings", 40, True, "m"), ("embeddings", 140, None, None), ("chat", 40, None, None)],
)
def test_long_bodies(operation, size, terminal, model, monkeypatch):
    """Vectors may be large; of other bodies too long to hold the end is unknown, not missing."""
    monkeypatch.setattr(answers, "MAX_BODY_BYTES", 32 * 1024)
    monkeypatch.setattr(answers, "MAX_DECODED_BYTES", 128 * 1024)
    monkeypatch.setattr(answers, "_OUTLINE_BYTES", 1024)
    answer = reader("openai-embeddings", operation=operation, content_type=JSON)
    answer.feed(b'{"model": "m", "data": [')
    for _ in range(size):
        answer.feed(b"0.12345, " * 113)
    answer.feed(b'1], "usage": {"prompt_tokens": 3}}')
    found = answer.finish()
    assert (found.terminal, found.model) == (terminal, model)
