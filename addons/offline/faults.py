"""Directives: how a prompt asks the offline provider for a special answer or a failure.

    [[offline: status=429 retry_after=1 times=1]]
    [[offline: cut=3]]   [[offline: text="two words" drip_ms=50]]

They stand in the last user text, so any client can ask for any failure without the provider being set up for it.

answer    text="…"  length=WORDS  thinking
errors    status=CODE  retry_after=SECONDS  message="…"  times=N (only the first N times this prompt comes)
streams   drip_ms=MS  cut=N  eof=N  error_event=N  garbage=N (each after N events)
both      encoding=gzip|br|zstd

`cut` drops the connection with no clean end; `eof` ends the body cleanly but without the terminal event; `error_event`
sends the provider's own error event inside the 200 (its kind follows `status` if given) and ends; `garbage` puts bytes that
are no valid event in the middle and goes on. On an answer that is not streamed, `cut` and `eof` stop halfway through the
body, `garbage` replaces it, `drip_ms` paces its pieces, and `error_event` answers 200 with the error as its body.
An unknown or malformed directive is a `DirectiveError`, answered as a 400: a typo must not pass for a working test.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_DIRECTIVES = re.compile(r"\[\[offline:(.*?)\]\]", re.S)
_WORD = re.compile(r'\s*([a-z_]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]+))?(?=\s|$)')
GARBAGE = b'data: {"garbage": \xff\xfe\x00, not json\n\n'


class DirectiveError(ValueError):
    """A directive that cannot be obeyed. The message is for the person who wrote it."""


class Signal(enum.Enum):
    """What a stream of events may hold besides bytes."""

    CUT = "drop the connection"


@dataclass(frozen=True)
class Directives:
    text: str | None = None
    length: int | None = None
    thinking: bool = False
    status: int | None = None
    retry_after: float | None = None
    message: str = "The offline provider was asked to fail."
    times: int | None = None
    drip_ms: float = 0
    cut: int | None = None
    eof: int | None = None
    error_event: int | None = None
    garbage: int | None = None
    encoding: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the answer is an HTTP error (a `status` beside `error_event` only says which error the event tells)."""
        return self.status is not None and self.error_event is None

    @property
    def alters_document(self) -> bool:
        """Whether an answer that is not streamed leaves otherwise than whole and at once."""
        faults = (self.cut, self.eof, self.error_event, self.garbage)
        return self.drip_ms > 0 or any(fault is not None for fault in faults)


_DEFAULTS = {"cut": "3", "eof": "3", "error_event": "2", "garbage": "2"}
_READERS: dict[str, Callable[[str], object]] = {
    "text": str,
    "message": str,
    "encoding": str,
    "length": int,
    "status": int,
    "times": int,
    "retry_after": float,
    "drip_ms": float,
    "cut": int,
    "eof": int,
    "error_event": int,
    "garbage": int,
}


def directives(prompt: str) -> Directives:
    """All directives in `prompt`, later ones winning. Raises `DirectiveError`."""
    values: dict[str, object] = {}
    for block in _DIRECTIVES.findall(prompt):
        at, block = 0, block.rstrip()
        while at < len(block):
            word = _WORD.match(block, at)
            if word is None:
                raise DirectiveError(
                    f"Cannot read the offline directive near {block[at : at + 40].strip()!r}."
                )
            values |= _value(word[1], word[2])
            at = word.end()
    if values.get("encoding", "gzip") not in {"gzip", "br", "zstd"}:
        raise DirectiveError("encoding must be gzip, br or zstd.")
    if not 400 <= int(str(values.get("status", 400))) <= 599:
        raise DirectiveError("status must be an error: 400 to 599.")
    return Directives(**values)  # type: ignore[arg-type]  # _value gives each field its own type


def without_directives(prompt: str) -> str:
    return _DIRECTIVES.sub("", prompt).strip()


def _value(name: str, raw: str | None) -> dict[str, object]:
    if name == "thinking":
        return {name: raw != "false"}
    if name not in _READERS:
        known = ", ".join(sorted([*_READERS, "thinking"]))
        raise DirectiveError(f"Unknown offline directive {name!r}. Known: {known}.")
    raw = _DEFAULTS.get(name) if raw is None else raw
    if raw is None:
        raise DirectiveError(f"The offline directive {name!r} needs a value.")
    try:
        return {name: _READERS[name](json.loads(raw) if raw.startswith('"') else raw)}
    except ValueError as error:
        raise DirectiveError(f"The offline directive {name!r} cannot be {raw}.") from error


def disturbed(
    events: Iterable[bytes], faults: Directives, error_event: bytes, garbage: bytes = GARBAGE
) -> Iterator[bytes | Signal]:
    """`events` with the stream faults in them. A `Signal.CUT` is always the last item."""
    for sent, event in enumerate(events):
        if sent == faults.cut:
            yield Signal.CUT
            return
        if sent == faults.eof:
            return
        if sent == faults.error_event:
            yield error_event
            return
        if sent == faults.garbage:
            yield garbage
        yield event


def disturbed_document(body: bytes, faults: Directives, error: bytes) -> Iterator[bytes | Signal]:
    """The same for an answer that is one document: its pieces in order."""
    if faults.garbage is not None:
        body = GARBAGE
    elif faults.error_event is not None:
        body = error
    halved = faults.cut is not None or faults.eof is not None
    body = body[: len(body) // 2] if halved else body
    size = max(1, -(-len(body) // 8)) if faults.drip_ms else max(1, len(body))
    yield from (body[at : at + size] for at in range(0, len(body), size))
    if faults.cut is not None:
        yield Signal.CUT
