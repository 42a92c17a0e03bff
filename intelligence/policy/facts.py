"""What a rule may look at: one call, on its way out or back.

Plain fields are known from the head of a request. The rest is `Evidence`, asked for only by rules that need it: texts with
their provenance, tool calls, what detectors saw, how far a limit is used, whether the agent goes in circles. Who has the call
(the proxy, a backtest, an example in a rule) brings the evidence; whatever it raises makes the one rule that asked fail, in
the direction this rule declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from intelligence.policy.rule import LimitMatch, LoopMatch


class Place(Protocol):
    """A text and where it stands; `intelligence.wire.places.Place` is one."""

    @property
    def pointer(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a text: `start` and `end` are code points; `kind` is a detector's, or `text` for a rule's own pattern."""

    place: Place
    start: int
    end: int
    kind: str
    type: str
    score: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a limit is used. `reached`: this request would pass it. `soft`: the alert's share is passed, and was not before.
    `scope` says of whom, e.g. `user alice`."""

    used: float
    limit: float
    reached: bool
    retry_after_s: float
    soft: bool = False
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: str


class Evidence(Protocol):
    def texts(self) -> Sequence[Place]: ...
    def files(self) -> Iterable[bytes]:
        """What is sent along beside texts, decoded."""
        ...

    def tool_calls(self) -> Sequence[ToolCall]: ...
    def tool_definitions(self) -> Sequence[tuple[str, str]]:
        """Name and JSON pointer of each tool offered."""
        ...

    def max_tokens(self) -> int | None:
        """How much answer is asked for."""
        ...

    def detections(self, kinds: frozenset[str]) -> Sequence[Found]: ...
    def limit(self, rule: str, limit: LimitMatch) -> Standing: ...
    def loop(self, loop: LoopMatch) -> str | None:
        """What goes round, in words; None for an agent that gets on."""
        ...


@dataclass(slots=True)
class Facts:
    """`at` is Unix seconds; None where it is not known. `prompt_tokens` is an estimate; `concurrent` are calls of the same
    user or key that are open, without this one."""

    evidence: Evidence
    direction: str = "request"
    at: float = 0.0
    provider: str | None = None
    host: str | None = None
    model: str | None = None
    operation: str | None = None
    user: str | None = None
    client: str | None = None
    client_address: str | None = None
    session: str | None = None
    credential: str | None = None
    key: str | None = None
    stream: bool | None = None
    body_bytes: int | None = None
    prompt_tokens: int | None = None
    concurrent: int | None = None
