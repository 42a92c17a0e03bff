"""Amazon Bedrock: Converse, and `invoke`, whose bodies are those of the model's vendor.

Events are told apart by the name in their frame's headers; inside `invoke` streams Nova nests the same events by name. Token
counts that a vendor's body lacks come from the response headers, or from the metrics that end a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.anthropic_messages import AnthropicMessages
from intelligence.wire.cohere import Cohere
from intelligence.wire.draft import MAX_TOOL_CALLS, Draft, Parser, Tokens, ToolDraft
from intelligence.wire.json_value import as_json, count, first, name, obj, objects, text
from intelligence.wire.openai_chat import OpenAIChat

_METRICS = "amazon-bedrock-invocationMetrics"
_EVENTS = (
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
)  # fmt: skip


class BedrockConverse:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._tools: dict[Any, tuple[ToolDraft, bool]] = {}

    def whole(self, value: Any) -> None:
        body = obj(value)
        message = obj(obj(body.get("output")).get("message"))
        for block in objects(message.get("content")):
            self._content(block)
        self._stop(body)
        self.draft.counted(body.get("usage"), tokens_of.bedrock)
        if not message and body.get("message") is not None:
            self.draft.fail(body)
        if (counted := count(body.get("inputTokens"))) is not None:
            self.draft.tokens.input = counted
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        event = obj(value)
        if not kind:
            kind = next((key for key in _EVENTS if key in event), "")
            event = obj(event.get(kind))
        index = event.get("contentBlockIndex")
        index = index if isinstance(index, int) else None
        if kind == "contentBlockStart":
            start = obj(event.get("start"))
            tool = start.get("toolUse")
            if isinstance(tool, dict):
                server = tool.get("type") == "server_tool_use"
                call = self.draft.call(tool.get("toolUseId"), tool.get("name"), None, server=server)
                if len(self._tools) < MAX_TOOL_CALLS:
                    self._tools[index] = (call, server)
        elif kind == "contentBlockDelta":
            self._delta(index, obj(event.get("delta")))
        elif kind == "messageStop":
            self._stop(event)
            self.draft.terminal = True
        elif kind == "metadata":
            self.draft.counted(event.get("usage"), tokens_of.bedrock)
            self.draft.terminal = True

    def _content(self, block: dict[str, Any]) -> None:
        self.draft.say(block.get("text"))
        self.draft.think(obj(obj(block.get("reasoningContent")).get("reasoningText")).get("text"))
        tool = block.get("toolUse")
        if isinstance(tool, dict):
            server = tool.get("type") == "server_tool_use"
            self.draft.call(tool.get("toolUseId"), tool.get("name"), tool.get("input") or {}, server=server)

    def _delta(self, index: int | None, delta: dict[str, Any]) -> None:
        self.draft.say(delta.get("text"))
        self.draft.think(obj(delta.get("reasoningContent")).get("text"))
        tool = delta.get("toolUse")
        if isinstance(tool, dict) and index in self._tools:
            self._tools[index][0].pieces.append(as_json(tool.get("input") or ""))

    def _stop(self, event: dict[str, Any]) -> None:
        self.draft.finish_reason = name(event.get("stopReason")) or self.draft.finish_reason


class BedrockInvoke:
    """The vendor is known by the shape of the first body or event that has one."""

    def __init__(self, draft: Draft, headers: Mapping[str, str]) -> None:
        self.draft = draft
        self._headers = headers
        self._vendor: Parser | None = None

    def whole(self, value: Any) -> None:
        body = obj(value)
        vendor = self._vendor_of(body)
        if vendor:
            vendor.whole(body)
        elif set(body) <= {"message", "Message", "__type"} and body:
            self.draft.fail(body)
        else:
            self._plain(body)
        self._stated_in_headers()
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        event = obj(value)
        self._vendor = self._vendor or self._vendor_of(event)
        if self._vendor:
            self._vendor.event("", event)
        else:
            self._plain(event)
        metrics = event.get(_METRICS)
        if isinstance(metrics, dict):
            draft = self.draft
            draft.usage_raw = (draft.usage_raw or {}) | {_METRICS: metrics}
            stated = tokens_of.bedrock(metrics)
            if draft.tokens.input is None:
                draft.tokens = Tokens(
                    stated.input,
                    first(draft.tokens.output, stated.output),
                    stated.cache_read,
                    stated.cache_write,
                    draft.tokens.reasoning,
                )
            draft.terminal = True

    def finish(self) -> None:
        finish = getattr(self._vendor, "finish", None)
        if finish:
            finish()

    def _vendor_of(self, body: dict[str, Any]) -> Parser | None:
        kind = text(body.get("type"))
        if kind in ("message", "error", "ping", "completion") or kind.startswith(
            ("message_", "content_block_")
        ):
            return AnthropicMessages(self.draft)
        if "completion" in body and "stop_reason" in body:
            return AnthropicMessages(self.draft)
        if isinstance(body.get("output"), dict) or any(key in body for key in _EVENTS):
            return BedrockConverse(self.draft)
        if "choices" in body:
            return OpenAIChat(self.draft)
        if "generations" in body or "event_type" in body or "is_finished" in body:
            return Cohere(self.draft)
        return None

    def _plain(self, body: dict[str, Any]) -> None:
        """Titan (`outputText`), Llama (`generation`), Mistral (`outputs`): whole and streamed look alike."""
        draft = self.draft
        parts = [body, *objects(body.get("results"))[:1], *objects(body.get("outputs"))[:1]]
        for part in parts:
            draft.say(part.get("outputText") or part.get("generation") or part.get("text"))
            reason = part.get("completionReason") or part.get("stop_reason")
            draft.finish_reason = name(reason) or draft.finish_reason
            tokens = draft.tokens
            tokens.input = first(
                count(part.get("inputTextTokenCount")), count(part.get("prompt_token_count")), tokens.input
            )
            tokens.output = first(
                count(part.get("totalOutputTextTokenCount")),
                count(part.get("generation_token_count")),
                count(part.get("tokenCount")),
                tokens.output,
            )

    def _stated_in_headers(self) -> None:
        tokens = self.draft.tokens
        if tokens.input is None:
            tokens.input = self._header("x-amzn-bedrock-input-token-count")
            tokens.output = first(tokens.output, self._header("x-amzn-bedrock-output-token-count"))

    def _header(self, header: str) -> int | None:
        value = self._headers.get(header, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
