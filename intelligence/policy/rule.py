"""A rule as it is written: what it looks at, what it does, how it fails, and the examples that prove it.

These models are the language: the JSON Schema for editors and the reference in the docs are made from them. A condition is a
mapping; all its keys must hold. `all`, `any` and `not` combine conditions. Names are globs without regard to case, one or a
list; patterns are RE2 regular expressions, which match in linear time. Numbers are written as `amount` reads them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from intelligence.policy import amount as amounts

Action = Literal["allow", "alert", "redact", "block", "throttle"]
Direction = Literal["request", "response"]
Kind = Literal["secret", "pii", "injection", "exfiltration", "command", "content", "canary"]
Source = Literal["system", "user", "assistant", "tool_result", "tool_call", "tool_definition", "thinking"]
Role = Literal["system", "user", "assistant", "tool"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Window = Literal["minute", "hour", "day", "month"]
Scope = Literal["user", "key", "client", "model", "session", "provider"]

MAX_PATTERN = 2000
MAX_ID = 64


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _amount(value: Any) -> float:
    return amounts.amount(value)


def _compared(value: Any) -> str:
    amounts.comparison(value)
    return str(value)


def pattern(text: str) -> str:
    """The pattern itself. Raises `ValueError`."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"is a pattern of more than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as e:
        said = e.args[0].decode() if e.args and isinstance(e.args[0], bytes) else str(e)
        raise ValueError(f"is no RE2 pattern: {said}") from None
    return text


Names = Annotated[list[str], BeforeValidator(_listed)]
Patterns = Annotated[list[Annotated[str, BeforeValidator(pattern)]], BeforeValidator(_listed)]
Compared = Annotated[str, BeforeValidator(_compared)]
Amount = Annotated[float, BeforeValidator(_amount), Field(ge=0)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ToolMatch(Part):
    """A tool that is called: in an answer, or among the latest messages of a request."""

    name: Names = Field(["*"], description="Globs over the tool's name.")
    arguments: Patterns = Field([], description="Patterns searched for in the arguments (JSON text).")


class TextMatch(Part):
    """A text of the request or answer: all that is given must hold of one and the same text."""

    role: Annotated[list[Role], BeforeValidator(_listed)] = Field([], description="Whose text it is.")
    source: Annotated[list[Source], BeforeValidator(_listed)] = Field([], description="Where it came from.")
    matches: Patterns = Field([], description="Patterns searched for in it.")
    in_list: Names = Field(
        [],
        description="Names of `lists`: one of patterns matches it, or one of hashes has its SHA-256, or that of a file "
        "sent along, whoever sends it.",
    )


class DetectionMatch(Part):
    """What a detector saw."""

    kind: Annotated[list[Kind], BeforeValidator(_listed)] = Field(description="Kinds of detection.")
    type: Names = Field(["*"], description="Globs over the type, e.g. `aws_*`.")
    score: Compared = Field("0", description='How sure the detector must be, from 0 to 1, e.g. `">= 0.9"`.')
    source: Annotated[list[Source], BeforeValidator(_listed)] = Field(
        [], description="Only in texts of these sources."
    )


class TimeMatch(Part):
    """A window of the week. `from` later than `to` goes past midnight."""

    days: Annotated[list[Day], BeforeValidator(_listed)] = Field(
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], description="Days it begins on."
    )
    from_: time = Field(time(0, 0), alias="from", description='`"09:00"`; inclusive.')
    to: time = Field(
        time(0, 0), description='`"17:30"`; exclusive; `"00:00"` is midnight at the end of the day.'
    )
    zone: str = Field("UTC", description="IANA time zone, e.g. `Europe/Berlin`.")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{zone!r} is no time zone such as Europe/Berlin") from None
        return zone


class LimitMatch(Part):
    """Holds once this request would pass the limit. Exactly one of `requests`, `tokens`, `cost_usd`."""

    requests: Amount | None = Field(None, description="How many requests.")
    tokens: Amount | None = Field(None, description="Tokens read and written, known so far and in flight.")
    cost_usd: Amount | None = Field(None, description="What calls cost, at list price.")
    per: Window = Field(description="Calendar window, UTC; `minute` and `hour` slide.")
    by: Annotated[list[Scope], BeforeValidator(_listed)] = Field(
        [], description="Counted apart for each of these; nothing: for all together."
    )
    soft: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Share of the limit from which on an alert is raised, once a window."
    )

    @model_validator(mode="after")
    def _one_measure(self) -> LimitMatch:
        if sum(value is not None for value in (self.requests, self.tokens, self.cost_usd)) != 1:
            raise ValueError("give exactly one of requests, tokens, cost_usd")
        return self


class LoopMatch(Part):
    """An agent that goes in circles: told from the tool calls and results of the request itself."""

    repeats: Annotated[int, Field(ge=2)] = Field(
        8, description="The same tool with the same arguments and the same result, so often in a row."
    )
    errors: Annotated[int, Field(ge=2)] = Field(
        6, description="The same tool failing with the same error, so often in a row."
    )
    cycle: Annotated[int, Field(ge=2)] = Field(
        5, description="Rounds of the same two to four calls in turn, with the same results."
    )
    turns: Annotated[int, Field(ge=1)] | None = Field(None, description="Ceiling of turns in a session.")


class Condition(Part):
    """What must hold. All keys given must; an empty one always holds."""

    all: list[Condition] | None = Field(None, description="Each of these.")
    any: list[Condition] | None = Field(None, description="At least one of these.")
    not_: Condition | None = Field(None, alias="not", description="This must not hold.")
    direction: Direction | None = Field(
        None, description="`request` or `response`; else `request`, or where what it looks at is found."
    )
    provider: Names | None = Field(None, description="Globs over the provider, e.g. `openai`.")
    host: Names | None = Field(None, description="Globs over the host.")
    host_in: Names | None = Field(None, description="Names of `lists` of hosts: the host is in one of them.")
    model: Names | None = Field(None, description="Globs over the model asked for.")
    operation: Names | None = Field(None, description="Globs over the operation, e.g. `chat`, `embeddings`.")
    user: Names | None = Field(None, description="Globs over the user's name.")
    group: Names | None = Field(None, description="Names of `groups`: the user is in one of them.")
    client: Names | None = Field(None, description="Globs over the client, e.g. `claude-code`.")
    client_address: Names | None = Field(None, description="Networks the client is in, e.g. `10.0.0.0/8`.")
    session: Names | None = Field(None, description="Conversation keys.")
    credential: Names | None = Field(
        None, description="Globs over the kind of credential, e.g. `oauth`, `api_key`."
    )
    time: TimeMatch | None = Field(None, description="When.")
    tool: ToolMatch | None = Field(None, description="A tool that is called.")
    tool_definition: Names | None = Field(None, description="Globs over the names of tools offered.")
    text: TextMatch | None = Field(None, description="A text in it.")
    detection: DetectionMatch | None = Field(None, description="What a detector saw.")
    body_bytes: Compared | None = Field(None, description="Size of the request's body.")
    prompt_tokens: Compared | None = Field(None, description="Tokens of the prompt, estimated by its size.")
    max_tokens: Compared | None = Field(None, description="How many tokens of answer are asked for.")
    concurrent: Compared | None = Field(None, description="Calls of this user or key that are open now.")
    stream: bool | None = Field(None, description="Whether a stream is asked for.")
    limit: LimitMatch | None = Field(None, description="A budget or a rate.")
    loop: LoopMatch | None = Field(None, description="An agent that goes in circles.")

    @field_validator("client_address")
    @classmethod
    def _networks(cls, networks: list[str] | None) -> list[str] | None:
        for network in networks or []:
            ipaddress.ip_network(network, strict=False)
        return networks


def parts_of(condition: Condition) -> Iterator[Condition]:
    """The condition and all that it is made of."""
    yield condition
    for part in [
        *(condition.all or []),
        *(condition.any or []),
        *([condition.not_] if condition.not_ else []),
    ]:
        yield from parts_of(part)


class Example(Part):
    """A call, and what is to be decided about it. Only what the rule looks at needs to be given."""

    name: str = Field("", description="What the example shows.")
    given: dict[str, Any] = Field(
        description="The call: `provider`, `model`, `user`, `at` …; `messages` (role, content) and `answer` as text, "
        "`tool_calls` (name, arguments), `files` as text, `detections` to do without detectors, `used` for what a limit counted, "
        "`listed` for what is in a list."
    )
    expect: Literal["allow", "alert", "redact", "block", "throttle", "nothing"] = Field(
        description="The action decided by this rule; `nothing` when it must not match."
    )


class Rule(Part):
    """One rule. Rules are asked in order of `priority`, then in the order of files and lines."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=MAX_ID)] = Field(
        description="Unique name, in lower case, e.g. `no-keys-out`."
    )
    description: str = Field("", description="What it is for.")
    priority: Annotated[int, Field(ge=0, le=1000)] = Field(500, description="0 is asked first, 1000 last.")
    mode: Literal["enforce", "shadow"] = Field(
        "enforce", description="`shadow` records what it would have decided, and does nothing."
    )
    when: Condition = Field(Condition(), description="What must hold.")  # type: ignore[call-arg]
    action: Action = Field(description="What is done.")
    fail: Literal["open", "closed"] = Field(
        "open", description="When the rule cannot be judged: `open` goes on without it, `closed` blocks."
    )
    reason: str = Field("", max_length=500, description="Shown to the client.")
    status: Literal[400, 403, 429] | None = Field(None, description="Status of a block; 403 if not given.")
    retry_after_s: Amount | None = Field(
        None, description="What a throttled client is told to wait; else computed."
    )
    reversible: bool = Field(
        False, description="Redact: placeholders in the answer are put back for the client."
    )
    keep_original: bool = Field(
        False, description="Redact: the record keeps the original. By default it keeps what was sent."
    )
    remove_tools: bool = Field(
        False,
        description="Redact: tools whose definition `tool_definition` names are removed from the request.",
    )
    if_rejected: Literal["fail", "original"] = Field(
        "fail",
        description="Redact: what is done when the provider refuses the rewritten request (400, 404, 422). `original` sends the "
        "request once as it came, and after three refusals rests the rule for this client.",
    )
    observe_only: Literal["block", "alert"] = Field(
        "block",
        description="Redact: what is done instead where nothing may be rewritten (subscription traffic).",
    )
    hold_bytes: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        4096,
        description="Of a streamed answer, how much may be held back at most to be judged before it is passed on.",
    )
    tests: list[Example] = Field(
        [], description="Examples; a set with one that fails does not come into force."
    )

    @model_validator(mode="after")
    def _sense(self) -> Rule:
        if any(part is not self.when and part.limit is not None for part in parts_of(self.when)):
            raise ValueError(
                "a limit stands at the top of `when`, beside what it is for; not in all, any or not"
            )
        redacts = self.action == "redact"
        for key in ("reversible", "keep_original", "remove_tools"):
            if getattr(self, key) and not redacts:
                raise ValueError(f"{key} goes with action: redact")
        if self.status is not None and self.action != "block":
            raise ValueError("status goes with action: block")
        if self.retry_after_s is not None and self.action != "throttle":
            raise ValueError("retry_after_s goes with action: throttle")
        return self


class Allowance(Part):
    """Something a detector may see without anybody minding. Give `value`, or `hash` as the dashboard writes it."""

    kind: Kind | None = Field(None, description="Kind of detection; nothing is any.")
    type: Names = Field(["*"], description="Globs over the type.")
    value: str | None = Field(None, description="The text itself, e.g. a documented example key.")
    hash: str | None = Field(None, description="Keyed digest of the text.")
    until: date | None = Field(None, description="Last day it is in force.")
    reason: str = Field("", description="Why.")

    @model_validator(mode="after")
    def _one(self) -> Allowance:
        if (self.value is None) == (self.hash is None):
            raise ValueError("give either value or hash")
        return self


class List(Part):
    """A list that rules look things up in, an entry a line. Exactly one of `file`, `url`."""

    kind: Literal["hosts", "patterns", "hashes"] = Field(
        description="`hosts`: globs over hosts; `patterns`: over texts; `hashes`: SHA-256, in hex, of texts or files."
    )
    file: str | None = Field(None, description="In the folder of policies; relative to this file.")
    url: str | None = Field(None, description="A feed, `https://` alone, fetched by the worker.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = Field(
        None, description="Of the list as it is to come, in hex; no other is taken."
    )
    every: Annotated[Amount, Field(ge=60)] = Field(
        3600.0, description="How often a feed is fetched, e.g. `30min`, `6h`; at most once a minute."
    )

    @model_validator(mode="after")
    def _one_place(self) -> List:
        if (self.file is None) == (self.url is None):
            raise ValueError("give either file or url")
        if self.url is not None and not re.fullmatch(r"https://[^\s/]+/\S*", self.url):
            raise ValueError("url must be of the form https://host/path")
        return self


class PolicyFile(Part):
    """One file in `policies/`."""

    description: str = Field("", description="What the file is for.")
    include: Names = Field([], description="More files, relative to this one, e.g. `templates/budgets.yaml`.")
    groups: dict[str, Names] = Field({}, description="Groups of users: name, and globs over users.")
    lists: dict[str, List] = Field({}, description="Lists that rules look things up in, by their names.")
    allow: list[Allowance] = Field([], description="What detectors may see without anybody minding.")
    rules: list[Rule] = Field([], description="The rules.")
