"""The steps an agent took, read from the history it sends with each request: what it called, with what, and what came of it.

A turn without a tool call is a step as well: what was said, and what was answered to it. Texts are kept as digests and a few
figures, so that a long history is cheap to look at; numbers that count up and times of day are levelled in results, so that the
same failure is the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import re2

from intelligence.wire.parts import Message, Part

# Of a history, its last steps: more than any ceiling asks for.
MAX_STEPS = 400
_HEAD = 2000
# Not by re2, which calls back for each match: classes of letters alone cannot make this one backtrack.
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_FAILED = re2.compile(
    r"(?i)^\W{0,3}(?:<tool_use_error>|(?:\w+ ?)?(?:error|exception|failure)\b|failed\b|traceback|fatal:|panic:|cannot |can't |"
    r"unable to |no such |permission denied|command not found|not found\b|timed? ?out\b|invalid )|"
    r"\b(?:exit|return(?:ed)?|status) ?(?:code|status)?:? ?[1-9][0-9]{0,2}\b"
)
_WAITS = re2.compile(
    r"(?i)\b(?:running|pending|in[ _-]progress|queued|waiting|processing|building|"
    r"not (?:yet )?(?:ready|finished|done|complete))\b"
)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Step:
    """Digests of the call with its arguments, and of the result as it came. `waits`: the result says that something is not done
    yet. `said` and `arguments` are the texts of result and call themselves, shortened."""

    tool: str
    call: bytes
    result: bytes
    said: str
    failed: bool
    waits: bool
    arguments: str

    @property
    def levelled(self) -> str:
        """The result with its numbers made the same. Asked of few steps: those that look alike otherwise."""
        return _SPACE.sub(" ", _NUMBERS.sub("0", self.said))


def steps_of(messages: Sequence[Message]) -> list[Step]:
    """In order; the last `MAX_STEPS`."""
    return list(_steps(messages))[-MAX_STEPS:]


def turns_of(messages: Sequence[Message]) -> int:
    return sum(message.role in ("assistant", "model") for message in messages)


def _steps(messages: Sequence[Message]) -> Iterator[Step]:
    waiting: list[Part] = []
    said: str | None = None
    for message in messages:
        calls = [part for part in message.parts if part.type == "tool_call"]
        results = [part for part in message.parts if part.type == "tool_result"]
        for part in results:
            call = _call_of(part, waiting)
            if call is not None:
                yield _step(call, part)
        words = "\n".join(part.text for part in message.parts if part.type == "text")
        if calls:
            waiting += calls
            said = None
        elif message.role in ("assistant", "model"):
            said = words
        elif said and words and not results:
            yield Step("", _digest(said), _digest(words), words[:_HEAD], False, False, said[:_HEAD])
            said = None


def _call_of(result: Part, waiting: list[Part]) -> Part | None:
    """The call a result belongs to: by id, else the oldest of that name, else the oldest."""
    for fits in (
        lambda call: result.id is not None and call.id == result.id,
        lambda call: result.id is None and result.name is not None and call.name == result.name,
        lambda call: result.id is None or call.id is None,
    ):
        for call in waiting:
            if fits(call):
                waiting.remove(call)
                return call
    return None


def _step(call: Part, result: Part) -> Step:
    text = result.text
    failed = bool(getattr(result, "failed", False)) or bool(_FAILED.search(text[:400]))
    return Step(
        call.name or "?",
        _digest(f"{call.name}\0{call.text}"),
        _digest(text),
        text[:_HEAD],
        failed,
        not failed and bool(_WAITS.search(text[:_HEAD])),
        call.text[:_HEAD],
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).digest()
