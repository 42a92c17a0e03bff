import pytest

from tests.intelligence.wire.answers import read, sse, tokens, tools


def chunk(delta=None, reason=None, **more):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {"id": "c", "object": "chat.completion.chunk", "model": "gpt-x", "choices": choices, **more}


def call(index, id_=None, name=None, arguments=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    delta = {"index": index, "id": id_, "type": "function", "function": function}
    return {key: value for key, value in delta.items() if value is not None}


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def test_whole():
    usage = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call(None, "c1", "add", '{"a":1}')]}
    answer = read(
        "openai-chat",
        {"model": "gpt-x", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage},
    )
    assert (answer.model, answer.finish_reason, answer.text, answer.terminal) == ("gpt-x", "stop", "Hi", True)
    assert tokens(answer) == (10, 5, 4, None, 2)
    assert answer.usage_raw == usage
    assert tools(answer) == [("c1", "add", '{"a":1}')]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("done", [True, False])
def test_stream(end, done):
    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "H"}),
        chunk({"content": "ü😀"}),
        chunk({}, "stop"),
    ]
    answer = read("openai-chat", sse(*events, chunk(usage=USAGE), done=done, end=end))
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hü😀", "stop", True)
    assert tokens(answer) == (10, 5, None, None, None)


def test_without_usage_it_stays_unknown():
    answer = read("openai-chat", sse(chunk({"content": "H"}), chunk({}, "stop"), done=True))
    assert tokens(answer) == (None,) * 5
    assert answer.usage_raw is None


@pytest.mark.parametrize(
    "events",
    [
        [chunk({"content": "H"}, usage=None), chunk({}, "stop", usage=None), chunk(usage=USAGE)],
        [chunk({"content": "H"}), chunk({}, "stop", usage=USAGE)],
        [chunk({"content": "H"}), chunk({}, "stop", x_groq={"id": "r", "usage": USAGE})],
        [chunk({"content": "H"}), chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}, usage=USAGE)],
        [chunk({"content": "H"}), chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}), chunk(usage=USAGE)],
        [
            chunk({"content": "H"}, usage=USAGE | {"completion_tokens": 1}),
            chunk({}, "stop", usage=USAGE),
            chunk(usage=None),
        ],
    ],
    ids=[
        "own chunk", "with the finish reason", "in x_groq only", "in x_groq too", "in x_groq, then own chunk",
        "running totals",
    ],
)  # fmt: skip
def test_place_of_usage(events):
    assert tokens(read("openai-chat", sse(*events)))[:2] == (10, 5)


def test_azure_first_chunk_says_nothing():
    first = {"choices": [], "model": "", "id": "", "prompt_filter_results": [{"prompt_index": 0}]}
    answer = read("openai-chat", sse(first, chunk({"content": "H"}), chunk({}, "stop")))
    assert (answer.model, answer.text) == ("gpt-x", "H")


def test_azure_blocked_prompt_without_a_message():
    answer = read("openai-chat", {"model": "m", "choices": [{"finish_reason": "content_filter", "index": 0}]})
    assert (answer.text, answer.finish_reason, answer.error_message) == ("", "content_filter", None)


def test_azure_error_in_a_200():
    error = {"message": "Filtered.", "type": None, "code": "content_filter", "status": 400}
    answer = read("openai-chat", {"error": error})
    assert (answer.error_type, answer.error_message) == ("content_filter", "Filtered.")


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([call(0, "a", "f", ""), call(0, arguments='{"x"'), call(0, arguments=":1}")], [("a", "f", '{"x":1}')]),
        ([call(0, "a", "f", "{}"), call(1, "b", "g", "{}")], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(0, "a", "f", '{"x"'), call(0, "a", "f", ":1}")], [("a", "f", '{"x":1}')]),
        ([call(0, "a", "f", '{"x"'), call(0, None, "f", ":1}")], [("a", "f", '{"x":1}')]),
        ([call(None, "a", "f", "{}"), call(None, "b", "g", "{}")], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(None, "a", "f", '{"x"'), call(None, arguments=":1}")], [("a", "f", '{"x":1}')]),
        ([call(0, "a", "f", "{}"), call(0, "b", "g", "{"), call(0, arguments="}")], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([call(0, "a", "f")], [("a", "f", "")]),
        ([call(0, "a", "f", ""), call(0, arguments="")], [("a", "f", "")]),
        ([call(0, "a", "f", {"x": 1})], [("a", "f", '{"x":1}')]),
        ([{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "ls"}}], [("a", "f", "ls")]),
    ],
    ids=[
        "pieces", "two", "name repeated", "name repeated without id", "no index, whole", "no index, pieces",
        "index reused", "no arguments", "empty arguments", "arguments as object", "custom",
    ],
)  # fmt: skip
def test_tool_deltas(deltas, expected):
    events = [chunk({"tool_calls": [delta]}) for delta in deltas]
    answer = read("openai-chat", sse(*events, chunk({}, "tool_calls"), done=True))
    assert sorted(tools(answer)) == expected
    assert answer.finish_reason == "tool_calls"


def test_old_function_call():
    deltas = [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}]
    assert tools(read("openai-chat", sse(*map(chunk, deltas), chunk({}, "function_call")))) == [
        (None, "f", "{}")
    ]


def test_snowflake_says_everything_empty():
    message = {"content": "Hi", "function_call": {"name": "", "arguments": ""}, "tool_calls": None}
    whole = {"id": "", "choices": [{"message": message, "finish_reason": ""}]}
    streamed = sse({"id": "", "choices": [{"index": 0, "delta": message, "finish_reason": ""}]})
    for body in (whole, streamed):
        answer = read("openai-chat", body)
        assert (answer.text, answer.finish_reason, answer.tool_calls) == ("Hi", None, [])


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm"},
        {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm"},
                {"type": "reasoning.encrypted", "data": "x"},
            ]
        },
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": ""}]},
    ],
)
def test_reasoning(delta):
    answer = read(
        "openai-chat", sse(chunk(delta), chunk({"content": "Hi", "reasoning": None}), chunk({}, "stop"))
    )
    assert (answer.reasoning, answer.text) == ("Hm", "Hi")


@pytest.mark.parametrize("thinking", ["Hm", [{"type": "text", "text": "Hm"}]], ids=["string", "list"])
def test_magistral_sends_thinking_and_text_as_parts(thinking):
    parts = [{"type": "thinking", "thinking": thinking}, {"type": "text", "text": "Hi"}]
    whole = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    for body in (
        whole,
        sse(chunk({"content": parts}), chunk({}, "stop")),
        sse(chunk({"content": parts[:1]}), chunk({"content": "Hi"}), chunk({}, "stop")),
    ):
        answer = read("openai-chat", body)
        assert (answer.reasoning, answer.text, answer.finish_reason) == ("Hm", "Hi", "stop")


def test_content_as_list_and_as_object():
    listed = {
        "choices": [{"message": {"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}}]
    }
    assert read("openai-chat", listed).text == "Hi"
    assert read("openai-chat", {"choices": [{"message": {"content": {"a": 1}}}]}).text == ""


def test_perplexity_sends_the_message_so_far_beside_the_delta():
    events = [
        {"choices": [{"index": 0, "delta": {"content": d}, "message": {"content": m}, "finish_reason": r}]}
        for d, m, r in (("H", "H", None), ("i", "Hi", None), ("", "Hi", "stop"))
    ]
    assert read("openai-chat", sse(*events, end="\r\n")).text == "Hi"


def test_only_the_first_choice_counts():
    choices = [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]
    assert read("openai-chat", sse({"choices": choices})).text == "yes"


def test_comments_and_padding():
    processing = b": OPENROUTER PROCESSING\n\n"
    body = (
        processing
        + sse(chunk({"content": "H", "obfuscation": "xxxx"}))
        + processing * 2
        + sse(chunk({"content": "i"}))
        + b": \n\n"
        + sse(chunk({}, "stop"))
    )
    answer = read("openai-chat", body)
    assert (answer.text, answer.finish_reason) == ("Hi", "stop")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            sse(
                chunk({"content": "H"}),
                ("error", {"error": {"message": "No.", "type": "bad", "status_code": 400}}),
            ),
            ("bad", "No."),
        ),
        (
            sse(chunk({"content": "H"}), {"error": {"message": "No.", "code": 502}, "choices": []}),
            ("502", "No."),
        ),
        (sse(chunk({"content": "H"}), ("error", {"message": "No.", "code": None})), (None, "No.")),
        (sse(chunk({"content": "H"}), {"error": "No."}), (None, "No.")),
    ],
    ids=["groq", "openrouter", "named event", "bare string"],
)
def test_error_in_a_stream(body, error):
    answer = read("openai-chat", body)
    assert (answer.error_type, answer.error_message) == error
    assert (answer.text, answer.terminal) == ("H", True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"type": "invalid_request_error", "param": None, "code": "model_not_found"},
            "invalid_request_error",
        ),
        ({"type": "invalid_request_error", "param": None, "code": None}, "invalid_request_error"),
        ({"type": None, "code": "content_filter"}, "content_filter"),
        ({"type": None, "code": 502}, "502"),
        ({"code": None}, None),
    ],
    ids=["type and code", "code is null", "code is a string", "code is a number", "neither"],
)
def test_error_body(error, expected):
    answer = read("openai-chat", {"error": error | {"message": "No."}}, status=400)
    assert (answer.error_type, answer.error_message) == (expected, "No.")


def test_a_stream_that_breaks_off():
    answer = read("openai-chat", sse(chunk({"content": "Hel"}), chunk({"content": "lo"}))[:-20])
    assert (answer.text, answer.terminal) == ("Hel", False)


def test_reasoning_beside_the_completion_is_added():
    usage = {
        "prompt_tokens": 635, "completion_tokens": 42, "total_tokens": 720,
        "completion_tokens_details": {"reasoning_tokens": 43},
    }  # fmt: skip
    assert tokens(read("openai-chat", {"choices": [], "usage": usage})) == (635, 85, None, None, 43)


def test_counts_of_gateways():
    usage = USAGE | {"cache_read_input_tokens": 3, "cache_creation_input_tokens": 1}
    assert tokens(read("openai-chat", {"usage": usage})) == (10, 5, 3, 1, None)
    usage = USAGE | {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 7}
    assert tokens(read("openai-chat", {"usage": usage})) == (10, 5, 3, None, None)
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}}
    assert tokens(read("openai-chat", {"usage": usage})) == (10, 5, 3, 2, None)


@pytest.mark.parametrize("count", [-1, 1.5, "10", True, None, 10**30, [1]])
def test_counts_that_are_none(count):
    assert read("openai-chat", {"usage": {"prompt_tokens": count}}).input_tokens is None


def test_surrogates_cut_apart():
    first, second = (
        b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % s for s in (b"\\ud83d", b"\\ude00 \\ud83d")
    )
    assert read("openai-chat", first + second).text == "😀 \ufffd"


def test_completions():
    answer = read(
        "openai-completions",
        sse({"model": "m", "choices": [{"index": 0, "text": "Hi", "finish_reason": "length"}]}),
    )
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hi", "length", True)


@pytest.mark.parametrize(
    ("format_", "body", "expected"),
    [
        (
            "openai-embeddings",
            {"model": "e", "data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}},
            ("e", 4, ""),
        ),
        (
            "openai-images",
            {"data": [{"b64_json": "…"}], "usage": {"input_tokens": 3, "output_tokens": 9}},
            (None, 3, ""),
        ),
        ("openai-audio", {"text": "Hi", "usage": {"input_tokens": 1}}, (None, 1, "Hi")),
        ("openai-moderations", {"model": "o", "results": []}, ("o", None, "")),
        ("rerank", {"results": [], "meta": {"billed_units": {"search_units": 1}}}, (None, None, "")),
    ],
)
def test_other_operations(format_, body, expected):
    answer = read(format_, body)
    assert (answer.model, answer.input_tokens, answer.text) == expected
    assert answer.terminal


def test_streamed_transcript():
    events = [
        {"type": "transcript.text.delta", "delta": "H"},
        {"type": "transcript.text.done", "text": "Hi", "usage": {"input_tokens": 2}},
    ]
    answer = read("openai-audio", sse(*events), operation="audio")
    assert (answer.text, answer.input_tokens, answer.terminal) == ("Hi", 2, True)
