"""What the offline provider answers: the same request always gets the same text, tool calls and ids.

The text echoes what was asked and adds sentences picked by a hash of the prompt. A tool is called when tools are offered and
the last user text says so: `call the tool` takes the first, `use tool NAME` (or `use the NAME tool`) that one, once per
mention; `use tool NAME with {"key": …}` also gives the arguments, else a small value fitting the tool's schema is made. After
a tool's result the answer is text. A tool that the request forces is called always.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .ask import Ask, Tool, canonical
from .faults import Directives, directives, without_directives
from .memory import Memory, tokens
from .schema import example

_CALL = re.compile(
    r"\b(?:use|call)\s+(?:the\s+)?(?:tool\b[ \t]*[`\"']?([\w.:-]*)|[`\"']?([\w.:-]+)[`\"']?\s+tool\b)", re.I
)
_WITH = re.compile(r"[`\"']?\s*with\s+(?=\S)", re.I)
_PIECE = re.compile(r"\s*(?:\S+\s*){1,2}")
_SENTENCES = (
    "Start from the smallest example that shows the effect.",
    "Two of these points depend on each other, so their order matters.",
    "The first measurement is rarely the one to trust.",
    "A short list is easier to check than a long paragraph.",
    "Write down what would prove the idea wrong before testing it.",
    "The usual cause is a difference in time zones.",
    "Most of the cost sits in one place, and it is seldom the place one suspects.",
    "Keep the names close to the words people already use.",
    "A cache helps only while the prefix stays the same.",
    "It is worth asking who reads the result, and when.",
    "Numbers without units cause more trouble than wrong numbers.",
    "The second approach is slower, but it fails in the open.",
    "Three examples are enough to see the pattern.",
    "If it cannot be undone, do it last.",
    "The documentation says one thing and the traffic another.",
    "A retry is only safe where the first attempt left nothing behind.",
    "What looks random here is the order of two network calls.",
    "Small changes, each with its own test, arrive sooner.",
    "The average hides the few requests that people complain about.",
    "An error message should say what to do next.",
)


@dataclass(frozen=True)
class ToolCall:
    """`arguments`: a JSON value, or the free text of a custom tool."""

    id: str
    tool: Tool
    arguments: Any

    @property
    def text(self) -> str:
        return self.arguments if self.tool.custom else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Reply:
    """One answer. Counts as OpenTelemetry counts: input includes what the cache gave, output includes reasoning."""

    digest: str
    model: str
    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish: Literal["stop", "length", "tool_calls"]
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    output_tokens: int

    def id(self, prefix: str, part: str = "") -> str:
        """An id in the provider's manner; `part` tells apart the ids within one answer."""
        return prefix + hashlib.sha256(f"{self.digest}/{part}".encode()).hexdigest()[:24]


def wishes(prompt: str, memory: Memory) -> Directives:
    """The directives in `prompt`, without the faults whose `times` are used up. Raises `DirectiveError`."""
    found = directives(prompt)
    if found.times is None or memory.strikes(prompt, found.times):
        return found
    return dataclasses.replace(found, status=None, cut=None, eof=None, error_event=None, garbage=None)


def reply(ask: Ask, wishes: Directives, memory: Memory) -> Reply:
    digest = hashlib.sha256(canonical([ask.model, ask.segments]).encode(errors="surrogatepass")).hexdigest()
    calls = tuple(
        ToolCall(f"{digest[:16]}{index:08x}", tool, arguments)
        for index, (tool, arguments) in enumerate(_chosen_tools(ask))
    )
    text = "" if calls else _text(ask, wishes)
    limit = ask.max_tokens
    finish: Literal["stop", "length", "tool_calls"] = "tool_calls" if calls else "stop"
    if not calls and limit is not None and tokens(text) > limit:
        text, finish = text[: limit * 4], "length"
    reasoning = ""
    if wishes.thinking or ask.thinking:
        reasoning = f"The request is about {_head(ask.prompt)}. {_prose(ask.prompt + 'reasoning', 2)}"
    read, written = memory.cached_tokens(ask.segments, ask.cached_segments)
    reasoning_tokens = tokens(reasoning)
    spoken = tokens(text) + sum(tokens(call.tool.name + call.text) for call in calls)
    return Reply(
        digest=digest,
        model=ask.model,
        text=text,
        reasoning=reasoning,
        tool_calls=calls,
        finish=finish,
        input_tokens=max(1, sum(map(tokens, ask.segments))),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning_tokens,
        output_tokens=max(1, spoken) + reasoning_tokens,
    )


def pieces(text: str) -> Iterator[str]:
    """`text` in the pieces it is streamed in: two words each, nothing lost."""
    return (match[0] for match in _PIECE.finditer(text)) if text.strip() else iter([text] if text else [])


def _chosen_tools(ask: Ask) -> Iterator[tuple[Tool, Any]]:
    by_name = {tool.name: tool for tool in ask.tools}
    if not by_name:
        return
    if ask.forced_tool is None and ask.tool_results:
        return
    prompt = without_directives(ask.prompt)
    mentions = list(_CALL.finditer(prompt))
    if ask.forced_tool is not None:
        tool = by_name.get(ask.forced_tool, ask.tools[0])
        yield tool, _arguments(tool, prompt[mentions[0].end() :] if mentions else "")
        return
    for mention in mentions:
        name = (mention[1] or mention[2] or "").rstrip(".:-")
        tool = by_name.get(name, ask.tools[0])
        yield tool, _arguments(tool, prompt[mention.end() :])


def _arguments(tool: Tool, after: str) -> Any:
    """What stands `with` the mention, else a made-up value."""
    said = _WITH.match(after)
    rest = after[said.end() :] if said else ""
    if tool.custom:
        return rest.strip() or 'text("offline")'
    if rest.startswith("{"):
        try:
            return json.JSONDecoder().raw_decode(rest)[0]
        except ValueError:
            pass  # prose that happens to begin with a brace
    value = example(tool.schema)
    return value if isinstance(value, dict) else {}


def _text(ask: Ask, wishes: Directives) -> str:
    # Seeded by what was asked, not by the whole request: agents' system prompts differ from run to run.
    seed = canonical([ask.prompt, [result.text for result in ask.tool_results]])
    if wishes.text is not None:
        return wishes.text
    if ask.output_schema:
        return json.dumps(example(ask.output_schema))
    if wishes.length is not None:
        return _words(seed, wishes.length)
    if ask.tool_results:
        told = "; ".join(f"{result.name or 'it'} said {_head(result.text)}" for result in ask.tool_results)
        text = f"The tool has answered: {told}. {_prose(seed, 1)}"
    else:
        text = f"You asked about {_head(ask.prompt)}. {_prose(seed, 3)}"
    return json.dumps({"answer": text}) if ask.output_schema is not None else text


def _head(text: str, width: int = 80) -> str:
    line = " ".join(without_directives(text).split()).strip('"')
    return f'"{line[:width].rstrip()}…"' if len(line) > width else f'"{line}"'


def _prose(seed: str, sentences: int) -> str:
    return " ".join(random.Random(seed).sample(_SENTENCES, sentences))


def _words(seed: str, count: int) -> str:
    rng = random.Random(seed)
    endless = itertools.chain.from_iterable(rng.choice(_SENTENCES).split() for _ in itertools.count())
    return " ".join(itertools.islice(endless, count))
