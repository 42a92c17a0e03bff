"""The call a flow carries: what the addons of the pipeline know about one LLM call while it is on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mitmproxy import http

from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import GovernHead, RequestHead
from intelligence.wire.registry import Target

if TYPE_CHECKING:
    from addons.resend import Original

_ATTRIBUTE = "llmitm_call"


@dataclass(slots=True)
class Call:
    """`id` is `calls.id`, as 16 bytes; `head` is what `identify` found out; `recorded` once the request is in the journal;
    `encoding` is the request's content-encoding, `conversation` where in the decoded body the messages stand. `answered`: by us,
    nothing goes upstream. `governed` is what policy said and is not in the journal yet; `sent` the body to record of a request
    that is answered, if that must not be the one that came. `restores`: what placeholders stand for, for the client alone. Of an
    answer that is looked into: `cut` is how it is cut (`wire.frames`), `over` once it was ended, `said` the message that was
    recorded already. `original` is what to send should the provider refuse the rewritten request."""

    target: Target
    id: bytes = field(default_factory=uuid7)
    head: RequestHead | None = None
    encoding: str | None = None
    conversation: tuple[int, int] = (0, 0)
    recorded: bool = False
    ended: bool = False
    answered: bool = False
    sent: bytes | None = None
    governed: list[GovernHead] = field(default_factory=list)
    restores: dict[str, str] = field(default_factory=dict, repr=False)
    cut: str | None = None
    over: bool = False
    said: object = None
    original: Original | None = field(default=None, repr=False)

    @property
    def text_id(self) -> str:
        return id_text(self.id)


def call_of(flow: http.HTTPFlow) -> Call | None:
    """The call of this flow; None when the flow is no LLM call."""
    return flow.__dict__.get(_ATTRIBUTE)


def begin(flow: http.HTTPFlow, target: Target) -> Call:
    """Make this flow an LLM call. Kept beside the flow's state, which mitmweb saves to files and sends to browsers."""
    call = Call(target)
    flow.__dict__[_ATTRIBUTE] = call
    flow.id = call.text_id
    flow.metadata["llmitm"] = {
        "call_id": flow.id,
        "provider": target.provider or "",
        "operation": target.operation,
        "format": target.format,
    }
    return call
