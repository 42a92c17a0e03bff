"""Conversations over a WebSocket, as tables of messages: `>` from the client, `<` from the server."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.websocket import Began, CallSplitter, Ended, FirstToken
from tests.intelligence.wire import corpus


def play(splitter, messages, text=True):
    events = []
    for direction, message in messages:
        events += splitter.feed(direction == ">", text, json.dumps(message).encode())
    return events


def kinds(events):
    return [(type(event).__name__, event.call) for event in events]


def delta(kind, text, **more):
    return ("<", {"type": f"response.{kind}.delta", "output_index": 0, "delta": text, **more})


def completed(output, **more):
    usage = {"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}
    response = {"id": "resp_2", "model": "gpt-x", "status": "completed", "output": output, "usage": usage}
    return ("<", {"type": "response.completed", "response": response | more})


MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
EXEC = {"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "ls -l"}


def test_responses_with_warm_up():
    splitter = CallSplitter("openai-responses")
    events = play(
        splitter,
        [
            (">", {"type": "response.create", "model": "gpt-x", "generate": False, "input": []}),
            ("<", {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-x"}}),
            completed([], id="resp_1", usage=None),
            (
                ">",
                {"type": "response.create", "model": "gpt-x", "input": [{"role": "user", "content": "Hi"}]},
            ),
            ("<", {"type": "codex.rate_limits", "rate_limits": {}}),
            ("<", {"type": "response.created", "response": {"id": "resp_2", "model": "gpt-x"}}),
            delta("output_text", "Hel"),
            delta("output_text", "lo"),
            ("<", {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE}),
            ("<", {"type": "response.output_item.done", "output_index": 1, "item": EXEC}),
            completed([]),
        ],
    )
    assert kinds(events) == [("Began", 0), ("Ended", 0), ("Began", 1), ("FirstToken", 1), ("Ended", 1)]
    assert [event.warm_up for event in events if isinstance(event, Began)] == [True, False]
    asked = events[2]
    assert asked.request.model == "gpt-x"
    assert [part.text for part in asked.request.messages[0].parts] == ["Hi"]
    assert json.loads(asked.body) == {"model": "gpt-x", "input": [{"role": "user", "content": "Hi"}]}
    answer = events[-1].answer
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hello", "completed", True)
    assert (answer.input_tokens, answer.output_tokens, answer.cache_read_tokens) == (7, 3, 2)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("exec", "ls -l")]


def test_a_socket_that_closes_early():
    splitter = CallSplitter("openai-responses")
    play(
        splitter,
        [(">", {"type": "response.create", "model": "m", "input": "Hi"}), delta("output_text", "Hel")],
    )
    (ended,) = splitter.finish()
    assert (ended.answer.text, ended.answer.terminal, ended.answer.finish_reason) == ("Hel", False, None)
    assert splitter.finish() == []


def test_responses_refused():
    splitter = CallSplitter("openai-responses")
    error = {"type": "invalid_request_error", "message": "No."}
    events = play(
        splitter,
        [
            (">", {"type": "response.create", "input": "Hi"}),
            ("<", {"type": "error", "status": 400, "error": error}),
        ],
    )
    answer = events[-1].answer
    assert (answer.error_type, answer.error_message, answer.terminal) == (
        "invalid_request_error",
        "No.",
        True,
    )


HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def realtime_done(id_, output, **more):
    usage = {
        "input_tokens": 63,
        "output_tokens": 22,
        "input_token_details": {"cached_tokens": 5},
        "output_token_details": {"audio_tokens": 1},
    }
    response = {"id": id_, "status": "completed", "output": output, "usage": usage}
    return ("<", {"type": "response.done", "response": response | more})


def test_realtime_runs_responses_side_by_side():
    splitter = CallSplitter("openai-realtime", "gpt-realtime")
    events = play(
        splitter,
        [
            ("<", {"type": "session.created", "session": {"model": "gpt-realtime-2", "instructions": "Be brief."}}),
            (">", {"type": "conversation.item.create", "item": HI}),
            (">", {"type": "response.create"}),
            (">", {"type": "response.create", "response": {"conversation": "none", "input": []}}),
            ("<", {"type": "response.created", "response": {"id": "a"}}),
            ("<", {"type": "response.created", "response": {"id": "b"}}),
            delta("output_audio_transcript", "B", response_id="b", item_id="y"),
            delta("output_text", "A", response_id="a", item_id="x"),
            realtime_done("b", [{"type": "message", "content": [{"type": "output_audio", "transcript": "Bee"}]}]),
            realtime_done("a", [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]),
        ],
    )  # fmt: skip
    assert kinds(events) == [
        ("Began", 0),
        ("Began", 1),
        ("FirstToken", 1),
        ("FirstToken", 0),
        ("Ended", 1),
        ("Ended", 0),
    ]
    first = events[0].request
    assert (first.model, [p.text for p in first.system]) == ("gpt-realtime-2", ["Be brief."])
    assert [p.text for p in first.messages[0].parts] == ["Hi"]
    b, a = events[-2].answer, events[-1].answer
    assert (b.text, b.model, b.cache_read_tokens) == ("Bee", "gpt-realtime-2", 5)
    assert [call.name for call in a.tool_calls] == ["f"]


def test_realtime_answers_speech_unasked():
    splitter = CallSplitter("openai-realtime", "m")
    events = play(
        splitter,
        [
            (">", {"type": "input_audio_buffer.append", "audio": "AAAA"}),
            ("<", {"type": "conversation.item.input_audio_transcription.completed", "transcript": "Hello?"}),
            ("<", {"type": "response.created", "response": {"id": "a"}}),
            delta("output_audio", "AAAA", response_id="a"),
            realtime_done("a", [], status="incomplete", status_details={"type": "incomplete", "reason": "max_output_tokens"}),
        ],
    )  # fmt: skip
    assert kinds(events) == [("Began", 0), ("FirstToken", 0), ("Ended", 0)]
    assert events[0].request.messages[0].parts[0].text == "Hello?"
    assert events[-1].answer.finish_reason == "max_output_tokens"


def test_realtime_error_refuses_the_request_not_what_runs():
    splitter = CallSplitter("openai-realtime")
    events = play(
        splitter,
        [
            (">", {"type": "response.create"}),
            ("<", {"type": "response.created", "response": {"id": "a"}}),
            (">", {"type": "response.create"}),
            (
                "<",
                {"type": "error", "error": {"type": "invalid_request_error", "message": "One runs already."}},
            ),
        ],
    )
    assert kinds(events) == [("Began", 0), ("Began", 1), ("Ended", 1)]


SETUP = (
    ">",
    {"setup": {"model": "models/gemini-live", "systemInstruction": {"parts": [{"text": "Be brief."}]}}},
)
ASK = (">", {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}], "turnComplete": True}})
USAGE = {"promptTokenCount": 9, "responseTokenCount": 4, "totalTokenCount": 13}


def said(text, **more):
    return ("<", {"serverContent": {"modelTurn": {"parts": [{"text": text}]}, **more}})


def test_gemini_live_with_a_tool():
    splitter = CallSplitter("gemini-live")
    events = play(
        splitter,
        [
            SETUP,
            ("<", {"setupComplete": {}}),
            ASK,
            ("<", {"toolCall": {"functionCalls": [{"id": "1", "name": "f", "args": {"a": 1}}]}}),
            (">", {"toolResponse": {"functionResponses": [{"id": "1", "name": "f", "response": {"b": 2}}]}}),
            said("Hel"),
            said("lo"),
            ("<", {"serverContent": {"turnComplete": True}}),
            ("<", {"usageMetadata": USAGE}),
        ],
        text=False,
    )
    assert kinds(events) == [
        ("Began", 0), ("FirstToken", 0), ("Ended", 0), ("Began", 1), ("FirstToken", 1), ("Ended", 1),
    ]  # fmt: skip
    request = events[0].request
    assert (request.model, request.system[0].text, request.messages[0].parts[0].text) == (
        "gemini-live",
        "Be brief.",
        "Hi",
    )
    tool = events[2].answer
    assert (tool.tool_calls[0].arguments, tool.terminal) == ('{"a":1}', True)
    assert events[3].request.messages[0].parts[0].type == "tool_result"
    answer = events[-1].answer
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.model) == (
        "Hello",
        9,
        4,
        "gemini-live",
    )
    assert (answer.finish_reason, answer.terminal) == ("STOP", True)


def test_gemini_live_speech_and_interruption():
    splitter = CallSplitter("gemini-live")
    spoken = ("<", {"serverContent": {"outputTranscription": {"text": "Hello"}}})
    events = play(
        splitter,
        [
            SETUP,
            (">", {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm"}}}),
            ("<", {"serverContent": {"inputTranscription": {"text": "Who?"}}}),
            spoken,
            ("<", {"serverContent": {"interrupted": True}}),
            ("<", {"serverContent": {"turnComplete": True}, "usageMetadata": USAGE}),
            said("Next"),
        ],
    )
    assert kinds(events)[:3] == [("Began", 0), ("FirstToken", 0), ("Ended", 0)]
    assert (events[2].answer.text, events[2].answer.finish_reason) == ("Hello", "INTERRUPTED")
    assert events[0].request.messages[0].parts[0].text == "Who?"
    assert splitter.finish()[0].answer.text == "Next"


@pytest.mark.parametrize("format_", ["openai-realtime", "openai-responses"])
def test_memory_is_bounded(format_):
    splitter = CallSplitter(format_)
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "A" * 20_000}]}
    for _ in range(3000):
        play(splitter, [(">", {"type": "conversation.item.create", "item": item})])
    assert len(splitter._protocol._said.take()) <= 1000
    for _ in range(200):
        play(splitter, [(">", {"type": "response.create"})])
    assert len(splitter.finish()) <= 64


KEYS = st.sampled_from(
    "type response id session item output usage serverContent modelTurn parts turnComplete clientContent turns toolCall "
    "functionCalls usageMetadata setup model delta output_index response_id error content text status".split()
)
TYPES = st.sampled_from(
    "response.create response.created response.done response.output_text.delta response.output_item.done error "
    "session.created conversation.item.create response.function_call_arguments.delta".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["openai-realtime", "openai-responses", "gemini-live", None]),
    st.lists(
        st.tuples(st.booleans(), st.dictionaries(KEYS, VALUES, max_size=5), st.none() | TYPES), max_size=12
    ),
)
def test_any_messages(format_, messages):
    splitter = CallSplitter(format_)
    began, ended = set(), []
    events = []
    for from_client, message, kind in messages:
        data = json.dumps(message | ({"type": kind} if kind else {})).encode()
        events += splitter.feed(from_client, True, data)
    for event in events + splitter.finish():
        if isinstance(event, Began):
            assert event.call == len(began)
            began.add(event.call)
        else:
            assert event.call in began
        if isinstance(event, Ended):
            ended.append(event.call)
    assert sorted(ended) == sorted(began), "every call ends once"
    assert not [e for e in events if isinstance(e, FirstToken) and e.call not in began]


@given(st.binary(max_size=50), st.booleans(), st.booleans())
def test_any_bytes(data, from_client, text):
    for format_ in ("openai-realtime", "gemini-live"):
        CallSplitter(format_).feed(from_client, text, data)


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")
def test_corpus():
    for exchange in corpus.exchanges("openai.jsonl") if "openai.jsonl" in corpus.FILES else ():
        if exchange["framing"] != "websocket":
            continue
        body = exchange["response_body"]
        messages = json.loads(body) if isinstance(body, str) else body
        splitter = CallSplitter("openai-realtime")
        events = play(splitter, [("<" if m["dir"] == "in" else ">", m["data"]) for m in messages])
        answers = [event.answer for event in events if isinstance(event, Ended)]
        expected = exchange["expected"]
        assert splitter.finish() == []
        assert len(answers) == expected["turns"]
        assert [answer.usage_raw for answer in answers] == expected["usage_raw"]
        assert [call.name for answer in answers for call in answer.tool_calls] == expected["tool_calls"]
        assert {answer.model for answer in answers} == {expected["model"]}
        assert answers[-1].finish_reason == expected["finish_reason"]
        assert "".join(answer.text for answer in answers)[:200] == expected["text_prefix"]


@pytest.mark.parametrize(
    ("format_", "once", "ask", "key"),
    [
        (
            "openai-realtime",
            {"type": "session.update", "session": {"instructions": "a" * 900}},
            {"type": "response.create"},
            "instructions",
        ),
        (
            "gemini-live",
            {"setup": {"systemInstruction": "a" * 900}},
            {"clientContent": {"turns": [{"role": "user"}], "turnComplete": True}},
            "systemInstruction",
        ),
    ],
)
def test_what_is_said_once_is_not_repeated_without_end(monkeypatch, format_, once, ask, key):
    monkeypatch.setattr("intelligence.wire.turns._MAX_REPEATED_BYTES", 3500)
    events = play(CallSplitter(format_, "m"), [(">", once), *[(">", ask)] * 5])
    asked = [json.loads(event.body) for event in events if isinstance(event, Began)]
    assert [key in body for body in asked] == [True, True, True, False, False]
    assert {body["model"] for body in asked} == {"m"}


def test_more_said_once_than_any_client_says_is_not_taken(monkeypatch):
    monkeypatch.setattr("intelligence.wire.turns._MAX_STANDING_BYTES", 1000)
    messages = [
        {"type": "session.update", "session": {"instructions": "short", "tools": []}},
        {"type": "session.update", "session": {"instructions": "a" * 2000}},
        {"type": "response.create"},
    ]
    events = play(CallSplitter("openai-realtime", "m"), [(">", message) for message in messages])
    (asked,) = [json.loads(event.body) for event in events if isinstance(event, Began)]
    assert (asked["instructions"], asked["tools"]) == ("short", [])
