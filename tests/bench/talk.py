"""What is said in made-up sessions: prompts, answers, results of tools; as messages of each wire format, and as the stream an
answer came in. Messages are JSON with sorted keys and no whitespace, so that they are their own canonical form."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from intelligence.wire.parts import Message, Part
from tests.bench.workplaces import ANTHROPIC, GEMINI, OPENAI, TOOLS

WORDS = (
    "the parser reads a frame from its buffer and returns what was left of it for the next call to go on "
    "when an index is missing every query scans its table until someone looks at the plan and adds one "
    "tests fail on the second run because a fixture keeps its connection open after the server has closed "
    "retry the request with a longer timeout and log which header the client sent before it gave up "
    "invoice customer order payment refund token session cache worker queue migration deploy rollback metric "
    "def class return import async await yield raise except finally lambda True False None self args kwargs"
).split()
DOES = "Fix Add Remove Explain Refactor Test Simplify Document Review Port Rename Debug".split()
THINGS = (
    "retry logic|login form|CSV import|date parsing|rate limiter|search index|invoice totals|webhook handler|"
    "cache eviction|error page|background job|upload limit|feature flag|database migration|health check|sort order"
).split("|")
AGAIN = ("go on", "yes", "run the tests again", "that did not work", "now commit it")


_encode = msgspec.json.Encoder(order="sorted").encode
Said = tuple[bytes, Message]
"""A message in its format, and what it says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`tool`: name, argument and its value, and the call's id."""

    text: str
    tool: tuple[str, str, str, str] | None = None

    @property
    def calls(self) -> list[dict[str, str | None]]:
        """As `responses.tool_calls` has them."""
        if self.tool is None:
            return []
        name, argument, value, id_ = self.tool
        return [{"id": id_ or None, "name": name, "arguments": dump({argument: value}).decode()}]


def dump(value: object) -> bytes:
    """As `json.dumps` would, for these texts without a letter that must be escaped."""
    return _encode(value)


class Talk:
    """Text is cut from one long row of words: as varied as an index needs, and made at no cost. None comes twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._count = 0
        self._text = " ".join(
            word if rng.random() < 0.9 else f"{word}_{rng.randrange(5000)}"
            for word in rng.choices(WORDS, k=400_000)
        )

    def text(self, mean: int) -> str:
        size = min(int(self._rng.expovariate(1 / mean)) + 20, 20 * mean)
        start = int(self._rng.random() * (len(self._text) - size))
        self._count += 1
        return f"{self._text[self._text.index(' ', start) + 1 : start + size]} {self._count}"

    def prompt(self, first: bool) -> str:
        rng = self._rng
        if not first and rng.random() < 0.2:
            return rng.choice(AGAIN)
        asked = f"{rng.choice(DOES)} the {rng.choice(THINGS)} in {self.file()}"
        return f"{asked}\n\n{self.text(250)}"

    def file(self) -> str:
        return f"src/{self._rng.choice(WORDS)}_{self._rng.randrange(900)}.py"

    def answer(self, format: str, tools: bool) -> Answer:
        text = self.text(100 if tools else 300)
        if not tools:
            return Answer(text)
        name, argument = self._rng.choice(list(TOOLS.items()))
        id_ = "" if format == GEMINI else f"call_{self._rng.getrandbits(64):016x}"
        return Answer(text, (name, argument, self.file(), id_))


def asks(format: str, text: str) -> Said:
    said = Message("user", [Part("text", text)])
    if format == GEMINI:
        return dump({"role": "user", "parts": [{"text": text}]}), said
    return dump({"role": "user", "content": text}), said


def answers(format: str, answer: Answer) -> Said:
    """As a client sends it back."""
    calls = answer.calls
    parts = [Part("tool_call", c["arguments"] or "", c["name"], c["id"]) for c in calls]
    said = Message("assistant", [Part("text", answer.text), *parts])
    if format == OPENAI:
        value: dict = {"role": "assistant", "content": answer.text}
        if calls:
            value["tool_calls"] = [
                {
                    "id": c["id"],
                    "type": "function",
                    "function": {"name": c["name"], "arguments": c["arguments"]},
                }
                for c in calls
            ]
        return dump(value), said
    blocks: list[dict] = [{"text": answer.text}]
    if format == GEMINI:
        if answer.tool:
            name, argument, value_, _ = answer.tool
            blocks.append({"functionCall": {"name": name, "args": {argument: value_}}})
        return dump({"role": "model", "parts": blocks}), said
    blocks[0]["type"] = "text"
    if answer.tool:
        name, argument, value_, id_ = answer.tool
        blocks.append({"type": "tool_use", "id": id_, "name": name, "input": {argument: value_}})
    return dump({"role": "assistant", "content": blocks}), said


def gives(format: str, answer: Answer, result: str) -> Said:
    """The result of the tool that was called."""
    assert answer.tool
    name, _, _, id_ = answer.tool
    part = Part("tool_result", result, name, id_ or None)
    if format == ANTHROPIC:
        content = [{"type": "tool_result", "tool_use_id": id_, "content": result}]
        return dump({"role": "user", "content": content}), Message("user", [part])
    if format == GEMINI:
        response = {"name": name, "response": {"output": result}}
        return dump({"role": "user", "parts": [{"functionResponse": response}]}), Message("user", [part])
    return dump({"role": "tool", "tool_call_id": id_, "content": result}), Message("tool", [part])


def stream(format: str, answer: Answer) -> Iterator[bytes]:
    """The text of an answer, as events."""
    for start in range(0, len(answer.text), 40):
        piece = answer.text[start : start + 40]
        if format == ANTHROPIC:
            delta = {"type": "text_delta", "text": piece}
            event: dict = {"type": "content_block_delta", "index": 0, "delta": delta}
        elif format == GEMINI:
            event = {"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}}]}
        else:
            event = {"choices": [{"index": 0, "delta": {"content": piece}}]}
        yield b"data: " + dump(event) + b"\n\n"
