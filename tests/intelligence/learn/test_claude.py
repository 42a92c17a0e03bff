"""The Messages API, as the offline provider speaks it, and what may be wrong with an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from addons.offline.server import OfflineProvider, running
from intelligence.learn import second_opinion
from intelligence.learn.claude import VERSION, Claude, ClaudeError, _answer


@pytest.fixture(scope="module")
def provider() -> Iterator[OfflineProvider]:
    with running() as made:
        yield made


def test_one_tool_is_what_is_asked_for(provider: OfflineProvider) -> None:
    claude = Claude(provider.url + "/", "sk-ant-test", "claude-haiku-4-5", ca_file=provider.ca_file)
    answer = claude.ask("be strict", "what is this?", second_opinion.TOOL, 100)
    assert set(answer.given) == {"verdict", "reason"} and answer.input_tokens and answer.output_tokens
    sent = provider.requests[-1]
    body, headers = json.loads(sent.body), dict(sent.headers)
    assert (body["system"], body["max_tokens"], body["tool_choice"]["name"]) == ("be strict", 100, "opinion")
    assert body["messages"] == [{"role": "user", "content": "what is this?"}]
    assert headers["anthropic-version"] == VERSION and "sk-ant-test" not in repr(claude)


@pytest.mark.parametrize(
    "value",
    [{}, {"content": None}, {"content": [{"type": "text", "text": "attack"}]}, {"content": [{"type": "tool_use", "name": "x"}]}],
    ids=range(4),
)  # fmt: skip
def test_an_answer_to_something_else(value: dict[str, Any]) -> None:
    with pytest.raises(ClaudeError, match="nothing that was asked for"):
        _answer(value, "opinion", "m")


def test_tokens_are_counted_with_those_from_the_cache() -> None:
    value = {"content": [{"type": "tool_use", "name": "opinion", "input": {"a": 1}}], "model": "claude-x"}
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 1,
        "output_tokens": 2,
    }
    answer = _answer(value | {"usage": usage}, "opinion", "m")
    assert (answer.given, answer.model, answer.input_tokens, answer.output_tokens) == (
        {"a": 1},
        "claude-x",
        13,
        2,
    )
    answer = _answer(value | {"usage": {"output_tokens": "many"}}, "opinion", "m")
    assert (answer.input_tokens, answer.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("words", "why"),
    [("[[offline: status=529]]", "the answer was 529"), ("[[offline: status=401]]", "the answer was 401")],
    ids=["overloaded", "refused"],
)
def test_what_the_provider_refuses(provider: OfflineProvider, words: str, why: str) -> None:
    claude = Claude(provider.url, "sk-ant-test", "claude-haiku-4-5", ca_file=provider.ca_file)
    with pytest.raises(ClaudeError, match=why):
        claude.ask("s", words, second_opinion.TOOL, 100)


def test_who_cannot_be_reached(provider: OfflineProvider) -> None:
    for claude in (
        Claude("http://127.0.0.1:1", "k", "m"),
        Claude(provider.url, "k", "m"),  # its certificate is not trusted
        Claude("https://\x00", "k", "m"),
    ):
        with pytest.raises(ClaudeError, match="no answer"):
            claude.ask("s", "q", second_opinion.TOOL, 100)
