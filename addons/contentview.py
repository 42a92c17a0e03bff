"""mitmweb's view of LLM traffic: a request as messages and tools, an answer as the text, reasoning and tool calls it amounts to.

Both are chosen by mitmproxy for the calls that `addons.scope` found, and for nothing else; "Raw" and "JSON" stay a click away.
A view reads at most `MAX_BYTES`, and what it cannot make sense of it shows as it is: it never raises.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from mitmproxy import contentviews, http
from mitmproxy.contentviews import Metadata

from intelligence.wire.answer import Answer, AnswerReader
from intelligence.wire.request import Part, Request, read_request

log = logging.getLogger("llmitm.proxy")

MAX_BYTES = 2_000_000
MAX_PART = 20_000
# Above mitmproxy's own views for JSON and text, which answer 1.
PRIORITY = 2.0


class LLMRequest(contentviews.Contentview):
    """What was asked."""

    @property
    def name(self) -> str:
        return "LLM request"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        try:
            call, flow = _call(metadata), _flow(metadata)
            request = read_request(
                call.get("format"), call.get("operation"), flow.request.path if flow else "", data[:MAX_BYTES]
            )
            return _request_text(request) if request.understood else _as_is(data)
        except Exception:
            log.exception("an LLM request could not be shown as messages")
            return _as_is(data)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        flow = _flow(metadata)
        mine = flow is not None and metadata.http_message is flow.request
        return PRIORITY if data and mine and _call(metadata) else -1


class LLMAnswer(contentviews.Contentview):
    """What came back, put together from its events."""

    @property
    def name(self) -> str:
        return "LLM answer"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        try:
            call, flow = _call(metadata), _flow(metadata)
            response = flow.response if flow else None
            reader = AnswerReader(
                call.get("format"),
                call.get("operation"),
                status_code=response.status_code if response else 200,
                headers=_headers(response),
                path=flow.request.path if flow else "",
            )
            reader.feed(data[:MAX_BYTES])
            return _answer_text(reader.finish()) or _as_is(data)
        except Exception:
            log.exception("an LLM answer could not be put together")
            return _as_is(data)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        flow = _flow(metadata)
        mine = flow is not None and flow.response is not None and metadata.http_message is flow.response
        return PRIORITY if data and mine and _call(metadata) else -1


def register() -> None:
    """Make the views known to mitmproxy. Again does no harm."""
    contentviews.add(LLMRequest())
    contentviews.add(LLMAnswer())


def _flow(metadata: Metadata) -> http.HTTPFlow | None:
    return metadata.flow if isinstance(metadata.flow, http.HTTPFlow) else None


def _call(metadata: Metadata) -> dict[str, Any]:
    """What `addons.call` noted in the flow: `call_id`, `provider`, `operation`, `format`. Empty when it is no LLM call."""
    noted = metadata.flow.metadata.get("llmitm") if metadata.flow else None
    return noted if isinstance(noted, dict) else {}


def _headers(response: http.Response | None) -> list[tuple[str, str]]:
    """Without the content encoding: mitmproxy has decoded the body already."""
    if response is None:
        return []
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.fields]
    return [(name, value) for name, value in headers if name.lower() != "content-encoding"]


def _request_text(request: Request) -> str:
    facts = [("model", request.model), ("stream", request.stream), *request.parameters.items()]
    sections = [_facts((name, value) for name, value in facts if value is not None)]
    if request.system:
        sections.append(_section("system", _parts(request.system)))
    sections += [_section(message.role, _parts(message.parts)) for message in request.messages]
    if request.tools:
        tools = [f"{tool.name}: {_line(tool.description or '')}" for tool in request.tools]
        sections.append(_section(f"tools ({len(tools)})", "\n".join(tools)))
    return "\n\n".join(sections)


def _answer_text(answer: Answer) -> str:
    """Empty when there is nothing an answer would have."""
    usage = [
        f"{label} {value:,}"
        for label, value in (
            ("input", answer.input_tokens),
            ("from cache", answer.cache_read_tokens),
            ("to cache", answer.cache_write_tokens),
            ("output", answer.output_tokens),
            ("reasoning", answer.reasoning_tokens),
        )
        if value is not None
    ]
    error = ": ".join(part for part in (answer.error_type, answer.error_message) if part)
    facts = [
        ("model", answer.model),
        ("finish reason", answer.finish_reason),
        ("tokens", ", ".join(usage)),
        ("error", error),
    ]
    stated = [(name, value) for name, value in facts if value]
    sections = [_facts(stated)] if stated else []
    if answer.reasoning:
        sections.append(_section("reasoning", _cut(answer.reasoning)))
    if answer.text:
        sections.append(_section("text", _cut(answer.text)))
    for kind, tools in (
        ("tool call", answer.tool_calls),
        ("tool run by the provider", answer.server_tool_calls),
    ):
        sections += [_section(f"{kind}: {tool.name}", _json(tool.arguments)) for tool in tools]
    return "\n\n".join(sections)


def _parts(parts: Iterable[Part]) -> str:
    return "\n\n".join(filter(None, map(_part, parts)))


def _part(part: Part) -> str:
    if part.type == "text":
        return _cut(part.text or "")
    title = f"[{part.type.replace('_', ' ')}{f' {part.name}' if part.name else ''}]"
    if part.type in ("image", "audio", "file"):
        return title
    body = part.text or (
        "" if part.data is None else part.data if isinstance(part.data, str) else _json(part.data)
    )
    return f"{title}\n{_cut(_json(body) if part.type == 'tool_call' else body)}".rstrip()


def _section(title: str, body: str) -> str:
    return f"── {title} {'─' * max(3, 60 - len(title))}\n{body}"


def _facts(facts: Iterable[tuple[str, Any]]) -> str:
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else _line(_dumps(value))}" for name, value in facts
    )


def _json(value: Any) -> str:
    """JSON, or a text that may be JSON, indented."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    return _cut(_dumps(value, indent=2))


def _dumps(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=repr)


def _as_is(data: bytes) -> str:
    if len(data) <= MAX_BYTES:
        try:
            return json.dumps(json.loads(data), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return data.decode("utf-8", "backslashreplace")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"


def _cut(text: str) -> str:
    left = len(text) - MAX_PART
    return text if left <= 0 else f"{text[:MAX_PART]}\n… {left:,} more characters: see Raw"
