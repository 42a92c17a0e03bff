"""How a call ended, told from what the proxy saw of its end and what the answer says of itself.

| state | when |
|---|---|
| `complete` | the provider's answer ended; also when the client, or the proxy, went away after its terminal event |
| `aborted` | the client left before it |
| `error` | error status, error inside a 200, upstream cut, protocol error, a stream that just stops |
| `blocked` | we answered |
| `interrupted` | the proxy stopped or died before the end |
"""

from __future__ import annotations

from dataclasses import dataclass

from intelligence.store.journal import EndHead
from intelligence.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Outcome:
    state: str
    error_type: str | None = None
    error_message: str | None = None


def outcome(end: EndHead | None, status_code: int | None, answer: Answer | None, *, whole: bool) -> Outcome:
    """`end` is None when the run was over without it, `answer` when there was nothing to parse (or no way to).
    `whole`: the answer was parsed to its last byte, so that a terminal event that is missing is one that did not come.
    `answer.terminal` is None where its format has none."""
    cause = end.cause if end else "proxy_stopped"
    message = end.message if end else None
    error_type, error_message = (answer.error_type, answer.error_message) if answer else (None, None)
    failed = error_type is not None or error_message is not None or (status_code or 0) >= 400
    if failed and error_type is None and status_code and status_code >= 400:
        error_type = str(status_code)

    if cause == "blocked":
        return Outcome("blocked", error_type, error_message or message)
    if cause == "upstream_error":
        return Outcome("error", error_type or "upstream_error", error_message or message)
    if (answer and answer.terminal) or cause == "complete":
        if failed:
            return Outcome("error", error_type, error_message or message)
        if answer and whole and answer.terminal is False:
            return Outcome("error", "incomplete_answer", "the answer stopped before its end")
        return Outcome("complete")
    if cause == "client_left":
        return Outcome("aborted", error_type, error_message or message)
    return Outcome("interrupted", error_type, error_message or message)
