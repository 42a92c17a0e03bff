"""Every text of a request with who says it and where it stands: a case for each shape, the corpus, and any value at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.json_value import INVALID, decode
from intelligence.wire.place import TOO_DEEP
from intelligence.wire.places import answer_places, places, tools
from tests.intelligence.rewrite.bodies import VALUES, all_pointers, at
from tests.intelligence.wire import corpus
from tests.intelligence.wire.place_cases import ANSWERS, CASES, FUNCTION


def told(found: list[Any]) -> list[tuple[Any, ...]]:
    return [(p.role, p.source, p.text, p.pointer, p.tool, p.call_id, p.guarded) for p in found]


@pytest.mark.parametrize("name", CASES)
def test_requests(name: str) -> None:
    format_, operation, body, expected = CASES[name]
    assert told(places(format_, operation, "/", body)) == [(*e, *[None] * (7 - len(e))) for e in expected]


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    value, expected = ANSWERS[name]
    assert told(answer_places(None, None, "", value)) == [(*e, *[None] * (7 - len(e))) for e in expected]


def test_tools_with_where_they_can_be_removed() -> None:
    def of(body: Any) -> list[tuple[Any, ...]]:
        return [(tool.pointer, tool.name, tool.description) for tool in tools(body)]

    assert of(CASES["openai chat"][2]) == [("/tools/0", "add", "Adds.")]
    assert of(CASES["anthropic"][2]) == [("/tools/0", "sh", "Runs."), ("/tools/1", "web_search", None)]
    assert of(CASES["gemini, code assist"][2]) == [
        ("/request/tools/0/functionDeclarations/0", "add", "Adds."),
        ("/request/tools/1", "googleSearch", None),
    ]
    assert of(CASES["bedrock converse"][2]) == [("/toolConfig/tools/0", "add", "Adds.")]
    assert of(CASES["responses"][2]) == [("/input/8/tools/0/tools/0", "exec", "Runs.")]
    assert of({"functions": [FUNCTION]}) == [("/functions/0", "add", "Adds.")]


KEYS = st.sampled_from(
    """messages input contents content parts role type text system tools function functionCall args tool_calls arguments
    reasoningContent toolResult toolUse json id name choices output message data source request tool_results call
    outputs functionDeclarations toolConfig toolSpec signature thinking a/b""".split()
)
WORDS = st.one_of(
    st.sampled_from(
        "user assistant tool system text thinking tool_use tool_result function_call message x".split()
    ),
    st.text(max_size=3),
)
SHAPES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(SHAPES, VALUES))
def test_any_value_has_places_that_are_there_and_none_twice(value: Any) -> None:
    for found in (places("openai-chat", "chat", "/", value), answer_places(None, None, "/", value)):
        assert len({place.pointer for place in found}) == len(found)
        assert all(at(value, place.pointer) == place.text for place in found)
    for tool in tools(value):
        assert isinstance(at(value, tool.pointer), dict)


@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: {"content": v}, lambda v: {"parts": [v]}, lambda v: {"input": v}]
)
def test_what_is_nested_beyond_reason_is_read_and_not_edited(wrap: Any) -> None:
    value: Any = {"text": "secret"}
    for _ in range(2_000):
        value = wrap(value)
    for body in ({"messages": [{"role": "user", "content": value}]}, {"x": value}, {"tools": [value]}, value):
        found = places("", "chat", "/", body)
        assert any("secret" in place.text and place.guarded == TOO_DEEP for place in found)
        answer_places("", "chat", "/", body)
        tools(body)


def test_what_is_nested_beyond_reason_is_told_string_by_string() -> None:
    value: Any = ["a", {"b": "c", "type": "d"}]
    for _ in range(50):
        value = [value]
    found = places("", "chat", "/", {"x": value})
    assert [place.text for place in found] == ["a", "c", "d"]
    assert len({place.pointer for place in found}) == 1


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus at {corpus.FOLDER} (LLMITM_CORPUS)")
@pytest.mark.parametrize("file", corpus.FILES)
def test_no_text_of_a_recorded_request_is_missed(file: str) -> None:
    for exchange in corpus.exchanges(file):
        value = decode(corpus.body_of(exchange, "request"))
        if value is INVALID or not isinstance(value, dict):
            continue
        target = corpus.target_of(exchange)
        found = places(target and target.format, target and target.operation, exchange["path"] or "", value)
        assert all(at(value, place.pointer) == place.text for place in found)
        seen = {place.pointer for place in found}
        for pointer, text in all_pointers(value):
            # Sentences: what is no sentence may be a type or an id.
            if isinstance(text, str) and text.count(" ") >= 2:
                assert pointer in seen, json.dumps(pointer)
