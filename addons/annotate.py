"""Annotate: what mitmweb's list says of a finished call, as the flow's comment: model, tokens, duration.

Reading an answer costs more than passing it on, so it is done when somebody looks: for calls that end while a browser is
connected, and for the others when one connects.
"""

from __future__ import annotations

import logging

from mitmproxy import http

from intelligence.wire.answer import Answer, AnswerReader

logger = logging.getLogger(__name__)


def annotate(flow: http.HTTPFlow) -> None:
    """Set the comment of a finished LLM call; a comment that is there, perhaps a person's, stays."""
    noted, response = flow.metadata.get("llmitm"), flow.response
    if not isinstance(noted, dict) or response is None or response.timestamp_end is None or flow.comment:
        return
    try:
        reader = AnswerReader(
            noted["format"],
            noted["operation"],
            status_code=response.status_code,
            headers=[(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.fields],
            path=flow.request.path,
        )
        reader.feed(response.raw_content or b"")
        flow.comment = summary(reader.finish(), response.timestamp_end - flow.request.timestamp_start)
    except Exception:  # mitmweb's list must come up whatever one answer holds
        logger.exception("an answer could not be summed up (call %s)", flow.id)


def summary(answer: Answer, duration_s: float) -> str:
    """`claude-x · 1,204 in · 88 out · 2.3 s`; what the provider did not say is left out."""
    said = [
        answer.model,
        None if answer.input_tokens is None else f"{answer.input_tokens:,} in",
        None if answer.output_tokens is None else f"{answer.output_tokens:,} out",
        f"{duration_s:.1f} s",
        answer.error_type,
    ]
    return " · ".join(filter(None, said))
